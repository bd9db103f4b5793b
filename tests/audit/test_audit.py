import json
import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

from platonic_ase import PlatonicCalculator
from platonic_ase.audit import audit, audit_run
from platonic_ase.audit.conservation import closed_loop_work, force_constant_asymmetry
from platonic_ase.audit.invariance import symmetry_error
from platonic_ase.errors import LogError
from platonic_ase.report.audit import write_audit
from platonic_ase.report.reader import read_log
from platonic_ase.report.report import write_report
from platonic_ase.testing import DirectForceMock, MockCalculator, MockEncoder, mock_anchors


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


def turned(atoms):
    vector = atoms.cell.array[0]
    return abs(vector[0]) < 0.999 * np.linalg.norm(vector)


class OrientedEncoder(MockEncoder):
    """Its unit embeddings gain a component on an axis of its own where the cell is turned."""

    size = 0.07

    def combine(self, captured):
        array = captured[0].clone()
        array[:, -1] += self.size * turned(self.calculator.atoms)
        return array


class OrientedMock(MockCalculator):
    """Its energy is higher by 2 meV an atom where the cell is turned."""

    def _evaluate(self, atoms):
        results = super()._evaluate(atoms)
        results["energy"] += 0.002 * len(atoms) * turned(atoms)
        return results


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


def test_a_planted_dependence_on_orientation_is_measured_exactly():
    found = symmetry_error(OrientedEncoder(OrientedMock()), bulk("Si", cubic=True))
    assert found.rotation == pytest.approx(OrientedEncoder.size, rel=1e-6)
    assert found.energy == pytest.approx(0.002, rel=1e-6)
    assert not found.invariant
    assert max(found.translation, found.inversion, found.permutation) < 1e-10
    assert found.rounding.embeddings < 1e-10


def test_calculations_are_counted():
    done = []
    symmetry_error(
        MockEncoder(MockCalculator()), bulk("Si"), rotations=2, done=lambda: done.append(1)
    )
    assert len(done) == 4 + 3 + 2


def kept(report):
    return {law.name: law.holds for law in report.laws}


def test_a_lawful_model_keeps_all_laws():
    report = audit(MockCalculator(), bulk("Si", cubic=True))
    assert len(report.laws) == 6
    assert report.broken == ()
    assert all(found.holds for found in report.departures)
    assert "invariance under rotations: yes" in str(report)
    assert "equivalent Si (8 atoms)" in str(report)
    assert json.loads(json.dumps(report.to_dict()))["structure"] == "Si8 (8 atoms)"


@pytest.mark.parametrize(
    ("calculator", "encoder", "law"),
    [
        (MockCalculator(symmetry_error=0.01), MockEncoder, "invariance under rotations"),
        (MockCalculator(), OrientedEncoder, "invariance under rotations"),
    ],
)
def test_a_planted_defect_breaks_its_law_only(calculator, encoder, law):
    report = audit(calculator, bulk("Si", cubic=True), encoder=encoder(calculator))
    broken = {name for name, holds in kept(report).items() if not holds}
    # a planted difference of sites goes by the order of the atoms
    assert broken - {"independence of the order of atoms"} == {law}
    assert report.broken[0].meaning in str(report)
    assert f"{law}: NO" in str(report)


def test_forces_that_are_no_gradient_break_that_law():
    start = pair().positions

    class Skewed(MockCalculator):
        def _evaluate(self, atoms):
            results = super()._evaluate(atoms)
            first, second = atoms.positions - start
            push = np.cross([0, 0, 1.0], first - second)  # a curl, and no net force
            results["forces"] = results["forces"] + np.array([push, -push])
            return results

    report = audit(Skewed(), pair())
    laws = kept(report)
    assert not laws["forces as the gradient of an energy"]
    assert laws["a smooth energy"]
    assert laws["independence of the order of atoms"]
    for other in report.other_steps:  # a curl is one at any step
        assert other.relative == pytest.approx(report.force_constants.relative, rel=0.1)


def three():
    return Atoms("Si3", [[0, 0, 0], [2.3, 0, 0], [2.9, 2.2, 0]], cell=[8, 8, 8], pbc=True)


class Kinked(MockCalculator):
    """Its energy has a crease, as where a bond leaves a cutoff."""

    def _evaluate(self, atoms):
        results = super()._evaluate(atoms)
        first, second, third = atoms.positions
        bonds = second - first, third - second
        lengths = [np.linalg.norm(bond) for bond in bonds]
        rest = [2.3, np.hypot(0.6, 2.2)]
        fold = lengths[0] - rest[0] + 0.3 * (lengths[1] - rest[1])
        pull = 0.01 * np.sign(np.round(fold, 10))
        one, two = pull * bonds[0] / lengths[0], 0.3 * pull * bonds[1] / lengths[1]
        results["energy"] += pull * fold
        results["forces"] = results["forces"] + np.array([one, two - one, -two])
        return results


