import math

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc111
from ase.data import covalent_radii
from ase.geometry import get_distances
from hypothesis import given, settings
from hypothesis import strategies as st

from platonic_ase.monitor import Frame, PhysicalCompanions
from platonic_ase.monitor.contacts import (
    Contacts,
    _closest_of_few,
    _closest_of_many,
    closest_contact,
)
from platonic_ase.monitor.drift import DriftMeter
from platonic_ase.monitor.physics import net_force, stress_asymmetry


def examine(atoms, state=None, **results):
    watcher = PhysicalCompanions()
    frame = Frame(0, atoms, np.ones((len(atoms), 2)), np.ones((len(atoms), 2)), results)
    finding = watcher.examine(frame, watcher.start(atoms) if state is None else state)
    return finding, {signal.kind: signal for signal in finding.signals}


def brute_force(atoms, cells=4):
    """Closest pair by looking at many images: exact for any cell that is not too flat."""
    best = math.inf
    grid = [np.arange(-cells, cells + 1) if p else [0] for p in atoms.pbc]
    for shift in np.stack(np.meshgrid(*grid), axis=-1).reshape(-1, 3):
        for i in range(len(atoms)):
            for j in range(len(atoms)):
                if i == j and not shift.any():
                    continue
                d = np.linalg.norm(atoms.positions[j] + shift @ atoms.cell - atoms.positions[i])
                best = min(best, d / covalent_radii[atoms.numbers[[i, j]]].sum())
    return best if best <= 1 else math.inf


def test_net_force_is_the_planted_one():
    forces = np.random.default_rng(0).normal(size=(7, 3))
    forces -= forces.mean(axis=0)
    assert net_force(forces) < 1e-15
    assert net_force(forces + np.array([0.03, 0.0, -0.04])) == pytest.approx(0.05)


def test_net_force_of_single_precision_is_summed_in_double():
    forces = np.full((10_000, 3), 0.1, dtype=np.float32)
    forces[::2] *= -1
    assert net_force(forces) == 0


def test_stress_asymmetry_is_half_the_difference():
    symmetric = np.arange(9.0).reshape(3, 3) + np.arange(9.0).reshape(3, 3).T
    assert stress_asymmetry(symmetric) == 0
    symmetric[0, 1] += 0.2
    assert stress_asymmetry(symmetric) == pytest.approx(0.1)
    assert math.isnan(stress_asymmetry(np.zeros(6)))


@pytest.mark.parametrize("method", [_closest_of_few, _closest_of_many])
@pytest.mark.parametrize(
    "atoms",
    [
        bulk("Cu"),
        bulk("Cu", a=2.4),
        bulk("Cu", a=1.2),
        bulk("NaCl", "rocksalt", a=5.6),
        fcc111("Al", (1, 1, 3), a=3.9, vacuum=6.0),
        Atoms("H2", [[0, 0, 0], [0, 0, 0.5]]),
        Atoms("HO", [[0.1, 0.1, 0.1], [0.1, 0.1, 3.7]], cell=[9, 9, 4], pbc=[False, False, True]),
        Atoms("Fe", cell=[[2, 0, 0], [1.9, 2, 0], [0, 0.3, 2]], pbc=True),
        Atoms("Si2", [[-30, 0, 0], [31.5, 7, 0]], cell=[7, 7, 7], pbc=True),
    ],
    ids=lambda a: a.get_chemical_formula() if isinstance(a, Atoms) else a.__name__,
)
def test_closest_contact_is_that_of_brute_force(atoms, method):
    radii = covalent_radii[atoms.numbers]
    ratio, i, j = method(atoms, radii, 2 * float(radii.max()))
    expected = brute_force(atoms, cells=9 if "Si2" in str(atoms.symbols) else 4)
    if math.isinf(expected):
        assert ratio > 1
        return
    assert ratio == pytest.approx(expected, rel=1e-9)
    assert {i, j} <= set(range(len(atoms)))


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 6), pbc=st.tuples(*[st.booleans()] * 3))
def test_closest_contact_of_random_cells(seed, n, pbc):
    rng = np.random.default_rng(seed)
    cell = 3 * np.eye(3) + rng.uniform(-1, 1, size=(3, 3))
    atoms = Atoms(rng.choice(["H", "Si", "Cs"], n), rng.uniform(-5, 9, (n, 3)), cell=cell, pbc=pbc)
    radii = covalent_radii[atoms.numbers]
    few = _closest_of_few(atoms, radii, 2 * float(radii.max()))
    many = _closest_of_many(atoms, radii, 2 * float(radii.max()))
    if min(few[0], many[0]) <= 1:
        assert few[0] == pytest.approx(many[0], rel=1e-9)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("pbc", [True, False, (True, True, False)])
