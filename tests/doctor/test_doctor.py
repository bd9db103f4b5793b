"""The doctor against models whose defects are known, and crystals whose answer is."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from rich.console import Console

from platonic_ase.doctor import Examination, Finding, Verdict, examine, quick_look
from platonic_ase.doctor.derivatives import check_forces, check_stress
from platonic_ase.doctor.frames import labelled_frames
from platonic_ase.doctor.table import print_examination
from platonic_ase.doctor.textbook import CRYSTALS, Crystal, check_crystals, equation_of_state

METALS = frozenset({13, 29, 47, 78})


class Changed(Calculator):
    """EMT whose results are changed after the fact."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, **changes):
        super().__init__()
        self._inner, self._changes = EMT(), changes

    def calculate(self, atoms=None, properties=(), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        for name in self.implemented_properties:
            value = self._inner.get_property(name, atoms)
            self.results[name] = self._changes.get(name, lambda same: same)(value)


def strained():
    atoms = bulk("Cu", "fcc", a=0.97 * 3.6, cubic=True)
    atoms.rattle(0.05, seed=0)
    return atoms


def test_sound_derivatives_pass():
    assert check_forces(EMT(), strained()).verdict is Verdict.SOUND
    assert check_stress(EMT(), strained()).verdict is Verdict.SOUND


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda f: 1.1 * f, Verdict.NOTE),
        (lambda f: -f, Verdict.WRONG),
        (lambda f: f / (units.Hartree / units.Bohr), Verdict.WRONG),
    ],
)
def test_forces_that_are_no_gradient_are_found(change, verdict):
    assert check_forces(Changed(forces=change), strained()).verdict is verdict


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s / units.GPa, "it is in GPa"),
        (lambda s: -s, "its sign is reversed"),
        (lambda s: 1.5 * s, "no strain derivative"),
        (lambda s: s[:3], "ASE reads no other"),
    ],
)
def test_units_sign_and_order_of_the_stress_are_told(change, said):
    found = check_stress(Changed(stress=change), strained())
    assert found.verdict is Verdict.WRONG
    assert said in found.meaning


def test_a_matrix_is_read_as_ase_reads_it():
    def matrix(s):
        return s[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]

    assert check_stress(Changed(stress=matrix), strained()).verdict is Verdict.SOUND


def test_equation_of_state_of_a_lennard_jones_crystal():
    """Nearest neighbours only: the minimum is that of the pair."""
    sigma, epsilon = 2.5, 0.4
    model = LennardJones(sigma=sigma, epsilon=epsilon, rc=1.3 * sigma, smooth=False)
    found, modulus = equation_of_state(model, Crystal("Cu", "fcc", 3.8, 100.0))
    spacing = 2 ** (1 / 6) * sigma
    assert found == pytest.approx(np.sqrt(2) * spacing, rel=1e-3)
    # 6 bonds an atom of curvature 72 epsilon / r0², a volume of r0³ / sqrt(2): B = E'' r0² / 9 V
    expected = 6 * 72 * epsilon / (9 * spacing**3 / np.sqrt(2)) / units.GPa
    assert modulus == pytest.approx(expected, rel=0.02)


def test_emt_knows_its_metals_and_is_not_asked_for_others():
    constants, moduli = check_crystals(EMT(), METALS)
    assert [row["crystal"] for row in constants.values["crystals"]] == ["Al", "Cu", "Ag", "Pt"]
    assert constants.verdict is Verdict.SOUND
    assert moduli.verdict is Verdict.SOUND


def test_a_model_without_minima_is_wrong():
    repulsive = LennardJones(sigma=6.0, epsilon=1.0, rc=9.0)
    constants, _ = check_crystals(repulsive, METALS)
    assert constants.verdict is Verdict.WRONG


def test_a_wrong_model_is_called_wrong_and_a_sound_part_is_not():
    found = quick_look(Changed(stress=lambda s: s / units.GPa), "wrong units", elements=METALS)
    assert [each.check for each in found.wrong] == ["stress against strain derivatives"]
    assert "wrong units is wrong" in str(found)
    assert examine(EMT(), elements=METALS).verdict is Verdict.SOUND
    assert quick_look(EMT(), elements=frozenset({1})).verdict is Verdict.SKIPPED


def test_the_verdict_is_red():
    wrong = Finding("forces", "off", "right", Verdict.WRONG, "units", {})
    console = Console(record=True, width=100, force_terminal=True)
    print_examination(Examination("model", (wrong,), 1.0), console)
    text = console.export_text(styles=True)
    assert "\x1b[1;31mverdict: DO NOT USE" in text


def test_frames_are_small_labelled_and_away_from_equilibrium():
    frames = labelled_frames()
    assert len(frames) == 30
    assert max(map(len, frames)) <= 8
    for atoms in frames:
        forces = atoms.arrays["dft_forces"]
        assert forces.shape == (len(atoms), 3)
        assert np.linalg.norm(forces, axis=1).mean() > 0.1
        assert np.abs(forces.sum(axis=0)).max() < 0.1


def test_a_dozen_crystals():
    assert len(CRYSTALS) == 12
