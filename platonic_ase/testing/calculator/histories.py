"""Whose history a geometry belongs to: keyed to structures, not to calls."""

from __future__ import annotations

import numpy as np

from platonic_ase.testing.calculator.tools import (
    Bare,
    MakeAtoms,
    MakeCalculator,
    rattled,
)
from platonic_ase.testing.probes import FrameKeeper


def check_line_search_keeps_history(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Know a geometry that comes back: an optimiser that steps back and tries again."""
    keeper = FrameKeeper()
    calc, atoms = make(diagnostics=[keeper]), make_atoms()
    atoms.calc = calc
    places = [rattled(make_atoms(), seed=seed).positions for seed in range(3)]
    for place in (0, 1, 0, 2, 1):
        atoms.positions = places[place]
        atoms.get_potential_energy()
        atoms.get_forces()
    assert [frame.index for frame in keeper.frames] == [0, 1, 0, 2, 1], "indices count calls"
    assert [frame.revisited for frame in keeper.frames] == [False, False, True, False, True]


def check_images_have_own_histories(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Follow each Atoms object that shares the calculator, as images of a NEB, by itself."""
    keeper = FrameKeeper()
    calc, bare = make(diagnostics=[keeper]), Bare(make)
    images = [rattled(make_atoms(), seed=seed) for seed in range(3)]
    tracks = []
    for step in range(3):
        for image in images:
            image.calc = calc
            image.positions += 0.01 * step
            forces = image.get_forces()
            assert calc.diagnosis is not None
            assert calc.diagnosis.index == step, f"index {calc.diagnosis.index} at step {step}"
            assert np.array_equal(forces, bare(image)["forces"]), "forces of another image"
            tracks.append(calc.diagnosis.track)
    assert tracks == [0, 1, 2] * 3, f"histories are mixed: {tracks}"


def check_finite_displacements(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Compare displaced geometries with the undisplaced one, in place or in fresh copies."""
    keeper = FrameKeeper()
    calc, atoms = make(diagnostics=[keeper]), make_atoms()
    atoms.calc = calc
    atoms.get_forces()
    start = atoms.positions.copy()
    for sign in (1, -1):
        atoms.positions[0, 2] += 0.03 * sign
        atoms.get_forces()
        atoms.positions = start
        atoms.get_forces()
    assert [frame.index for frame in keeper.frames] == [0, 1, 0, 2, 0]
    for seed in range(2):
        fresh = rattled(make_atoms(), seed=seed)
        fresh.calc = calc
        fresh.get_forces()
        assert keeper.frames[-1].index == 0, "a new structure goes on with another one's history"


def check_interval_counts_geometries(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Diagnose every n-th new geometry of each structure, not every n-th call."""
    keeper = FrameKeeper()
    calc = make(diagnostics=[keeper], interval=2)
    images = [rattled(make_atoms(), seed=seed) for seed in range(2)]
    for _ in range(5):
        for image in images:
            image.calc = calc
            image.positions[0, 0] += 0.01
            image.get_potential_energy()
            image.get_forces()
    assert [frame.index for frame in keeper.frames] == [0, 0, 2, 2, 4, 4], "interval counts calls"