def test_followed_contacts_are_those_of_the_slow_search(size, pbc):
    rng = np.random.default_rng(0)
    atoms = bulk("NaCl", "rocksalt", a=5.2, cubic=True) * (size, size, size)
    atoms.pbc = pbc
    contacts, lists = Contacts(), []
    for step in range(60):
        atoms.positions += 0.05 * rng.normal(size=atoms.positions.shape)
        if step % 7 == 0:
            atoms.set_cell(atoms.cell.array @ (np.eye(3) * 0.99 + 0.01 * rng.normal(size=(3, 3))))
        if step == 40:
            atoms.wrap()
        ratio, i, j = contacts.closest(atoms)
        expected, k, m = closest_contact(atoms)
        assert ratio == pytest.approx(expected, rel=1e-9)
        assert math.isinf(ratio) or {i, j} == {k, m}
        lists.append(id(contacts._listed))
    assert len(set(lists)) < 60 / 2  # most steps measure listed pairs only


def test_listed_pairs_serve_another_trajectory_of_the_same_atoms_only():
    atoms = bulk("NaCl", "rocksalt", a=5.2, cubic=True) * (2, 2, 2)
    contacts = Contacts()
    contacts.closest(atoms)
    displaced = atoms.copy()
    displaced.positions[3] += (0.3, 0.2, 0.0)
    again = contacts.another(displaced)
    assert again.closest(displaced) == pytest.approx(closest_contact(displaced))
    assert again._listed is contacts._listed
    displaced.numbers[3] = 55  # a larger atom: other pairs are near
    other = contacts.another(displaced)
    assert other.closest(displaced) == pytest.approx(closest_contact(displaced))
    assert other.closest(displaced)[0] < again.closest(atoms)[0]


def moving_frames(temperatures, energies):
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    watcher = PhysicalCompanions()
    state = watcher.start(atoms)
    blank = np.ones((8, 2))
    rng = np.random.default_rng(0)
    for temperature, energy in zip(temperatures, energies, strict=True):
        momenta = rng.normal(size=(8, 3))
        atoms.set_momenta(momenta)
        atoms.set_momenta(momenta * math.sqrt(temperature / atoms.get_temperature()))
        frame = Frame(0, atoms, blank, blank, {"energy": energy}, moving=True)
        yield state, lambda frame=frame: {s.kind: s for s in watcher.examine(frame, state).signals}


def test_a_run_that_explodes_is_said_to_explode():
    # no thermostat is known: neither a melt nor a heating ramp alarms, 10^8 K does
    for temperatures, alarming in (
        (np.linspace(300, 5000, 300), False),
        ([300, 1e4 + 1], True),
        ([300, 1e8], True),
        ([300, 3000, 9000], True),  # within a few geometries
    ):
        looked = [look() for _, look in moving_frames(temperatures, np.zeros(len(temperatures)))]
        last = looked[-1]["exploding"]
        assert (last.level >= 1) == alarming
        assert "exploding" in last.message


def test_a_thermostat_says_how_hot_is_too_hot():
    levels = []
    for state, look in moving_frames([600, 1500], [0.0, -3.0]):
        state.heat.target = 300.0
        levels.append(look()["exploding"].level)
    # 8 atoms: 21 or 24 degrees of freedom, so that 300 K fluctuate by 31 % or 29 %
    assert levels[0] < 1 <= levels[1] < 1.5


