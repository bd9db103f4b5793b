"""Runs, threads, symmetry and settings: what a wrapper must not mix up."""

from __future__ import annotations

import tempfile
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from ase.constraints import FixAtoms

from platonic_ase.monitor import Diagnostic, Finding, Frame, OrbitSplitting
from platonic_ase.report.reader import read_log
from platonic_ase.testing.calculator.tools import (
    Bare,
    MakeAtoms,
    MakeCalculator,
    rattled,
    replaced,
)
from platonic_ase.testing.probes import FrameKeeper


class _Unwritable(Diagnostic):
    name = "unwritable"

    def examine(self, frame: Frame, state: Any) -> Finding:
        return Finding(self.name, facts={"what": object()})


def check_what_no_log_can_hold_switches_off_one_diagnostic(
    make: MakeCalculator, make_atoms: MakeAtoms
) -> None:
    """Switch off a diagnostic that returns what JSON cannot hold, and no other."""
    with tempfile.TemporaryDirectory() as folder:
        keeper, path = FrameKeeper(), Path(folder) / "run.jsonl"
        calc, bare = make(diagnostics=[_Unwritable(), keeper], log=path), Bare(make)
        atoms = rattled(make_atoms())
        atoms.calc = calc
        for _ in range(3):
            atoms.positions[0, 0] += 0.01
            assert np.array_equal(atoms.get_forces(), bare(atoms)["forces"])
        calc.close()
        assert len(keeper.frames) == 3, "another diagnostic was switched off as well"
        assert list(calc.summary().switched_off) == ["unwritable"]
        (run,) = read_log(path)
        assert len(run.geometries) == 3
        assert run.damaged == 0


def check_each_run_is_logged_by_itself(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Give each run of a calculator, and of those that share its log, a record of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        calc, other = (make(diagnostics=[FrameKeeper()], log=path) for _ in range(2))
        for counts in ((2, 1), (3, 0)):
            for each, count in zip((calc, other), counts, strict=True):
                atoms = rattled(make_atoms())
                atoms.calc = each
                for _ in range(count):
                    atoms.positions[0, 0] += 0.01
                    atoms.get_forces()
            calc.close()
        other.close()
        runs = read_log(path)
        assert sorted(len(run.geometries) for run in runs) == [1, 2, 3], "runs are mixed"
        assert all(run.summary is not None for run in runs), "a run has no summary"
        assert len({run.header["run"] for run in runs}) == 3, "runs share an id"


def check_threads_see_only_their_own_captures(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Leave alone the forward passes of another thread, as of ``NEB(parallel=True)``."""
    calc, atoms = make(), rattled(make_atoms())
    inner = calc.calculator
    with calc.encoder.capture() as capture:
        elsewhere = rattled(make_atoms(), seed=1)
        thread = Thread(target=lambda: inner.get_property("energy", elsewhere))
        thread.start()
        thread.join()
        assert len(capture) == 0, "a pass of another thread was captured"
        if hasattr(inner, "reset"):
            inner.reset()
        inner.get_property("energy", atoms)
        assert len(capture) > 0, "a pass of this thread was not captured"


def check_constraints_belong_to_the_symmetry(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Map no fixed atom onto a free one, no light one onto a heavy one."""
    calc = make(diagnostics=[OrbitSplitting()])

    def labels(change: Any) -> np.ndarray:
        atoms = make_atoms()
        change(atoms)
        atoms.calc = calc
        calc.reset()
        atoms.get_potential_energy()
        orbits = calc.watch.track(atoms).states["symmetry"].orbits
        return np.arange(len(atoms)) if orbits is None else np.asarray(orbits.labels)

    free = labels(lambda atoms: None)
    shared = np.flatnonzero(np.bincount(free)[free] > 1)
    assert len(shared), "the structure needs two atoms that are equivalent"
    atom = int(shared[0])

    def heavier(atoms: Any) -> None:
        masses = atoms.get_masses()
        masses[atom] += 1
        atoms.set_masses(masses)

    for change in (lambda atoms: atoms.set_constraint(FixAtoms([atom])), heavier):
        found = labels(change)
        assert np.sum(found == found[atom]) == 1, "an atom apart counts as equivalent to others"


def check_writing_reaches_what_reading_reads(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Set an attribute of the inner calculator there, and forget results of the old one."""
    calc, atoms = make(), rattled(make_atoms())
    with replaced(calc.calculator, "some_setting", 1):
        atoms.calc = calc
        atoms.get_potential_energy()
        calc.some_setting = 2
        assert calc.calculator.some_setting == 2, "the wrapper keeps a setting to itself"
        assert calc.some_setting == 2
        assert not calc.results, "results of the old setting are kept"


RUN_CHECKS = (
    check_what_no_log_can_hold_switches_off_one_diagnostic,
    check_each_run_is_logged_by_itself,
    check_threads_see_only_their_own_captures,
    check_constraints_belong_to_the_symmetry,
    check_writing_reaches_what_reading_reads,
)
"""Rules 14 to 18 of the contract."""
