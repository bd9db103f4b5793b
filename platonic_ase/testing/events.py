"""The contract of a wrapped calculator, second part: events, policies and failures."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ase.md.verlet import VelocityVerlet

from platonic_ase.errors import DiagnosticFailedWarning, PlatonicWarning, WarningRaised
from platonic_ase.monitor import Event, EventGate
from platonic_ase.report.reader import read_log
from platonic_ase.testing.calculator.tools import (
    Bare,
    MakeAtoms,
    MakeCalculator,
    rattled,
    replaced,
)
from platonic_ase.testing.probes import FailingDiagnostic, FrameKeeper, PlannedAlarm


def check_raise_never_returns_the_cached_value(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Raise at every call for an alarming geometry; a quiet one then works."""
    calc = make(diagnostics=[PlannedAlarm(0, 2, 0)], on_warning="raise")
    bare, atoms = Bare(make), rattled(make_atoms())
    atoms.calc = calc
    assert np.array_equal(atoms.get_forces(), bare(atoms)["forces"])
    atoms.positions[0, 0] += 0.01
    bare(atoms)
    for ask in (atoms.get_potential_energy, atoms.get_forces, atoms.get_potential_energy):
        _must_raise(ask, "an alarming geometry returns a value after it has raised")
        assert not calc.results, "results are kept although the policy raised"
    atoms.positions[0, 0] += 0.01
    assert np.array_equal(atoms.get_forces(), bare(atoms)["forces"])


