"""Dynamics, relaxations, scans and loops are told apart, also where momenta mislead."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS, FIRE, BFGSLineSearch

from platonic_ase.monitor.motion import Motion


def copper():
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.calc = EMT()
    return atoms


def hot(temperature=300):
    atoms = copper()
    rng = np.random.default_rng(0)
    thermalize_momenta(atoms, 2 * temperature, rng=rng)
    return atoms


def judged(frames, momenta=True):
    """What is said of each of a list of frames with energies."""
    motion, said = Motion(), []
    for atoms, energy in frames:
        seen = atoms.copy()
        if not momenta:
            seen.arrays.pop("momenta", None)
        said.append(motion.observe(seen, {"energy": energy}))
    return said


def run(dynamics, atoms, steps, **options):
    frames = []
    dynamics.attach(lambda: frames.append((atoms.copy(), atoms.get_potential_energy())))
    dynamics.run(steps=steps, **options)
    return frames


@pytest.mark.parametrize("langevin", [False, True])
def test_dynamics_with_and_without_momenta(langevin):
    atoms = hot()
    if langevin:
        rng = np.random.default_rng(1)
        dynamics = Langevin(
            atoms, 5 * units.fs, temperature_K=300, friction=0.01 / units.fs, rng=rng
        )
    else:
        dynamics = VelocityVerlet(atoms, 5 * units.fs)
    frames = run(dynamics, atoms, 100)
    assert all(judged(frames))
    replayed = judged(frames, momenta=False)  # as an XDATCAR is
    assert all(replayed[16:])
    every_tenth = judged(frames[::5], momenta=False)
    assert all(every_tenth[12:])


@pytest.mark.parametrize("optimizer", [BFGS, FIRE, BFGSLineSearch])
def test_a_relaxation_is_none_although_momenta_are_left_from_dynamics(optimizer):
    atoms = hot()
    VelocityVerlet(atoms, 5 * units.fs).run(20)
    assert np.any(atoms.get_momenta())
    frames = run(optimizer(atoms, logfile=None), atoms, 40, fmax=1e-4)
    assert len(frames) > 10
    assert not any(judged(frames)[1:])
    assert not any(judged(frames, momenta=False))


def test_relaxation_after_dynamics_in_one_history():
    atoms = hot()
    frames = run(VelocityVerlet(atoms, 5 * units.fs), atoms, 20)
    relaxed = run(BFGS(atoms, logfile=None), atoms, 10, fmax=1e-4)
    said = judged(frames + relaxed[1:])
    assert all(said[:21])
    assert not any(said[21:])


def test_scans_and_loops_are_no_dynamics():
    frames = []
    for scale in np.linspace(0.95, 1.05, 21):  # an equation of state
        atoms = copper()
        atoms.set_cell(atoms.cell * scale, scale_atoms=True)
        frames.append((atoms, atoms.get_potential_energy()))
    assert not any(judged(frames))
    frames = []
    for i in range(24):  # displaced supercells
        atoms = copper()
        atoms.positions[i, i % 3] += 0.03 if i % 2 else 0.09
        frames.append((atoms, atoms.get_potential_energy()))
    assert not any(judged(frames))


def test_a_geometry_seen_before_changes_nothing():
    motion, atoms = Motion(), hot()
    assert motion.observe(atoms, {"energy": 0.0})
    assert motion.observe(atoms, {"energy": 0.0}, revisited=True)
