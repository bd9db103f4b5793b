"""The pages in headless Chromium: nothing fails, nothing is fetched, parts are linked."""

import threading
import time

import pytest
from browsing import check_quiet, loaded, wait
from synthetic import HEADER, SUMMARY, event, geometry, lines, structure

from platonic_ase.report.report import write_report
from platonic_ase.report.serve import LogServer

pytestmark = pytest.mark.slow


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
    loaded(browser, write_report(path, path.with_suffix(".html")))
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


def test_charts_keep_their_height_in_a_window_that_changes(browser, write_log):
    path = write_log(HEADER, structure(0), *map(geometry, range(60)), SUMMARY)
    loaded(browser, write_report(path, path.with_suffix(".html")))
    size = "['Height', 'Width'].map((s) => document.getElementById('lines')['client' + s])"
    before = browser.get_window_size()
    height, _ = browser.execute_script(f"return {size}")
    drawn = "document.querySelector('#lines .main-svg').clientWidth"
    try:
        browser.set_window_size(before["width"] - 120, before["height"])
        wait(browser, f"{drawn} === {size}[1]", True)
        time.sleep(0.5)
        assert browser.execute_script(f"return {size}[0]") == height
        assert browser.execute_script("return document.getElementById('lines').layout.height")
        browser.execute_cdp_cmd("Page.printToPDF", {})
        wait(browser, f"{drawn} === {size}[1]", True)
    finally:
        browser.set_window_size(before["width"], before["height"])


def test_powers_of_ten_alone_are_labelled(browser, write_log):
    records = [geometry(i) for i in range(60)]
    for i, record in enumerate(records):
        record["scalars"]["net_force"] = 10.0 ** (-9 + i / 12)
    path = write_log(HEADER, structure(0), *records, SUMMARY)
    loaded(browser, write_report(path, path.with_suffix(".html")))
    labels = browser.execute_script(
        "const { layout } = document.getElementById('lines');"
        "return Object.values(layout).filter((a) => a?.type === 'log').map((a) => a.ticktext)"
    )
    assert ["10<sup>−9</sup>", "10<sup>−7</sup>", "10<sup>−5</sup>", "10<sup>−3</sup>"] in labels
    assert ["1", "10"] in labels  # of one value


def test_hostile_strings_run_nothing(browser, write_log):
    nasty = "</script><img src=x onerror='window.owned=1'><script>window.owned=1</script>"
    head = {**HEADER, "model": {"model": nasty}, "map": {**HEADER["map"]}}
    facts = {"symmetry": {"space_group": nasty, "orbits": [nasty]}}
    happened = event(0, nasty, message=nasty, advice=nasty, unit=nasty)
    per_atom = {nasty: [1.0, 2.0]}
    records = [geometry(i, events=[happened], risks={nasty: nasty}) for i in range(3)]
    records = [{**record, "map": {nasty: [0.1, 0.2]}} for record in records]
    path = write_log(head, structure(facts=facts, per_atom=per_atom), *records, SUMMARY)
    loaded(browser, write_report(path, path.with_suffix(".html")))
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
