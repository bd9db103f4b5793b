import io
import os
import time

import pytest
from rich.console import Console
from synthetic import HEADER, SUMMARY, event, geometry, lines, structure

from platonic_ase.report import display as display_module
from platonic_ase.report.columns import RunColumns, read_columns
from platonic_ase.report.display import RunDisplay
from platonic_ase.report.reader import LogReader
from platonic_ase.report.terminal import HISTORY, panel, sparkline, state_of
from platonic_ase.screen.display import ScreenDisplay


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
    for said in ("NVT", "8 of 16", "1 min 0 s left", "1.1", "0.55", "worst atoms of geometry"):
        assert said in text, text
    assert "geometry 4: contact. Na0–Cl1 are too close." in text


def test_a_number_that_was_not_computed_again_says_how_old_it_is(write_log):
    records = [geometry(i) for i in range(12)]
    for record in records[9:]:
        del record["scalars"]["extrapolation_score"]
    text = drawn(write_log(HEADER, structure(), *records))
    assert "(3 ago)" in text
    for record in records[1:]:
        record["scalars"].pop("extrapolation_score", None)
    text = drawn(write_log(HEADER, structure(), *records))
    assert "worst distance" not in text  # too old to be shown as now


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


class Calculator:
    """What a display needs of a calculator."""

    def __init__(self, path, run="b"):
        self.log_path, self.run_id, self.session = path, run, self
        self.opened = 0

    def open(self):
        self.opened += 1


def shown_while(path, *records, calculator=None):
    """What a terminal shows of records that are written while the display is up."""
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with RunDisplay(calculator or Calculator(path), console=console) as display:
        with path.open("a") as log:
            log.write(lines(*records))
        display.begin("NVT", 5)
        display.update(1)
    return console.file.getvalue()


def test_the_panel_follows_this_run_of_a_log_only(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text(lines({**HEADER, "run": "a"}, geometry(0, energy=-777.0)))
    text = shown_while(path, {**HEADER, "run": "b"}, structure(), geometry(0))
    assert "temperature" in text
    assert "777" not in text


def test_a_run_that_has_begun_is_followed_from_its_header(write_log):
    path = write_log({**HEADER, "run": "a"}, {**HEADER, "run": "b"})  # as after an audit
    text = shown_while(path, *({**r, "run": "b"} for r in (structure(), *map(geometry, range(3)))))
    assert "1.1" in text  # where the alarm begins stands in the header


def test_of_many_geometries_between_two_panels_few_are_read_and_every_event(write_log):
    records = [geometry(i) for i in range(5000)]
    records[17]["events"] = [event(17)]
    path = write_log({**HEADER, "run": "b"}, structure(), *records)
    reader = LogReader(path, RunColumns, run="b", latest=HISTORY)
    reader.poll()
    (run,) = reader.runs
    assert run.geometries == HISTORY + 1
    assert [entry["index"] for entry in run.events] == [17]
    assert run.last.index == 4999


@pytest.mark.parametrize("shown", [True, False])
def test_plain_lines_without_a_terminal(tmp_path, shown):
    console = Console(file=io.StringIO(), force_terminal=False)
    calculator = Calculator(tmp_path / "run.jsonl")
    with RunDisplay(calculator, shown=shown, console=console) as display:
        display.begin("NVT", 5)
        for step in range(5):
            display.update(step)
    assert console.file.getvalue() == ("NVT: 0 of 5, 0 s\n" if shown else "")
    assert calculator.opened


def test_the_end_need_not_be_known():
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(panel(None, None, label="replay", done=1200, total=None, elapsed=60.0))
    assert "1,200 so far, 20 a second" in console.file.getvalue()


def test_drawing_waits_until_it_costs_little(tmp_path, monkeypatch):
    drawn_at = []

    def slow(*_args, **_options):
        drawn_at.append(clock[0])
        clock[0] += 1.0  # s, an absurd panel
        return "panel"

    clock = [0.0]
    monkeypatch.setattr(display_module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(display_module, "panel", slow)
    console = Console(file=io.StringIO(), force_terminal=True)
    with RunDisplay(Calculator(tmp_path / "run.jsonl"), console=console) as display:
        for _ in range(1000):
            clock[0] += 1.0
            display.update(1)
    assert 6 <= len(drawn_at) <= 8  # of 1000 s, and one at the end


def test_a_panel_that_fails_does_not_end_the_run(tmp_path, monkeypatch, caplog):
    def fail(*_args, **_options):
        raise RuntimeError("no colours")

    monkeypatch.setattr(display_module, "panel", fail)
    shown_while(tmp_path / "run.jsonl", HEADER)
    assert "the panel was switched off: no colours" in caplog.text


def test_a_screening_shows_what_stands_out_and_what_failed(tmp_path):
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with ScreenDisplay(tmp_path, console=console) as display:
        for k, force in enumerate((0.1, 7.25, 0.3)):
            row = {"name": f"[b]s{k}", "formula": "Cu", "error": None, "events": {"force_error": 1}}
            display.add({**row, "largest_force": force})
        display.add({"name": "bad", "error": "no structure"})
        display.kept = 12
    text = console.file.getvalue()
    for said in ("4 so far", "1 failed, 12 were there", "largest force", "7.25", "[b]s1"):
        assert said in text
    assert "force error in 3" in text
    assert "failed: bad: no structure" in text
