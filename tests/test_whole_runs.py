"""Whole runs raise the alarms of a slow watch, which computes everything anew at each geometry."""

import importlib.util
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.calculator import compare_atoms
from ase.filters import FrechetCellFilter
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase.optimize import FIRE, BFGSLineSearch
from scipy.spatial.distance import cdist

from platonic_ase import PlatonicCalculator
from platonic_ase.models import inner
from platonic_ase.monitor import error_scale, watch
from platonic_ase.monitor.contacts import Contacts, closest_contact
from platonic_ase.monitor.symmetry import curvature, evidence, resting, splitting
from platonic_ase.monitor.symmetry.blocks import BlockVariance
from platonic_ase.monitor.symmetry.operations import Operations
from platonic_ase.space.neighbours import ElementClouds
from platonic_ase.space.projection import Projector, unit_rows
from platonic_ase.space.reference import ReferenceManifold


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


def hot_dynamics(calc):
    """Forces come near the alarm of their error and go again, also beyond it."""
    atoms = salt(2)
    atoms.calc = calc
    thermalize_momenta(atoms, 4500, rng=np.random.default_rng(3))
    dynamics = VelocityVerlet(atoms, 2 * units.fs)
    calc.attach(dynamics)
    dynamics.run(150)


def heating(calc):
    """Embeddings leave all that is known, and come back."""
    atoms = salt()
    atoms.calc = calc
    for step in range(120):
        atoms.positions[:] = salt().positions
        atoms.positions[:3] += (0.5 + 1.3 * np.sin(0.12 * step)) * np.sin(0.25 * step) / 2
        atoms.get_forces()


FAR, NEAR = {"familiar": False}, {"familiar": True}
NO_BOUND = {"familiar": True, "bound": None, "alarm": 0.32}
RUNS = [
    (breaking_dynamics, shifted(), FAR, {"symmetry_breaking", "force_error"}),
    (breaking_dynamics, shifted(), NEAR, {"symmetry_breaking"}),
    (breaking_relaxation, shifted(), FAR, {"symmetry_breaking", "force_error"}),
    (breaking_relaxation, shifted(), NEAR, {"symmetry_breaking"}),
    (line_search, salt(), NEAR, set()),
    (phonon_loop, salt(2), NEAR, set()),
    (band, salt(), FAR, {"force_error"}),
    (strained_cells, salt(), NEAR, {"contact", "volume"}),
    (hot_dynamics, salt(2), NEAR, {"force_error"}),
    (hot_dynamics, salt(2), NO_BOUND, {"extrapolation"}),
    (heating, salt(), NEAR, {"force_error"}),
    (heating, salt(), NO_BOUND, {"extrapolation"}),
]
SPARING = {breaking_dynamics, hot_dynamics, heating, breaking_relaxation}
"""Runs long enough for something to be left for later."""


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
    lengths = np.linalg.norm(gap @ atoms.cell.array, axis=2)
    place = int(lengths.T.argmax())  # atom by atom, generator by generator
    return lengths.max(), np.abs(turned - metric).max() / np.abs(metric).max(), place


def slow_tensor(operations, tensor):
    return np.mean([turn @ tensor @ turn.T for turn in operations.rotations], axis=0)


def slow_farthest(test):
    lengths = np.linalg.norm(test.leaning, axis=1)
    return int(lengths.argmax()), float(lengths.max())


class SlowLevel:
    def __init__(self, shape):
        self.differences, self.count = np.zeros(shape), 0
        self.last = self.half = None


class SlowVariance(BlockVariance):
    """Mean square differences of each coordinate of each atom, frame by frame."""

    def __init__(self, labels):
        super().__init__(labels)
        self.labels, self.slow = labels, []

    def steps(self, frames):
        for frame in frames:
            self.put(frame.copy())
            yield

    def put(self, mean, k=0):
        if k == len(self.slow):
            self.slow.append(SlowLevel(mean.shape))
        level = self.slow[k]
        if level.last is not None:
            level.count += 1
            square = 0.5 * (mean - level.last) ** 2
            level.differences += (square - level.differences) / min(level.count, 32)
        level.last = mean
        if level.half is None:
            level.half = mean
        else:
            mean, level.half = 0.5 * (level.half + mean), None
            self.put(mean, k + 1)

    def totals(self, level):
        return np.bincount(self.labels, weights=level.differences.sum(axis=1))

    @property
    def length(self):
        known = [2.0**k * self.totals(x) for k, x in enumerate(self.slow) if x.count >= 6]
        for k in range(len(known) - 1):
            if all(self._growth(known[k], each) <= 1.3 for each in known[k + 1 : k + 3]):
                return 2**k
        return None

    def variance(self, length):
        known = [k for k, level in enumerate(self.slow) if level.count >= 1]
        k = min(round(np.log2(length)), known[-1])
        totals = self.totals(self.slow[k])
        return totals / (3 * np.bincount(self.labels)) * 2.0**k / length


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
    patch.setattr(evidence, "BlockVariance", SlowVariance)
    patch.setattr(evidence, "_AT_ONCE", 1)
    patch.setattr(resting, "_AT_ONCE", 1)
    patch.setattr(watch, "EVERY", 1)  # nothing is left for later
    patch.setattr(Projector, "__call__", slow_projection)
    patch.setattr(inner, "changes_between", lambda one, other: compare_atoms(one, other))
    patch.setattr(error_scale, "components", slow_components)
    patch.setattr(curvature, "volume_of", lambda cell: abs(np.linalg.det(cell)))


