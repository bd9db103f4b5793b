"""Whole runs raise the alarms of a slow watch, which computes everything anew at each geometry."""

import importlib.util
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.calculator import compare_atoms
from ase.filters import FrechetCellFilter
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.optimize import FIRE, BFGSLineSearch
from scipy.spatial.distance import cdist

from platonic_ase import PlatonicCalculator
from platonic_ase.models import inner
from platonic_ase.monitor import error_scale
from platonic_ase.monitor.contacts import Contacts, closest_contact
from platonic_ase.monitor.symmetry import curvature, evidence, splitting
from platonic_ase.monitor.symmetry.blocks import BlockVariance
from platonic_ase.monitor.symmetry.operations import Operations
from platonic_ase.space.neighbours import ElementClouds
from platonic_ase.space.projection import Projector, unit_rows


def instant():
    path = Path(__file__).parent / "benchmarks" / "_instant.py"
    spec = importlib.util.spec_from_file_location("_instant", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["_instant"] = module
    spec.loader.exec_module(module)
    return module


def salt(n=1):
    return bulk("NaCl", "rocksalt", a=5.64, cubic=True) * n


def breaking_dynamics(calc):
    atoms = salt()
    atoms.calc = calc
    thermalize_momenta(atoms, 200, rng=np.random.default_rng(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        dynamics = Langevin(
            atoms, 2 * units.fs, temperature_K=200, friction=0.02, rng=np.random.default_rng(2)
        )
    calc.attach(dynamics)
    dynamics.run(600)


def breaking_relaxation(calc):
    atoms = salt()
    atoms.calc = calc
    FIRE(atoms, logfile=None).run(fmax=1e-6, steps=60)


def line_search(calc):
    atoms = salt()
    atoms.rattle(0.05, seed=0)
    atoms.calc = calc
    BFGSLineSearch(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-6, steps=15)


def phonon_loop(calc):
    atoms = salt(2)
    calc.get_forces(atoms)
    for index in range(6):
        displaced = atoms.copy()
        displaced.positions[index // 3 * 8, index % 3] += 0.01 + 0.005 * index
        displaced.calc = calc
        displaced.get_forces()


def band(calc):
    images = [salt() for _ in range(4)]
    for number, atoms in enumerate(images):
        atoms.positions[0, 0] += 0.4 * number
        atoms.calc = calc
    for _ in range(15):
        for atoms in images:
            atoms.positions += 0.02 * atoms.get_forces()


def strained_cells(calc):
    atoms = salt()
    atoms.rattle(0.01, seed=0)  # one contact is the closest
    atoms.calc = calc
    for scale in [*np.linspace(1, 0.5, 12), *np.linspace(0.5, 1.6, 12)]:
        atoms.set_cell(5.64 * scale * np.eye(3), scale_atoms=True)
        atoms.get_potential_energy()


def shifted(n=1):
    sites = salt(n)
    sites.positions[: len(sites) // 2] += [0.25, 0, 0]
    return sites


RUNS = {
    breaking_dynamics: (shifted(), {"symmetry_breaking", "force_error"}),
    breaking_relaxation: (shifted(), {"symmetry_breaking", "force_error"}),
    line_search: (salt(), set()),
    phonon_loop: (salt(2), set()),
    band: (salt(), {"force_error"}),
    strained_cells: (salt(), {"contact", "volume"}),
}


def slow_distances(clouds, queries, numbers):
    found = np.empty(len(queries))
    for atom, number in enumerate(numbers.tolist()):
        points = clouds._clouds[number].points if number in clouds.elements else clouds._every
        found[atom] = np.sort(cdist(queries[atom : atom + 1], points)[0])[:3].mean()
    return found


def slow_splitting(platonic, members):
    deviations = [
        platonic[members.labels == orbit].astype(float) for orbit in range(members.labels.max() + 1)
    ]
    return np.array(
        [
            np.linalg.norm(rows - rows.mean(axis=0), axis=1).max() / np.sqrt(rows.shape[1])
            for rows in deviations
        ]
    )


def slow_shift(orbits, atoms):
    shift = np.linalg.solve(atoms.cell.array.T, atoms.positions.T).T - orbits.fractional
    if np.abs(shift).max() > 0.25:
        shift -= np.angle(np.exp(2j * np.pi * shift).sum(axis=0)) / (2 * np.pi)
        shift -= np.rint(shift)
    return shift - shift.mean(axis=0)


def slow_asymmetry(orbits, atoms, shift):
    gap = np.einsum("gab,ib->gia", orbits.rotations, shift) - shift[orbits.permutations]
    metric = atoms.cell.array @ atoms.cell.array.T
    turned = np.einsum("gba,bc,gcd->gad", orbits.rotations, metric, orbits.rotations)
    return (
        np.linalg.norm(gap @ atoms.cell.array, axis=2).max(),
        np.abs(turned - metric).max() / np.abs(metric).max(),
    )


def slow_tensor(operations, tensor):
    return np.mean([turn @ tensor @ turn.T for turn in operations.rotations], axis=0)


def slow_farthest(test):
    lengths = np.linalg.norm(test.leaning, axis=1)
    return int(lengths.argmax()), float(lengths.max())


def slow_totals(variance, level):
    return np.bincount(variance._labels, weights=level.differences.sum(axis=1))


def slow_projection(projector, embeddings):
    return unit_rows(embeddings, projector._centre) @ unit_rows(
        projector._anchors, projector._centre
    ).T.astype(embeddings.dtype)


def slow_down(patch):
    patch.setattr(ElementClouds, "distances", slow_distances)
    patch.setattr(Contacts, "closest", lambda _, atoms: closest_contact(atoms))
    patch.setattr(splitting, "orbit_splitting", slow_splitting)
    patch.setattr(splitting, "fractional_shift", slow_shift)
    patch.setattr(splitting, "structural_asymmetry", slow_asymmetry)
    patch.setattr(Operations, "symmetric_part", lambda group, v: group.apply(v).mean(axis=0))
    patch.setattr(Operations, "symmetric_tensor", slow_tensor)
    patch.setattr(evidence.SymmetryEvidence, "farthest", property(slow_farthest))
    patch.setattr(BlockVariance, "_totals", slow_totals)
    patch.setattr(Projector, "__call__", slow_projection)
    patch.setattr(inner, "changes_between", lambda one, other: compare_atoms(one, other))
    patch.setattr(error_scale, "components", slow_components)
    patch.setattr(curvature, "volume_of", lambda cell: abs(np.linalg.det(cell)))


def slow_components(platonic, mean, directions):
    return np.clip((platonic - mean) @ directions, -4, 4)


def alarms_of(run, sites):
    """Events, and all alarms of each geometry, of one run."""
    module = instant()
    inner_calculator = module.InstantCalculator(sites)
    calc = PlatonicCalculator(
        inner_calculator,
        encoder=module.InstantEncoder(inner_calculator),
        on_warning="ignore",
    )
    events, levels = [], []
    observe = calc.session.observe

    def watched(*args):
        observe(*args)
        seen = calc.diagnosis
        place = (seen.track, seen.index)
        for event in seen.events:
            said = event.signal
            events.append((*place, event.kind, sorted(event.atoms), said.value, said.threshold))
        levels.append((*place, [(s.kind, sorted(s.atoms), s.level) for s in seen.alarms]))

    calc.session.observe = watched
    run(calc)
    assert not calc.summary().switched_off
    return events, levels, calc.summary()


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.__name__)
def test_alarms_are_those_of_a_slow_watch(run, monkeypatch):
    sites, expected = RUNS[run]
    events, levels, summary = alarms_of(run, sites)
    slow_down(monkeypatch)
    slow_events, slow_levels, slow_summary = alarms_of(run, sites)

    assert {event[2] for event in events} >= expected
    assert [event[:4] for event in events] == [event[:4] for event in slow_events]
    np.testing.assert_allclose(
        [event[4:] for event in events], [event[4:] for event in slow_events], rtol=1e-4
    )
    assert len(levels) == len(slow_levels) >= 3
    for fast, slow in zip(levels, slow_levels, strict=True):
        assert fast[:2] == slow[:2]
        assert [alarm[:2] for alarm in fast[2]] == [alarm[:2] for alarm in slow[2]]
        np.testing.assert_allclose(
            [alarm[2] for alarm in fast[2]], [alarm[2] for alarm in slow[2]], rtol=1e-3
        )
    assert summary.raised == slow_summary.raised
    assert summary.held_back == slow_summary.held_back
    assert summary.worst == pytest.approx(slow_summary.worst, rel=1e-3, abs=1e-5)