def check_stop_refuses_the_next_geometry(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Refuse further geometries after a stop until it is resumed, where nothing is attached."""
    calc = make(diagnostics=[PlannedAlarm(0, 2, 0)], on_warning="stop")
    bare, atoms = Bare(make), rattled(make_atoms())
    atoms.calc = calc
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PlatonicWarning)
        for _ in range(2):
            atoms.positions[0, 0] += 0.01
            assert np.array_equal(atoms.get_forces(), bare(atoms)["forces"])
    assert isinstance(calc.stopped_by, Event), "the stop is not remembered"
    for _ in range(2):
        atoms.positions[0, 0] += 0.01
        _must_raise(atoms.get_forces, "a stopped calculator goes on")
        _must_raise(atoms.get_forces, "a stopped calculator returns a stale value")
    calc.resume()
    assert np.array_equal(atoms.get_forces(), bare(atoms)["forces"])


def check_stop_ends_an_attached_run(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """End an attached run gracefully after the step that raised the event."""
    calc = make(diagnostics=[PlannedAlarm(0, 0, 0, 2)], on_warning="stop")
    atoms = rattled(make_atoms())
    atoms.calc = calc
    dynamics = VelocityVerlet(atoms, timestep=0.1)
    calc.attach(dynamics)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PlatonicWarning)
        dynamics.run(20)
    assert dynamics.nsteps == 3, f"the run ended after step {dynamics.nsteps}, not 3"
    assert calc.stopped_by is not None
    assert calc.stopped_by.index == 3


def check_callables_are_given_the_event(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Hand each event to a function of the user's."""
    events: list[Event] = []
    calc = make(diagnostics=[PlannedAlarm(0, 2)], on_warning=events.append)
    _run(make, calc, make_atoms(), 3)
    assert [event.index for event in events] == [1], f"events at {[e.index for e in events]}"
    assert events[0].atoms == (0,)


def check_hysteresis_and_rate_limit(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Raise one event while an alarm stays up, and few when it comes and goes; count the rest."""
    levels = (2, 2, 0.9, 2, 0, 2, 0, 0, 0, 2)
    events: list[Event] = []
    calc = make(
        diagnostics=[PlannedAlarm(*levels)],
        on_warning=events.append,
        gate=EventGate(clear=0.8, cooldown=6),
    )
    _run(make, calc, make_atoms(), len(levels))
    raised = [event.index for event in events]
    assert raised == [0, 9], f"events at {raised}: hysteresis or rate limit fails"
    summary = calc.summary()
    assert summary.raised == {"planned": 2}
    assert summary.held_back == {"planned": 3}, f"held back: {summary.held_back}"


def check_events_are_logged_each_time(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Write every event to logging and to the run log, which end with a summary."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        calc = make(
            diagnostics=[PlannedAlarm(2, 0, 2, 0)],
            gate=EventGate(cooldown=0),
            log=path,
            on_warning="warn",
        )
        with _logged() as records, warnings.catch_warnings(record=True) as issued:
            warnings.simplefilter("default")
            _run(make, calc, make_atoms(), 4)
            calc.close()
        runs = read_log(path)
    texts = [record.getMessage() for record in records if record.levelno >= logging.WARNING]
    assert sum("planned alarm" in text for text in texts) == 2, f"logged: {texts}"
    assert any("planned alarm" in str(item.message) for item in issued), "no Python warning"
    assert len(runs) == 1
    assert [event["index"] for event in runs[0].events] == [0, 2], "the run log lacks events"
    assert [record["index"] for record in runs[0].geometries] == [0, 1, 2, 3]
    assert runs[0].summary is not None, "the run log lacks the summary"
    assert runs[0].summary["raised"] == {"planned": 2}
    assert any("planned 2" in r.getMessage() for r in records), "the summary is not logged"


def check_failing_diagnostics_are_switched_off(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Report a diagnostic that throws once, switch it off, and let everything else go on."""
    for at in (-1, 0, 2):
        keeper = FrameKeeper()
        calc = make(diagnostics=[FailingDiagnostic(at), keeper], on_warning="raise")
        with warnings.catch_warnings(record=True) as issued:
            warnings.simplefilter("always")
            _run(make, calc, make_atoms(), 4)
        found = [item for item in issued if issubclass(item.category, DiagnosticFailedWarning)]
        assert len(found) == 1, f"{len(found)} reports of one failing diagnostic"
        assert "planned failure" in str(found[0].message), "the report does not say why"
        assert len(keeper.frames) == 4, "the other diagnostics stop"
        assert set(calc.summary().switched_off) == {"failing"}


def check_failing_captures_do_not_stop_a_run(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Let forces flow when, after a good start, the model can no longer be observed."""

    def explode(*args: Any) -> Any:
        raise RuntimeError("planned failure of the listener")

    @contextmanager
    def silent(*args: Any) -> Iterator[None]:
        yield

    for failure in (explode, silent):
        calc, bare = make(diagnostics=[FrameKeeper()], on_warning="raise"), Bare(make)
        atoms = rattled(make_atoms())
        atoms.calc = calc
        assert np.array_equal(atoms.get_forces(), bare(atoms)["forces"])
        with (
            replaced(calc.encoder, "listen", failure),
            warnings.catch_warnings(record=True) as issued,
        ):
            warnings.simplefilter("always")
            for _ in range(3):
                atoms.positions[0, 0] += 0.01
                forces = atoms.get_forces()
                assert np.array_equal(forces, bare(atoms)["forces"])
        reports = [item for item in issued if issubclass(item.category, DiagnosticFailedWarning)]
        assert len(reports) == 1, f"{len(reports)} reports of one failure"
        assert calc.diagnosis is None, "the diagnosis of an older geometry is still shown"


EVENT_CHECKS = (
    check_raise_never_returns_the_cached_value,
    check_stop_refuses_the_next_geometry,
    check_stop_ends_an_attached_run,
    check_callables_are_given_the_event,
    check_hysteresis_and_rate_limit,
    check_events_are_logged_each_time,
    check_failing_diagnostics_are_switched_off,
    check_failing_captures_do_not_stop_a_run,
)


def _run(make: MakeCalculator, calc: Any, atoms: Any, geometries: int) -> None:
    """Evaluate some geometries and compare each with the bare calculator."""
    bare, atoms = Bare(make), rattled(atoms)
    atoms.calc = calc
    for _ in range(geometries):
        atoms.positions[0, 0] += 0.01
        forces = atoms.get_forces()
        assert np.array_equal(forces, bare(atoms)["forces"]), "forces differ"


def _must_raise(ask: Any, otherwise: str) -> None:
    try:
        ask()
    except WarningRaised:
        return
    raise AssertionError(otherwise)


@contextmanager
def _logged() -> Iterator[list[logging.LogRecord]]:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[assignment, method-assign]
    logger = logging.getLogger("platonic_ase")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield records
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
