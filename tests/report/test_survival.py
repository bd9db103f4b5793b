"""Under ``watch --serve`` the run, the server and the browser are killed, and nothing is lost."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from browsing import wait
from synthetic import HEADER, event, geometry, lines
from test_serve import append, get

PATIENCE = 120  # s


@pytest.fixture
def started():
    """Start processes of this interpreter, all killed in the end."""
    running = []

    def start(*command):
        process = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.PIPE)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def watched(started):
    """Start ``watch --serve``; the process, and the address that it says."""

    def watch(log):
        process = started("-m", "platonic_ase", "watch", log, "--serve")
        said = process.stdout.readline().decode()
        return process, re.search(r"http://\S+/", said)[0]

    return watch


def kill(process):
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def news(address):
    return json.loads(get(address + "0/data"))


def whole_geometries(log):
    """Number of geometries of which the log holds the whole line."""
    whole = log.read_bytes().split(b"\n")[:-1]
    return sum(json.loads(text)["type"] == "geometry" for text in whole)


def fall_silent(log):
    """As if the last record were an hour old."""
    os.utime(log, (time.time() - 3600,) * 2)


def test_a_killed_run_is_shown_whole_and_as_stopped(started, watched, tmp_path):
    log = tmp_path / "run.jsonl"
    run = started(Path(__file__).with_name("watched_run.py"), log)
    _, address = watched(log)
    end = time.monotonic() + PATIENCE
    while news(address)["geometries"] < 5:
        assert run.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    assert news(address)["state"] == "running"
    kill(run)
    if log.read_bytes().endswith(b"\n"):  # what a kill within the last line leaves
        os.truncate(log, log.stat().st_size - 9)
    left = log.read_bytes()
    fall_silent(log)
    _, again = watched(log)  # one that saw it go on, and one that did not
    shown = [news(address), news(again)]
    assert {each["geometries"] for each in shown[1:]} == {whole_geometries(log)}
    assert shown[0]["geometries"] >= whole_geometries(log)
    for each in shown:
        assert each["state"].startswith("silent for 1 h")
        assert "killed" in each["state"]
    assert log.read_bytes() == left


def test_a_line_that_a_kill_cut_is_no_record_until_it_is_whole(watched, tmp_path):
    log = tmp_path / "run.jsonl"
    text = lines(HEADER, *map(geometry, range(5)))
    log.write_text(text[:-20])
    _, address = watched(log)
    assert news(address)["geometries"] == 4
    with log.open("a") as stream:
        stream.write(text[-20:])
    assert news(address)["geometries"] == 5


def test_a_killed_server_loses_nothing(watched, tmp_path):
    log = tmp_path / "run.jsonl"
    append(log, HEADER, *map(geometry, range(3)))
    server, address = watched(log)
    assert news(address)["geometries"] == 3
    kill(server)
    with log.open("a") as stream:  # the run goes on
        stream.write("".join(lines(HEADER, geometry(3, events=[event(3)])).splitlines(True)[2:]))
    left = log.read_bytes()
    _, again = watched(log)
    assert again != address
    shown = news(again)
    assert (shown["geometries"], shown["events"], shown["kind"]) == (4, 1, "alarm")
    assert shown["scene"]["lines"][0]["lines"][0]["x"] == [0, 1, 2, 3]
    assert log.read_bytes() == left


@pytest.mark.slow
def test_a_closed_browser_and_a_killed_server_lose_nothing(browser, watched, tmp_path):
    log = tmp_path / "run.jsonl"
    made = lines(HEADER, *map(geometry, range(9))).splitlines(True)
    live = "document.getElementById('live').textContent"
    last = "document.getElementById('lines').data[0].x.at(-1)"
    log.write_text("".join(made[:-4]))
    server, address = watched(log)
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    browser.get(address)
    wait(browser, live, "running, 5 geometries")
    browser.close()
    browser.switch_to.window(first)
    with log.open("a") as stream:
        stream.write("".join(made[-4:-1]))
    browser.get(address)
    wait(browser, live, "running, 8 geometries")
    wait(browser, last, 7)
    kill(server)
    wait(browser, f"{live}.includes('has stopped')", True)
    with log.open("a") as stream:
        stream.write(made[-1][:-20])  # the run is killed in this line
    fall_silent(log)
    _, again = watched(log)
    browser.get(again)
    wait(browser, f"{live}.startsWith('silent for 1 h') && {live}.includes('8 geometries')", True)
    wait(browser, last, 7)
    assert log.read_text() == "".join(made)[:-20]