def slow_components(platonic, mean, directions):
    return np.clip((platonic - mean) @ directions, -4, 4)


def alarms_of(run, sites, familiar=True, bound="default", alarm=None, ask=False):
    """Events, alarms and scalars of each geometry, how many were left incomplete, the summary."""
    module = instant()
    inner_calculator = module.InstantCalculator(sites, familiar=familiar)
    reference = ReferenceManifold.load(module._pack("reference"))
    if alarm is not None:
        reference = replace(reference, alarm=alarm)
    calc = PlatonicCalculator(
        inner_calculator,
        reference=reference,
        encoder=module.InstantEncoder(inner_calculator),
        on_warning="ignore",
        force_bound=bound,
    )
    seen = []
    observe = calc.watch.observe

    def watched(*args):
        seen.append(observe(*args))
        return seen[-1]

    calc.watch.observe = watched
    asked = []
    if ask:
        look = calc.session.observe

        def looked(*args):
            look(*args)
            asked.append(calc.diagnosis)

        calc.session.observe = looked
    run(calc)
    assert not calc.summary().switched_off
    events = [
        (*place(d), e.kind, sorted(e.atoms), e.signal.value, e.signal.threshold)
        for d in seen
        for e in d.events
    ]
    levels = [(*place(d), [(s.kind, sorted(s.atoms), s.level) for s in d.alarms]) for d in seen]
    scalars = [(*place(d), d.scalars, d.series, d.risks) for d in asked]
    partial = sum(d.finish is not None for d in seen)
    return events, levels, scalars, partial, calc.summary()


def place(diagnosis):
    return diagnosis.track, diagnosis.index


def assert_same_alarms(fast, slow):
    (events, levels), (slow_events, slow_levels) = fast, slow
    assert [event[:4] for event in events] == [event[:4] for event in slow_events]
    np.testing.assert_allclose(
        [event[4:] for event in events], [event[4:] for event in slow_events], rtol=1e-4
    )
    assert len(levels) == len(slow_levels) >= 3
    for one, other in zip(levels, slow_levels, strict=True):
        assert one[:2] == other[:2]
        assert [alarm[:2] for alarm in one[2]] == [alarm[:2] for alarm in other[2]]
        np.testing.assert_allclose(
            [alarm[2] for alarm in one[2]], [alarm[2] for alarm in other[2]], rtol=1e-3
        )


@pytest.mark.parametrize(
    ("run", "sites", "options", "expected"),
    RUNS,
    ids=[f"{run.__name__}-{'-'.join(map(str, options.values()))}" for run, _, options, _ in RUNS],
)
def test_alarms_are_those_of_a_slow_watch(run, sites, options, expected, monkeypatch):
    *fast, _, partial, summary = alarms_of(run, sites, **options)
    *same, asked, _, _ = alarms_of(run, sites, **options, ask=True)
    slow_down(monkeypatch)
    *slow, scalars, none, slow_summary = alarms_of(run, sites, **options, ask=True)

    assert {event[2] for event in fast[0]} >= expected
    assert none == 0
    assert partial > 0 or run not in SPARING
    assert_same_alarms(fast, slow)
    assert_same_alarms(same, slow)
    assert summary.raised == slow_summary.raised
    assert summary.held_back == slow_summary.held_back
    # what is asked for is computed, whether or not an alarm depended on it
    for one, other in zip(asked, scalars, strict=True):
        assert one[:2] == other[:2]
        for mine, theirs in zip(one[2:], other[2:], strict=True):
            assert mine.keys() == theirs.keys()
            for name, value in mine.items():
                expected = theirs[name]
                if not isinstance(value, str):
                    expected = pytest.approx(expected, rel=1e-3, abs=1e-5)
                assert value == expected, (one[:2], name)
    # and what was computed is never beyond what the slow watch has seen
    assert summary.worst.keys() == slow_summary.worst.keys()
    for name, value in summary.worst.items():
        beyond = min if name in ("closest_contact", "asymmetry_curvature") else max
        worst = slow_summary.worst[name]
        assert beyond(value, worst) == pytest.approx(worst, rel=1e-3, abs=1e-5)
