"""Pages in headless Chromium."""

import json
import time

PATIENCE = 300  # s; three dimensions are drawn in software, on a machine shared with others


def wait(browser, script, wanted):
    end = time.monotonic() + PATIENCE
    while (found := browser.execute_script(f"return {script}")) != wanted:
        assert time.monotonic() < end, f"{script} is {found!r}, not {wanted!r}"
        time.sleep(0.1)


def check_quiet(browser):
    """No error on the console, and no request but for the page itself."""
    bad = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert bad == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in sent if m["method"].endswith("WillBeSent")]
    assert {url.split(":")[0] for url in urls} <= {"file", "data", "blob"}


def loaded(browser, page):
    """Open a page and wait until its charts are drawn."""
    browser.get("about:blank")
    for kind in ("browser", "performance"):  # what the page before said is not this one's
        browser.get_log(kind)
    browser.get(page.as_uri())
    wait(browser, "document.body.dataset.ready", "yes")


def turned(browser):
    """Scroll to the structures and wait until they are drawn."""
    browser.execute_script("document.getElementById('viewer').scrollIntoView()")
    wait(browser, "document.body.dataset.viewer", "yes")
