import io
import json
import os
import time

import pytest
from rich.console import Console
from synthetic import HEADER, SUMMARY, event, geometry, structure

from platonic_ase.report import terminal
from platonic_ase.report.follow import read_columns
from platonic_ase.report.terminal import RunDisplay, panel, sparkline, state_of


def drawn(path, **options):
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    console.print(panel(read_columns(path)[-1], path, **options))
    return console.file.getvalue()


def test_a_history_in_blocks():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([float("nan"), 1.0, 1.0]) == " ▁▁"
    assert sparkline([float("nan")]) == ""


def test_values_thresholds_events_and_progress(write_log):
    records = [geometry(i) for i in range(9)]
    records[4]["events"] = [event(4)]
    records[8]["scalars"]["closest_contact"] = 0.4  # alarms below its threshold
    text = drawn(
        write_log(HEADER, structure(), *records), label="NVT", done=8, total=16, elapsed=60.0
    )
    for said in ("NVT · running", "8 of 16", "1 min 0 s left", "1.1", "0.55", "worst atoms: 1"):
        assert said in text
    assert "geometry 4: contact. Na0–Cl1 are too close." in text


def test_markup_in_a_log_is_only_text(write_log):
    nasty = "[red]no[/red] [link=file:///etc]x[/link]"
    path = write_log(HEADER, geometry(0, events=[event(0, message=nasty)]))
    assert "[red]no[/red]" in drawn(path)


def test_the_state_of_a_run(write_log):
    path = write_log(HEADER, geometry(0))
    run = read_columns(path)[-1]
    assert state_of(run, path) == "running"
    os.utime(path, (0, time.time() - 600))
    assert state_of(run, path).startswith("silent for 10 min")
    assert state_of(read_columns(write_log(HEADER, SUMMARY))[-1], path) == "ended"


def test_the_panel_follows_this_run_of_a_log_only(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text(json.dumps(HEADER) + "\n" + json.dumps(geometry(0, energy=-777.0)) + "\n")
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with RunDisplay("NVT", 5, path, console=console) as display, path.open("a") as log:
        log.write(json.dumps(HEADER) + "\n" + json.dumps(structure()) + "\n")
        log.write(json.dumps(geometry(0)) + "\n")
        log.flush()
        display.update(1)
    text = console.file.getvalue()
    assert "temperature" in text
    assert "777" not in text


@pytest.mark.parametrize("shown", [True, False])
def test_plain_lines_without_a_terminal(tmp_path, shown):
    console = Console(file=io.StringIO(), force_terminal=False)
    with RunDisplay("NVT", 5, tmp_path / "run.jsonl", shown=shown, console=console) as display:
        for step in range(5):
            display.update(step)
    assert console.file.getvalue() == ("NVT: 0 of 5, 0 s\n" if shown else "")


def test_a_panel_that_fails_does_not_end_the_run(tmp_path, monkeypatch, caplog):
    def fail(*_args, **_options):
        raise RuntimeError("no colours")

    monkeypatch.setattr(terminal, "panel", fail)
    console = Console(file=io.StringIO(), force_terminal=True)
    with RunDisplay("NVT", 5, tmp_path / "run.jsonl", console=console) as display:
        display.update(1)
    assert "the panel was switched off: no colours" in caplog.text
