"""Layers, chains and slabs: path, mesh and relaxation follow what is periodic; BORN; polarity."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene, mx2
from ase.calculators.emt import EMT

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.errors import StructureError
from platonic_ase.phonons import run_phonon
from platonic_ase.phonons.chemistry import is_polar
from platonic_ase.phonons.layers import (
    centre_layer,
    describe_openness,
    find_vacuum,
    flat_path,
    open_directions,
    open_vectors,
    strain_mask,
)
from platonic_ase.phonons.structure import choose_supercell
from platonic_ase.stability.run import doubled
from platonic_ase.testing import SpringCrystal, mock_anchors


def wrap(inner):
    return PlatonicCalculator(inner, anchors=mock_anchors(find_encoder(inner)), on_warning="ignore")


def sheet(pbc):
    atoms = graphene(a=2.46, vacuum=6.0)
    atoms.pbc = pbc
    atoms.positions[:, 2] += 5.9  # the face of the cell cuts it
    return atoms


def test_what_is_open():
    assert find_vacuum(sheet(True))[2] == pytest.approx(12)
    assert open_directions(sheet(True)).tolist() == [False, False, True]
    assert open_directions(sheet([True, True, False])).tolist() == [False, False, True]
    assert "12 Å of vacuum along c, although it is periodic" in describe_openness(sheet(True))
    assert "no periodicity along c" in describe_openness(sheet([True, True, False]))
    for solid in (bulk("Cs", "bcc", 6.1), bulk("NaCl", "rocksalt", 5.64), mx2(vacuum=1.5)):
        solid.pbc = True
        assert not open_directions(solid).any()
        assert describe_openness(solid) == ""
    box = Atoms("N2", [[0, 0, 0], [0, 0, 1.1]], cell=[20, 20, 20], pbc=True)
    assert not open_directions(box).any()  # no direction is left


def test_a_layer_is_moved_off_the_faces():
    atoms = mx2(vacuum=6.0)
    atoms.positions[:, 2] += 5.9
    atoms.wrap(pbc=True)
    centre_layer(atoms, np.array([False, False, True]))
    heights = atoms.get_scaled_positions()[:, 2]
    assert np.ptp(heights) * atoms.cell[2, 2] == pytest.approx(3.19, abs=0.02)
    assert heights.min() + heights.max() == pytest.approx(1)


def test_strains_of_a_layer_and_of_a_chain():
    assert strain_mask(bulk("Cu"), np.zeros(3, dtype=bool)) is None
    assert strain_mask(sheet(True), np.array([False, False, True])) == [1, 1, 0, 0, 0, 1]
    chain = Atoms("C2", [[0, 0, 0], [0, 1.3, 0]], cell=[12, 2.6, 12], pbc=True)
    assert strain_mask(chain, open_directions(chain)) == [0, 1, 0, 0, 0, 0]
    chain.rotate(30, "z", rotate_cell=True)
    assert strain_mask(chain, open_directions(chain)) == [0] * 6


def test_path_of_a_layer_of_a_rotated_cell():
    atoms = sheet(True)
    cell = atoms.cell.array[[2, 0, 1]]
    openly = open_vectors(cell, atoms, open_directions(atoms))
    assert openly.tolist() == [True, False, False]
    segments, names = flat_path(cell, openly, 5)
    assert names == ["Γ", "M", "K", "Γ"]
    assert all((segment[:, 0] == 0).all() for segment in segments)
    assert [len(segment) for segment in segments] == [5, 5, 5]


@pytest.mark.parametrize("pbc", [True, [True, True, False]])
def test_phonons_of_a_layer(pbc):
    given, calc = sheet(pbc), wrap(EMT())
    result = run_phonon(given, calc, supercell=(3, 3, 1), fmax=0.05, progress=False)
    assert result.atoms.cell[2, 2] == given.cell[2, 2]
    assert result.atoms.cell[0, 0] != given.cell[0, 0]
    assert result.atoms.pbc.tolist() == given.pbc.tolist()
    assert result.relaxation.pressure is None
    assert result.settings["mesh"][2] == 1 < result.settings["mesh"][0]
    assert [name for _, name in result.spectrum.bands.labels] == ["Γ", "M", "K", "Γ"]
    assert sum("of two dimensions" in remark for remark in result.remarks) == 1
    assert not any("is 12.0 Å wide" in remark for remark in result.remarks)
    assert {"layers", "coordination three"} <= set(result.risk.outside)
    base = calc.phonon_risk.imaginary.others.base
    assert result.risk.probability_imaginary == pytest.approx(base)
    low, high = result.risk.interval
    assert high - low > 0.3
    assert result.corrected.estimate.factor is None
    assert np.diag(choose_supercell(given))[2] == 1
    assert doubled(given) == (2, 2, 1)


@pytest.mark.parametrize(
    ("numbers", "polar"),
    [
        ([11, 17], True), ([31, 33], True), ([38, 22, 8, 8, 8], True), ([20, 9, 9], True),
        ([14, 14], False), ([28, 13], False), ([29, 30], False), ([29], False),
    ],
)  # fmt: skip
def test_polarity_by_valences(numbers, polar):
    assert is_polar(np.array(numbers)) is polar


BORN = "14.4\n2.4 0 0 0 2.4 0 0 0 2.4\n1.1 0 0 0 1.1 0 0 0 1.1\n-1.1 0 0 0 -1.1 0 0 0 -1.1\n"


def test_born_charges_split_longitudinal_modes(tmp_path):
    path = tmp_path / "BORN"
    path.write_text(BORN)
    calc = SpringCrystal()
    options = {"relax": False, "supercell": (2, 2, 2), "mesh": (5, 5, 5), "progress": False}
    plain = run_phonon(calc.structure(), wrap(calc), **options)
    polar = run_phonon(calc.structure(), wrap(calc), born=path, **options)
    assert sum("polar" in remark for remark in plain.remarks) == 1
    assert not any("polar" in remark for remark in polar.remarks)
    assert polar.settings["born_charges"] is True
    assert plain.settings["born_charges"] is False
    # beside Γ the longitudinal mode lies higher, the transverse ones stay
    near = [[0.001, 0.001, 0.0]]
    frequencies = []
    for result in (plain, polar):
        result.phonon.run_qpoints(near)
        frequencies.append(result.phonon.qpoints.frequencies[0])
    assert frequencies[1][5] > frequencies[0][5] + 0.5
    assert frequencies[1][3] == pytest.approx(frequencies[0][3], abs=0.01)


def test_a_file_that_is_no_born_file_is_refused(tmp_path):
    calc = SpringCrystal()
    path = tmp_path / "BORN"
    options = {"relax": False, "supercell": (2, 2, 2), "born": path, "progress": False}
    with pytest.raises(StructureError, match="no BORN file at"):
        run_phonon(calc.structure(), wrap(calc), **options)
    path.write_text("nonsense\n")
    with pytest.raises(StructureError, match="is no BORN file of"):
        run_phonon(calc.structure(), wrap(calc), **options)


@pytest.mark.slow
@pytest.mark.parametrize("bulk_crystal", [False, True])
def test_boron_nitride_is_not_corrected(chgnet, bulk_crystal):
    """Three neighbours each, in a layer or in a stack of them: CHGNet's own pack says nothing."""
    layer = graphene("BN", a=2.51, vacuum=6.0)
    if bulk_crystal:
        layer.cell[2] = [0, 0, 6.66]
        layer.positions[:, 2] = 1.665
        other = layer.copy()
        other.symbols = ["N", "B"]
        other.positions[:, 2] += 3.33
        layer += other
        layer.pbc = True
    calc = PlatonicCalculator(chgnet, on_warning="ignore")
    repeat = (3, 3, 1)
    result = run_phonon(layer, calc, supercell=repeat, relax=False, mesh=None, progress=False)
    assert "coordination three" in result.risk.outside
    assert "layers" in result.risk.outside
    assert result.corrected.estimate.factor is None
    assert result.risk.calibration == calc.phonon_risk.beyond.name
    low, high = result.risk.interval
    assert high - low > 0.3
    assert result.risk.probability_imaginary == calc.phonon_risk.beyond.imaginary.octet.base
