import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.calculators.mixing import SumCalculator
from numpy.testing import assert_allclose

from platonic_ase import PlatonicCalculator, TorchEncoder, find_encoder
from platonic_ase.errors import CaptureError
from platonic_ase.testing import (
    CALCULATOR_CHECKS,
    ChargedMock,
    DirectForceMock,
    LazyMock,
    MockCalculator,
    MockEncoder,
    SilentMock,
    TwoPassMock,
    mock_anchors,
    pair_energy,
)
from platonic_ase.testing.calculator import check_model_is_found_in_sums, rattled


def salt():
    return bulk("NaCl", "rocksalt", a=5.6, cubic=True)


def alloy():
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[0] = "Au"
    return atoms


MOCKS = {
    "mock": MockCalculator,
    "lazy": LazyMock,
    "charged": ChargedMock,
    "direct": DirectForceMock,
}


@pytest.mark.parametrize("check", CALCULATOR_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "kind",
    [*MOCKS, "generic", "emt", "chgnet", pytest.param("sevennet", marks=pytest.mark.slow)],
)
def test_contract(check, kind, request, small_spaces):
    if kind == "lazy" and check is check_model_is_found_in_sums:
        pytest.skip("the mixer asks a lazy calculator once per property: see the test below")
    make_atoms = alloy if kind == "emt" else salt
    if kind in MOCKS:
        make_inner = MOCKS[kind]
    elif kind == "generic":
        make_inner = MockCalculator
    elif kind == "emt":
        make_inner = EMT
    else:
        loaded = request.getfixturevalue(kind)
        make_inner = lambda: loaded  # noqa: E731

    def encoder_of(inner):
        if kind == "generic":
            return TorchEncoder(inner, "model.plant", width=8)
        return find_encoder(inner)

    anchors, reference = small_spaces(kind, encoder_of(make_inner()), [make_atoms()])

    def make(**options):
        inner = make_inner()
        encoder = encoder_of(inner) if kind == "generic" else None
        return PlatonicCalculator(
            inner,
            anchors=anchors,
            reference=reference,
            encoder=encoder,
            **{"on_warning": "ignore", **options},
        )

    check(make, make_atoms)


def wrapped(inner, **options):
    anchors = mock_anchors(
        MockEncoder(inner if isinstance(inner, MockCalculator) else inner.mixer.calcs[0])
    )
    return PlatonicCalculator(inner, anchors=anchors, reference=None, **options)


@pytest.mark.parametrize(
    ("inner", "remedy"),
    [
        (SilentMock(), "eager mode"),
        (TwoPassMock(), "several times per geometry"),
        (SumCalculator([LazyMock(), LazyMock()]), "several times per geometry"),
    ],
    ids=["silent", "two passes", "lazy in a sum"],
)
def test_models_that_cannot_be_observed_are_refused_each_time(inner, remedy):
    calc, atoms = wrapped(inner), salt()
    atoms.calc = calc
    for _ in range(2):
        with pytest.raises(CaptureError, match=remedy):
            atoms.get_forces()
    assert calc.results == {}


def test_a_charge_that_changes_is_not_stale():
    atoms = rattled(salt())
    atoms.calc = wrapped(ChargedMock())
    neutral = atoms.get_potential_energy()
    forwards = atoms.calc.calculator.model.forwards
    assert atoms.get_potential_energy() == neutral
    assert atoms.calc.calculator.model.forwards == forwards
    atoms.info["charge"] = 2
    assert atoms.get_potential_energy() == pytest.approx(neutral + 2, abs=1e-12)
    atoms.info["charge"] = 0
    assert atoms.get_potential_energy() == neutral


def test_a_lazy_calculator_is_run_once():
    inner = LazyMock()
    atoms = rattled(salt())
    atoms.calc = wrapped(inner)
    atoms.get_stress()
    atoms.get_potential_energy()
    atoms.get_forces()
    assert inner.model.forwards == 1


def test_what_is_claimed_but_not_delivered_does_not_fail_a_run():
    class Boaster(LazyMock):
        implemented_properties = [*LazyMock.implemented_properties, "magmoms"]  # noqa: RUF012

        def calculate(self, atoms=None, properties=None, system_changes=()):
            super().calculate(atoms, properties, system_changes)
            if "magmoms" in properties:
                raise PropertyNotImplementedError("magmoms of this structure")

    atoms = rattled(salt())
    expected = MockCalculator().get_forces(atoms)
    atoms.calc = wrapped(Boaster())
    assert np.array_equal(atoms.get_forces(), expected)
    assert atoms.calc.diagnosis is not None
    with pytest.raises(PropertyNotImplementedError, match="of this structure"):
        atoms.get_magnetic_moments()
    assert np.array_equal(atoms.get_forces(), expected)


def test_results_after_a_failed_calculation_are_not_stale():
    class Fragile(MockCalculator):
        broken = False

        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            if self.broken:
                raise ZeroDivisionError("planned failure of the model")

    inner = Fragile()
    atoms = rattled(salt())
    atoms.calc = wrapped(inner)
    before = atoms.get_potential_energy()
    inner.broken = True
    atoms.positions[0, 0] += 0.1
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="of the model"):
            atoms.get_potential_energy()
    inner.broken = False
    assert atoms.get_potential_energy() != before


def test_mock_energy_is_the_analytic_one():
    for distance in (2.0, 2.5, 4.0, 5.5):
        dimer = Atoms("Na2", positions=[[0, 0, 0], [0, 0, distance]])
        calc = MockCalculator()
        assert calc.get_potential_energy(dimer) == pytest.approx(pair_energy(distance), abs=1e-14)


def test_mock_forces_and_stress_are_gradients():
    atoms = rattled(salt())
    atoms.calc = MockCalculator()
    assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, 1e-4), atol=1e-7)
    assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, 1e-5), atol=1e-8)
