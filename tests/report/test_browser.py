"""The pages in headless Chromium: nothing fails, nothing is fetched, parts are linked."""

import json
import shutil
import threading
import time

import pytest
from synthetic import HEADER, SUMMARY, event, geometry, lines, structure

from platonic_ase.report.report import write_report
from platonic_ase.report.serve import LogServer

pytestmark = pytest.mark.slow
PATIENCE = 120  # s; three dimensions are drawn in software here


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("needs Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for each in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=900,900"):
        options.add_argument(f"--{each}")
    options.add_argument("--enable-unsafe-swiftshader")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    opened.set_script_timeout(PATIENCE)
    opened.set_page_load_timeout(PATIENCE)
    yield opened
    opened.quit()


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


def test_a_report_draws_links_and_asks_for_nothing(browser, write_log):
    records = [geometry(i) for i in range(60)]
    records[40]["events"] = [event(40)]
    path = write_log(
        HEADER,
        structure(0),
        *records,
        structure(40, flagged=[1]),
        structure(59),
        SUMMARY,
    )
    browser.get(write_report(path, path.with_suffix(".html")).as_uri())
    wait(browser, "document.body.dataset.ready", "yes")
    assert browser.execute_script("return document.querySelectorAll('#lines .main-svg').length")
    browser.execute_script("document.querySelector('[data-event]').click()")
    wait(browser, "document.body.dataset.shown", "1")
    low, high = browser.execute_script("return document.getElementById('lines').layout.xaxis.range")
    assert low < 40 < high < 59
    wait(browser, "document.body.dataset.viewer", "yes")
    browser.execute_script(
        "document.getElementById('lines').emit('plotly_click', {points: [{x: 58, customdata: 0}]})"
    )
    wait(browser, "document.body.dataset.shown", "2")
    check_quiet(browser)


def test_hostile_strings_run_nothing(browser, write_log):
    nasty = "</script><img src=x onerror='window.owned=1'><script>window.owned=1</script>"
    head = {**HEADER, "model": {"model": nasty}, "map": {**HEADER["map"]}}
    facts = {"symmetry": {"space_group": nasty, "orbits": [nasty]}}
    happened = event(0, nasty, message=nasty, advice=nasty, unit=nasty)
    per_atom = {nasty: [1.0, 2.0]}
    records = [geometry(i, events=[happened], risks={nasty: nasty}) for i in range(3)]
    records = [{**record, "map": {nasty: [0.1, 0.2]}} for record in records]
    path = write_log(head, structure(facts=facts, per_atom=per_atom), *records, SUMMARY)
    browser.get(write_report(path, path.with_suffix(".html")).as_uri())
    wait(browser, "document.body.dataset.ready", "yes")
    browser.execute_script("document.getElementById('viewer').scrollIntoView()")
    wait(browser, "document.body.dataset.viewer", "yes")
    assert browser.execute_script("return window.owned === undefined")
    check_quiet(browser)


def test_a_served_page_follows_the_log(browser, tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text(lines(HEADER, *map(geometry, range(9))))
    server = LogServer([path])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        browser.get(server.address)
        wait(browser, "document.body.dataset.ready", "yes")
        wait(browser, "document.getElementById('live').textContent", "running, 9 geometries")
        with path.open("a") as log:
            log.write(lines(geometry(9)))
        start = time.monotonic()
        wait(browser, "document.getElementById('live').textContent", "running, 10 geometries")
        print(f"shown after {time.monotonic() - start:.2f} s")
        wait(browser, "document.getElementById('lines').data[0].x.at(-1)", 9)
    finally:
        server.shutdown()
        server.server_close()
    wait(browser, "document.getElementById('live').textContent.includes('has stopped')", True)