def test_a_kink_is_not_taken_for_forces_that_are_no_gradient():
    report = audit(Kinked(), three())
    assert [law.name for law in report.broken] == ["a smooth energy"]
    assert [each.step for each in report.other_steps] == [0.0025, 0.06]
    closer, farther = report.other_steps
    assert report.force_constants.relative > 0.01
    assert closer.size / report.force_constants.size == pytest.approx(4, rel=0.1)
    assert report.force_constants.size / farther.size == pytest.approx(6, rel=0.2)
    assert "a smooth energy: NO" in str(report)
    assert "at two displacements" in str(report)


def test_rounding_is_not_taken_for_a_kink():
    class Noisy(MockCalculator):
        def _evaluate(self, atoms):
            results = super()._evaluate(atoms)
            seed = abs(hash(atoms.positions.tobytes()))
            noise = np.random.default_rng(seed).normal(size=(len(atoms), 3))
            results["forces"] = results["forces"] + 2e-3 * noise
            return results

    report = audit(Noisy(), three())
    assert report.other_steps
    assert kept(report)["a smooth energy"]
    assert kept(report)["forces as the gradient of an energy"]


@pytest.mark.slow
@pytest.mark.parametrize(("symbol", "a"), [("Sr", 3.94), ("Ba", 4.03)])
def test_chgnet_is_rough_on_titanates_and_conserves_energy(symbol, a, chgnet):
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    atoms = Atoms(f"{symbol}TiO3", scaled_positions=sites, cell=[a] * 3, pbc=True)
    report = audit(chgnet, atoms)
    assert [law.name for law in report.broken] == ["a smooth energy"]
    assert report.loop.relative < 0.01


def test_forces_that_do_not_turn_with_the_crystal_break_the_rotation_law():
    report = audit(DirectForceMock(push=(0.1, 0, 0)), bulk("Si", cubic=True))
    turned = next(found for found in report.departures if found.label == "forces, rotated")
    assert not turned.holds
    assert 0.01 < turned.value <= 0.2
    assert [law.name for law in report.broken] == ["invariance under rotations"]
    assert report.symmetry.invariant


def test_departures_stand_beside_their_rounding():
    report = audit(MockCalculator(symmetry_error=0.01), bulk("Si", cubic=True))
    by_label = {found.label: found for found in report.departures}
    sites = by_label["equivalent Si (8 atoms)"]
    assert sites.value == report.symmetry.sites["Si (8 atoms)"]
    assert sites.value > 1e6 * sites.rounding
    assert all(found.rounding > 0 for found in report.departures)
    asymmetry = by_label["asymmetry of force constants at 0.01 Å"]
    assert asymmetry.value < 1e-3


def wrapped(calculator, **options):
    return PlatonicCalculator(
        calculator,
        anchors=mock_anchors(MockEncoder(calculator)),
        reference=None,
        on_warning="ignore",
        **options,
    )


def test_audit_of_a_run_is_in_its_log_and_report(tmp_path):
    atoms = bulk("Si", cubic=True)
    with wrapped(MockCalculator(symmetry_error=0.01), log=tmp_path / "run.jsonl") as calc:
        report = audit_run(calc, atoms)
        assert calc.diagnosis is None
        atoms.calc = calc
        atoms.get_forces()
    (run,) = read_log(tmp_path / "run.jsonl")
    assert run.damaged == 0
    assert len(run.geometries) == 1
    assert [law["name"] for law in run.audit["laws"]] == [law.name for law in report.laws]
    stored = run.audit["departures"][0]
    assert stored["value"] == pytest.approx(report.departures[0].value, rel=1e-6)
    html = write_report(tmp_path / "run.jsonl", tmp_path / "run.html").read_text()
    assert "What the model gets wrong by construction" in html
    assert "Not kept: invariance under rotations" in html
    assert "equivalent Si (8 atoms)" in html


def test_audit_changes_no_result_of_the_run():
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.05, seed=0)
    expected = MockCalculator().get_forces(atoms)
    calc = wrapped(MockCalculator())
    atoms.calc = calc
    atoms.get_forces()
    audit_run(calc, bulk("Si"))
    assert np.array_equal(atoms.get_forces(), expected)
    assert np.array_equal(calc.get_forces(atoms), expected)
    assert calc.summary().diagnosed == 1


def test_page_of_its_own_is_complete_and_self_contained(tmp_path):
    report = audit(DirectForceMock(), bulk("Si", cubic=True))
    page = write_audit(report.to_dict(), tmp_path / "audit.html").read_text()
    assert page.count("data-chart=") == 1
    assert not re.search(r"(src|href)=\"(?!#)", page)
    for found in report.departures:
        assert found.label in page
    with pytest.raises(LogError, match="cannot write the report"):
        write_audit(report.to_dict(), tmp_path / "audit.html" / "below.html")
