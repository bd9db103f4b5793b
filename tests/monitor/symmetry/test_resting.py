"""Atoms that rest off their sites, against a crystal that is soft but stable."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.md.bussi import Bussi
from ase.md.velocitydistribution import Stationary, thermalize_momenta

from platonic_ase import OrbitSplitting
from platonic_ase.monitor.frame import Frame
from platonic_ase.monitor.symmetry.operations import find_operations
from platonic_ase.monitor.symmetry.orbits import find_orbits
from platonic_ase.monitor.symmetry.resting import WINDOW, WINDOWS, RestingPlace
from platonic_ase.testing import DoubleWellCrystal


def rocksalt():
    return bulk("NaCl", "rocksalt", a=5.6, cubic=True)


def place(flat=0.05):
    atoms = rocksalt()
    return RestingPlace(find_orbits(atoms, 1e-2), find_operations(atoms, 1e-2), flat)


def mode():
    u = np.zeros((8, 3))
    u[:4, 0], u[4:, 0] = 0.1, -0.1
    return u


def test_a_harmonic_mode_has_its_own_curvature_however_slow():
    """Means of F = -k u give k exactly, also while the mode seems to stand still."""
    found, u, k = place(), mode(), 0.3
    for step in range(WINDOWS * WINDOW):
        now = u * np.cos(1e-3 * step)
        found.add(now, -k * now)
    assert found.curvature == pytest.approx(k)


def test_a_rest_off_the_sites_has_no_curvature():
    found, rng = place(), np.random.default_rng(0)
    for _ in range(WINDOWS * WINDOW):
        away = 0.02 * rng.normal(size=(8, 3))
        away -= away.mean(axis=0)
        found.add(mode() + away, -5.0 * away)
    assert abs(found.curvature) < 0.05
    np.testing.assert_allclose(found.leaning, mode(), atol=0.01)


def test_vibrations_about_the_sites_are_no_rest():
    found = place()
    for step in range(WINDOWS * WINDOW):
        now = mode() * np.cos(0.3 * step)
        found.add(now, -5.0 * now)
    assert found.curvature == np.inf


def first_event(inner, temperature, steps, seed):
    atoms, rng = rocksalt(), np.random.default_rng(seed)
    diagnostic = OrbitSplitting()
    state = diagnostic.start(atoms)
    atoms.calc = inner
    thermalize_momenta(atoms, temperature, rng=rng)
    Stationary(atoms)
    dynamics, found = Bussi(atoms, 2 * units.fs, temperature, 100 * units.fs, rng=rng), []

    def look():
        blank = np.zeros((len(atoms), 1))
        forces = {"forces": inner.results["forces"]}
        frame = Frame(dynamics.nsteps, atoms, blank, blank, forces, moving=True)
        found.extend(
            (dynamics.nsteps, signal.message)
            for signal in diagnostic.examine(frame, state).signals
            if signal.kind == "symmetry_breaking" and signal.level >= 1
        )

    dynamics.attach(look)
    dynamics.run(steps)
    return found[0] if found else None


def test_a_planted_breaking_is_found_within_500_steps():
    step, message = first_event(DoubleWellCrystal(2.0, 0.2), 50.0, 500, seed=6000)
    assert step < 500
    assert "rest off their symmetric sites" in message
    assert first_event(DoubleWellCrystal(-0.1, 0.3), 300.0, 500, seed=6000) is None