def test_the_pair_named_is_the_pair_that_is_close():
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (3, 3, 3)
    atoms.positions[7] = atoms.positions[100] + [0.0, 0.0, 1.2]
    ratio, i, j = closest_contact(atoms)
    assert {i, j} == {7, 100}
    expected = get_distances(atoms.positions[7], atoms.positions[100])[1].item()
    assert ratio == pytest.approx(expected / covalent_radii[atoms.numbers[[7, 100]]].sum())


def test_no_pair_within_reach_is_infinitely_far():
    assert closest_contact(Atoms("He")) == (math.inf, -1, -1)
    assert closest_contact(Atoms("He2", [[0, 0, 0], [9, 0, 0]], cell=[50] * 3, pbc=True))[1] == -1


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 1e3), st.floats(-1e3, 1e3)), min_size=4, max_size=40))
def test_drift_meter_is_polyfit(points):
    times, energies = np.array(points).T
    if np.ptp(times) < 1e-3:
        return
    meter = DriftMeter()
    for time, energy in points:
        meter.add(time, energy)
    slope, intercept = np.polyfit(times, energies, 1)
    residuals = energies - slope * times - intercept
    size = np.abs(energies).max() + 1e-9
    assert meter.slope == pytest.approx(slope, rel=1e-5, abs=1e-6 * size / np.ptp(times))
    expected = math.sqrt((residuals**2).sum() / (len(times) - 2))
    assert meter.scatter == pytest.approx(expected, rel=1e-4, abs=1e-6 * size)


def test_drift_spans_the_time_of_uniform_sampling():
    meter = DriftMeter()
    for step in range(1001):
        meter.add(step / 100, 0.3 * step / 100)
    assert meter.drift == pytest.approx(3.0, rel=2e-3)
    assert math.isnan(DriftMeter().slope)


def test_a_drift_is_an_alarm_only_beyond_its_scatter():
    rng = np.random.default_rng(0)
    watcher, atoms = PhysicalCompanions(drift=1e-3), bulk("Cu")
    for slope, alarming in ((5e-3, True), (0.0, False)):
        state = watcher.start(atoms)
        for step in range(500):
            time = step * 2e-3
            state.drift.add(time, slope * time + rng.normal(scale=1e-4))
        frame = Frame(0, atoms, np.ones((1, 2)), np.ones((1, 2)), {})
        signals = {s.kind: s for s in watcher.examine(frame, state).signals}
        assert (signals["energy_drift"].level >= 1) == alarming


def test_what_is_not_finite_is_named_with_its_atoms():
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    forces = np.zeros((8, 3))
    forces[5, 1] = np.nan
    _, signals = examine(atoms, energy=np.nan, forces=forces)
    assert signals["non_finite"].level >= 1
    assert signals["non_finite"].atoms == (5,)
    assert "energy, forces" in signals["non_finite"].message
    _, signals = examine(atoms, energy=1.0, forces=np.zeros((8, 3)))
    assert signals["non_finite"].level == 0


def test_volume_counts_both_ways():
    atoms = bulk("Cu", cubic=True)
    state = PhysicalCompanions().start(atoms)
    for factor in (1.6, 1 / 1.6):
        other = atoms.copy()
        other.set_cell(atoms.cell * factor ** (1 / 3), scale_atoms=True)
        finding, signals = examine(other, state)
        assert finding.scalars["volume_ratio"] == pytest.approx(factor)
        assert signals["volume"].level == pytest.approx(math.log(1.6) / math.log(1.5))


def test_a_quiet_structure_raises_no_alarm():
    atoms = bulk("Cu", cubic=True)
    finding, signals = examine(
        atoms, energy=-1.0, forces=np.zeros((4, 3)), stress=np.eye(3) * units.GPa
    )
    assert max(signal.level for signal in signals.values()) < 1
    assert finding.scalars["stress_asymmetry"] == 0
    assert finding.scalars["max_force"] == 0
