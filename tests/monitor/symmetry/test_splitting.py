import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.constraints import FixSymmetry
from ase.optimize import BFGS, FIRE

from platonic_ase import OrbitSplitting, PlatonicCalculator
from platonic_ase.errors import SymmetryWarning
from platonic_ase.monitor.frame import Frame
from platonic_ase.monitor.symmetry import breaking, splitting
from platonic_ase.monitor.symmetry.orbits import find_orbits, fractional_shift
from platonic_ase.monitor.symmetry.sites import astray
from platonic_ase.monitor.symmetry.subgroups import identify_breaking
from platonic_ase.testing import (
    DirectForceMock,
    DoubleWellCrystal,
    GeometricEncoder,
    MockCalculator,
    MockEncoder,
    SpringEncoder,
    mock_anchors,
)


def salt():
    return bulk("NaCl", "rocksalt", a=5.6, cubic=True)


def wrapped(inner, encoder=None, **options):
    options = {"diagnostics": [OrbitSplitting()], "on_warning": "ignore", **options}
    encoder = encoder or MockEncoder(inner)
    return PlatonicCalculator(
        inner, encoder=encoder, anchors=mock_anchors(encoder), reference=None, **options
    )


@pytest.mark.parametrize("size", [1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("repeat", [1, 2])
def test_the_planted_error_is_recovered(size, repeat):
    atoms = salt() * (repeat, 1, 1)
    calc = wrapped(MockCalculator(symmetry_error=size))
    calc.get_potential_energy(atoms)
    assert calc.diagnosis.scalars["model_symmetry_error"] == pytest.approx(size, rel=0.1)
    by_orbit = calc.diagnosis.series["orbit_splitting_by_orbit"]
    assert by_orbit == pytest.approx((size, size), rel=0.1)


def test_the_error_is_the_models_only_above_the_bound():
    for size, alarms in ((5e-4, 0), (2e-3, 1)):
        events = []
        calc = wrapped(MockCalculator(symmetry_error=size), on_warning=events.append)
        calc.get_potential_energy(salt())
        assert len(events) == alarms
    event = events[0]
    assert event.kind == "model_symmetry"
    assert event.signal.category is SymmetryWarning
    assert len(event.atoms) == 2
    assert "Fm-3m (225)" in str(event)
    assert "atoms into 2 and 2" in str(event)


def test_an_invariant_model_has_no_error():
    calc = wrapped(MockCalculator())
    calc.get_potential_energy(salt())
    assert calc.diagnosis.scalars["model_symmetry_error"] < 1e-12


def test_a_rattled_structure_is_not_blamed_on_the_model():
    calc, atoms = wrapped(MockCalculator(symmetry_error=0.01)), salt()
    calc.get_potential_energy(atoms)
    atoms.rattle(0.02, seed=0)
    calc.get_potential_energy(atoms)
    assert "model_symmetry_error" not in calc.diagnosis.scalars
    assert calc.diagnosis.scalars["asymmetry"] > 0.01


def displaced(amount):
    atoms = salt()
    atoms.positions[0, 2] += amount
    return atoms


def well(depth, **options):
    inner = DoubleWellCrystal(depth)
    return wrapped(inner, SpringEncoder(inner), **options)


@pytest.mark.parametrize("optimizer", [FIRE, BFGS])
@pytest.mark.parametrize(("depth", "alarms"), [(2.0, 1), (-1.0, 0)])
def test_a_relaxation_that_breaks_is_announced(optimizer, depth, alarms):
    events = []
    calc, atoms = well(depth, on_warning=events.append), salt()
    calc.reset_reference(salt())
    atoms.rattle(0.01, seed=1)
    atoms.calc = calc
    assert optimizer(atoms, logfile=None).run(fmax=1e-3, steps=200)
    assert [event.kind for event in events] == ["symmetry_breaking"] * alarms
    moved = np.abs(atoms.positions - salt().positions).max() > 0.1
    assert moved == bool(alarms)
    if alarms:
        assert "0.3 " not in str(events[0])  # well before the atoms have arrived
        assert "R3m (160)" in str(events[0])
        assert calc.diagnosis.facts["symmetry"]["limits"]["asymmetry_curvature"] == -0.03


@pytest.mark.parametrize(("depth", "width", "alarms"), [(2.0, 0.01, 0), (0.08, 0.3, 1)])
def test_a_dent_is_no_breaking_however_steep_and_a_slow_breaking_is_one(depth, width, alarms):
    events = []
    inner = DoubleWellCrystal(depth, width)
    calc, atoms = wrapped(inner, SpringEncoder(inner), on_warning=events.append), salt()
    calc.reset_reference(salt())
    atoms.rattle(0.01, seed=1)
    atoms.calc = calc
    lowest = []
    optimizer = FIRE(atoms, logfile=None)
    optimizer.attach(lambda: lowest.append(calc.diagnosis.scalars.get("asymmetry_curvature", 0.0)))
    optimizer.run(fmax=1e-3, steps=300)
    assert min(lowest) < -0.05  # the energy falls in both
    assert len(events) == alarms


def test_the_subgroup_is_sought_when_an_alarm_rises_and_not_while_it_stays(monkeypatch):
    calls = []

    def counted(*args):
        calls.append(args)
        return identify_breaking(*args)

    monkeypatch.setattr(breaking, "identify_breaking", counted)
    calc, atoms = well(2.0), salt()
    calc.reset_reference(salt())
    up = 0
    for amount in 0.01 * np.arange(1, 30):
        atoms.positions = salt().positions
        atoms.positions[atoms.symbols == "Cl", 2] += amount
        calc.get_potential_energy(atoms)
        up += bool(calc.diagnosis.alarms)
    assert up > 20
    assert len(calls) == 1


def test_displacements_that_restore_raise_no_alarm():
    events = []
    calc, atoms = wrapped(MockCalculator(), on_warning=events.append), salt()
    calc.reset_reference(salt())
    for amount in 0.01 * 1.5 ** np.arange(5):
        atoms.positions = displaced(amount).positions
        calc.get_potential_energy(atoms)
        assert calc.diagnosis.scalars["asymmetry_curvature"] > 0
    assert events == []


def test_broken_order_in_a_trajectory_is_named_with_its_subgroup():
    events = []
    calc, atoms = well(2.0, on_warning=events.append), salt()
    atoms.set_momenta(np.full((8, 3), 0.1))
    calc.get_potential_energy(atoms)
    rng = np.random.default_rng(0)
    order = np.where((atoms.symbols == "Cl")[:, None], 0.15, -0.15) * np.ones(3)
    for _ in range(500):
        atoms.positions = salt().positions + order + rng.normal(scale=0.1, size=(8, 3))
        atoms.set_momenta(rng.normal(size=(8, 3)))
        calc.get_potential_energy(atoms)
    assert [event.kind for event in events] == ["symmetry_breaking"]
    assert "R3m (160)" in str(events[0])
    assert calc.diagnosis.scalars["symmetry_evidence"] > -np.log10(0.005)


@pytest.mark.parametrize(("order", "alarms"), [(0.02, False), (0.05, True)])
def test_an_average_counts_against_the_vibrations(order, alarms):
    """0.035 Å is significant, but what vibrations of 0.18 Å that keep in step may leave."""
    diagnostic, atoms = OrbitSplitting(), salt()
    state = diagnostic.start(atoms)
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, size=(8, 3))
    shift = np.where((atoms.symbols == "Cl")[:, None], order, -order)
    levels = []
    for step in range(600):
        atoms.positions = salt().positions + shift + 0.15 * np.sin(0.37 * step + phases)
        blank = np.zeros((8, 1))
        frame = Frame(
            atoms=atoms, embeddings=blank, platonic=blank, results={}, moving=True, index=step
        )
        signals = diagnostic.examine(frame, state).signals
        levels += [each.level for each in signals if each.kind == "symmetry_breaking"]
    assert state.evidence.log_evidence > -np.log(0.005)
    assert (max(levels) >= 1) == alarms


def test_thermal_motion_raises_no_breaking_event():
    events = []
    calc, atoms = well(-2.0, on_warning=events.append), salt()
    atoms.set_momenta(np.full((8, 3), 0.1))
    rng = np.random.default_rng(0)
    for _ in range(300):
        atoms.positions = salt().positions + rng.normal(scale=0.1, size=(8, 3))
        atoms.set_momenta(rng.normal(size=(8, 3)))
        calc.get_potential_energy(atoms)
    assert events == []


def test_a_probability_is_needed():
    with pytest.raises(ValueError, match=r"false_alarms = 2\.0"):
        OrbitSplitting(false_alarms=2.0)


def test_a_molten_orbit_has_left_its_sites():
    events = []
    calc, atoms = wrapped(MockCalculator(), on_warning=events.append), salt() * (2, 2, 2)
    atoms.set_momenta(np.full((len(atoms), 3), 0.1))
    calc.get_potential_energy(atoms)
    atoms.rattle(1.0, seed=1)
    atoms.set_momenta(-atoms.get_momenta())
    calc.get_potential_energy(atoms)
    assert [event.kind for event in events] == ["left_sites"]
    assert "nearer to another, as in melting" in str(events[0])


def test_wide_swings_are_not_called_melting():
    events = []
    calc, atoms = wrapped(MockCalculator(), on_warning=events.append), salt() * (2, 2, 2)
    atoms.set_momenta(np.full((len(atoms), 3), 0.1))
    calc.get_potential_energy(atoms)
    away = 0.24 * 2.8 * np.random.default_rng(0).choice([-1, 1], size=(len(atoms), 3)) / 3**0.5
    atoms.positions += away
    atoms.set_momenta(-atoms.get_momenta())
    calc.get_potential_energy(atoms)
    assert [event.kind for event in events] == ["left_sites"]
    assert "each still nearest to its own" in str(events[0])


@pytest.mark.parametrize("wandered", [0.0, 0.9])
def test_atoms_nearer_to_another_site_are_counted(wandered):
    reference = salt() * (2, 1, 1)
    orbits, atoms = find_orbits(reference), reference.copy()
    atoms.positions[3] += 0.6 * reference.get_distance(3, 2, mic=True, vector=True)
    atoms.positions += wandered * reference.cell[0]  # the crystal as a whole
    atoms.set_cell(1.02 * atoms.cell, scale_atoms=True)
    shift = fractional_shift(orbits, atoms)
    everyone = np.arange(len(atoms))
    assert astray(orbits, atoms.cell.array, shift, everyone) == 1
    assert astray(orbits, atoms.cell.array, shift, everyone[everyone != 3]) == 0


def test_raw_forces_show_what_fix_symmetry_hides():
    atoms = salt()
    calc = wrapped(DirectForceMock((0.02, 0.0, 0.0)), diagnostics="default")
    atoms.calc = calc
    atoms.set_constraint(FixSymmetry(atoms))
    assert np.abs(atoms.get_forces()).max() < 1e-9
    assert calc.diagnosis.scalars["net_force"] == pytest.approx(0.02, rel=1e-9)


def test_a_relaxation_heals():
    events = []
    atoms = bulk("Cu", cubic=True, a=3.6)
    encoder = GeometricEncoder(EMT())
    calc = PlatonicCalculator(
        encoder.calculator,
        anchors=mock_anchors(encoder),
        reference=None,
        diagnostics=[OrbitSplitting()],
        on_warning=events.append,
    )
    calc.reset_reference(atoms)
    atoms.rattle(0.02, seed=0)
    atoms.calc = calc
    assert BFGS(atoms, logfile=None).run(fmax=1e-4, steps=60)
    assert calc.diagnosis.scalars["asymmetry"] < 1e-3
    assert calc.summary().worst["asymmetry"] > 1e-2
    assert events == []


def test_a_copy_of_a_structure_without_symmetry_is_searched_when_it_goes_on(monkeypatch):
    searched = []
    find = splitting.find_orbits
    monkeypatch.setattr(
        splitting, "find_orbits", lambda atoms, symprec: searched.append(1) or find(atoms, symprec)
    )
    calc = wrapped(MockCalculator())
    rattled, other = salt(), salt()
    rattled.rattle(0.05, seed=1)
    other.rattle(0.05, seed=2)
    for k in range(4):
        copy = rattled.copy()
        copy.positions[k, 0] += 0.01 * (k > 0)
        calc.get_forces(copy)
    assert len(searched) == 1
    copy.positions[5, 1] += 0.01
    calc.get_forces(copy)  # its history goes on
    assert len(searched) == 2
    calc.get_forces(other)  # no copy
    assert len(searched) == 3
