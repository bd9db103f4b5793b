import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

from platonic_ase.testing import MockCalculator, MockEncoder
from platonic_ase.workflows.audit import audit
from platonic_ase.workflows.conservation import closed_loop_work, force_constant_asymmetry
from platonic_ase.workflows.invariance import symmetry_error


class LinearForces(Calculator):
    """F = -K u about a reference, with any matrix K."""

    implemented_properties = ("energy", "forces")

    def __init__(self, atoms, matrix):
        super().__init__()
        self.start, self.matrix = atoms.positions.copy(), matrix

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        u = (self.atoms.positions - self.start).ravel()
        forces = -(self.matrix @ u).reshape(-1, 3)
        self.results = {"energy": 0.5 * u @ self.matrix @ u, "forces": forces}


class OrientedEncoder(MockEncoder):
    """An encoder that sees how the cell lies."""

    def combine(self, captured):
        array = captured[0].clone()
        vector = self.calculator.atoms.cell.array[0]
        array[:, :3] += 0.1 * array.new_tensor(vector / np.linalg.norm(vector))
        return array


def pair():
    return Atoms("Si2", [[0, 0, 0], [2.3, 0, 0]], cell=[6, 6, 6], pbc=True)


def matrices():
    rng = np.random.default_rng(0)
    any_matrix = rng.normal(size=(6, 6))
    return any_matrix + any_matrix.T, any_matrix - any_matrix.T


def test_symmetric_force_constants_are_conservative():
    symmetric, _ = matrices()
    calculator = LinearForces(pair(), symmetric)
    constants = force_constant_asymmetry(calculator, pair())
    loop = closed_loop_work(calculator, pair())
    assert constants.relative < 1e-12
    assert constants.conservative
    assert abs(loop.work) < 1e-12
    assert loop.quadrature < 1e-12


def test_asymmetric_force_constants_are_measured_exactly():
    symmetric, skew = matrices()
    matrix = symmetric + skew
    constants = force_constant_asymmetry(LinearForces(pair(), matrix), pair())
    expected = np.linalg.norm(matrix - matrix.T) / np.linalg.norm(matrix)
    assert constants.relative == pytest.approx(expected, rel=1e-10)
    assert constants.largest == pytest.approx(np.abs(2 * skew).max(), rel=1e-10)
    rows = matrix.T.reshape(2, 3, 2, 3)  # the response of all forces to each displacement
    assert constants.acoustic_sum == pytest.approx(np.abs(rows.sum(axis=2)).max(), rel=1e-10)
    assert not constants.conservative


def test_work_around_a_loop_is_that_of_the_skew_part():
    symmetric, skew = matrices()
    only, both, double = (
        closed_loop_work(LinearForces(pair(), m), pair()).work
        for m in (skew, symmetric + skew, 2 * skew)
    )
    assert abs(only) > 1e-4
    assert both == pytest.approx(only, rel=1e-10)
    assert double == pytest.approx(2 * only, rel=1e-10)


def test_only_the_atoms_asked_for_are_displaced():
    symmetric, _ = matrices()
    constants = force_constant_asymmetry(LinearForces(pair(), symmetric), pair(), displaced=[1])
    assert constants.displaced == (1,)


def test_an_invariant_model_is_called_so():
    found = symmetry_error(MockEncoder(MockCalculator()), bulk("Si", cubic=True))
    assert found.invariant
    assert max(found.rotation, found.inversion, found.permutation) < 1e-10
    assert found.forces < 1e-10
    assert found.sites["Si (8 atoms)"] < 1e-10


def test_a_planted_site_difference_is_measured_exactly():
    size = 0.03
    encoder = MockEncoder(MockCalculator(symmetry_error=size))
    found = symmetry_error(encoder, bulk("Si", cubic=True))
    planted = np.sqrt(8) * size  # of either sign, beside a unit vector
    assert found.sites["Si (8 atoms)"] == pytest.approx(
        2 * planted / np.sqrt(1 + planted**2), rel=1e-6
    )


def test_a_model_that_sees_the_orientation_is_found_out():
    found = symmetry_error(OrientedEncoder(MockCalculator()), bulk("Si", cubic=True))
    assert 0.01 < found.rotation <= 0.2 / np.sqrt(1 - 0.2)
    assert not found.invariant
    assert found.energy < 1e-10


def test_audit_reports_in_words_and_in_json():
    report = audit(MockCalculator(), bulk("Si", cubic=True))
    assert "invariant under rotations: yes" in str(report)
    assert "forces are a gradient: yes" in str(report)
    assert "equivalent Si (8 atoms)" in str(report)
    assert json.loads(json.dumps(report.to_dict()))["structure"] == "Si8 (8 atoms)"
