"""Phonons with a real model: small supercells, seconds each."""

from pathlib import Path

import numpy as np
import phonopy
import pytest
from ase.build import bulk
from phonopy.file_IO import parse_FORCE_SETS

from platonic_ase import PlatonicCalculator
from platonic_ase.phonons import assess_phonopy, run_phonon
from platonic_ase.phonons.structure import to_ase
from platonic_ase.testing import mock_anchors

DATA = Path(__file__).parents[3] / "shared" / "data" / "phonopy_dft"

pytestmark = [pytest.mark.slow, pytest.mark.backend("chgnet")]


@pytest.fixture
def calc(chgnet):
    from platonic_ase import find_encoder

    return PlatonicCalculator(
        chgnet, anchors=mock_anchors(find_encoder(chgnet)), reference=None, on_warning="ignore"
    )


@pytest.mark.parametrize(
    ("atoms", "highest"),
    # measured at Γ: Si 15.5 THz (Dolling 1963), NaCl LO 7.9, TO 4.9 THz (Raunio 1969)
    [
        (bulk("Si", "diamond", a=5.43), 15.5),
        (bulk("NaCl", "rocksalt", a=5.64), 6.0),
    ],
    ids=["Si", "NaCl"],
)
def test_phonons_of_chgnet(calc, atoms, highest):
    result = run_phonon(atoms, calc, supercell=(2, 2, 2), mesh=(9, 9, 9), progress=False)
    assert result.ended == "finished"
    assert result.relaxation.converged
    assert result.relaxation.space_group == result.relaxation.space_group_before
    assert result.residual_force < 1e-3
    assert not any(event.kind == "loose_relaxation" for event in result.events)
    assert not result.spectrum.imaginary
    # foundation models are too soft, by up to some 40 %
    assert 0.55 * highest < result.spectrum.quantiles[-1] < 1.15 * highest
    assert 0 < result.features.locality < 1
    assert result.features.neighbour_share > 0.5


def test_a_rough_surface_warns_at_a_small_displacement_only(calc):
    small, usual = (
        run_phonon(
            bulk("NaCl", "rocksalt", a=5.64),
            calc,
            supercell=(2, 2, 2),
            displacement=displacement,
            mesh=(9, 9, 9),
            progress=False,
        )
        for displacement in (0.01, 0.03)
    )
    assert [event.kind for event in usual.events] == []
    assert not usual.spectrum.imaginary
    # CHGNet's curvature at 0.01 Å is less than half of that at 0.03 Å: those phonons are wrong, and
    # some of them imaginary
    assert [event.kind for event in small.events] == ["phonon_error", "imaginary_modes"]
    assert small.spectrum.imaginary
    assert small.spectrum.quantiles[-1] < 0.9 * usual.spectrum.quantiles[-1]
    # and the model's own pack is for 0.03 Å
    risks = [result.to_dict()["risk"] for result in (small, usual)]
    assert [risk["calibration"].startswith("universal") for risk in risks] == [True, False]
    assert [risk["outside"] for risk in risks] == [[], []]


@pytest.mark.parametrize("name", ["NaCl", "MgO"])
def test_forces_against_dft(calc, name):
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"no DFT forces at {folder}: they are not part of the repository")
    dft = phonopy.load(
        folder / "phonopy_disp.yaml", force_sets_filename=folder / "FORCE_SETS", log_level=0,
        produce_fc=False,
    )  # fmt: skip
    sets = parse_FORCE_SETS(filename=folder / "FORCE_SETS")["first_atoms"]
    expected = np.array([each["forces"] for each in sets])
    made = dft.replicate()
    made.dataset = {
        "natom": len(dft.supercell),
        "first_atoms": [
            {"number": each["number"], "displacement": each["displacement"]} for each in sets
        ],
    }
    result = assess_phonopy(made, calc, mesh=(9, 9, 9), progress=False)
    forces = np.array(result.phonon.forces)
    cosine = (forces * expected).sum() / np.linalg.norm(forces) / np.linalg.norm(expected)
    assert cosine > 0.9
    # restoring force on the moved atom, along its displacement, against DFT. How large the ratio is
    # is what the benchmark of phonon errors is about; here only its side is known beforehand:
    # potentials trained on near-equilibrium MPtrj frames push an atom back, but too weakly (Deng
    # et al., npj Comput. Mater. 11, 9 (2025): systematic softening)
    ratios = [
        (f[each["number"]] @ each["displacement"]) / (e[each["number"]] @ each["displacement"])
        for f, e, each in zip(forces, expected, sets, strict=True)
    ]
    assert min(ratios) > 0
    assert np.mean(ratios) < 1
    assert (
        to_ase(made.supercell).get_chemical_formula()
        == to_ase(dft.supercell).get_chemical_formula()
    )


@pytest.mark.parametrize(
    ("atoms", "warned"),
    [
        (bulk("BP", "zincblende", a=4.55), True),
        (bulk("NaCl", "rocksalt", a=5.69), False),
        (bulk("RbCl", "rocksalt", a=6.74), False),
    ],
    ids=["BP", "NaCl", "RbCl"],
)
def test_the_packaged_calibration_warns_where_it_must(chgnet, atoms, warned):
    calc = PlatonicCalculator(chgnet, on_warning="ignore", progress=False)
    matrix = 2 * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
    result = run_phonon(atoms, calc, supercell=matrix, mesh=(9, 9, 9), progress=False)
    assert result.risk.calibration.startswith("CHGNet 0.3.0")
    assert (result.risk.probability_above_25_percent > 0.5) is warned
    assert [event.kind for event in result.events] == ["phonon_error"] * warned
    # the same of a loop that knows nothing of the workflow
    loop = PlatonicCalculator(chgnet, on_warning="ignore", progress=False)
    for cell in result.phonon.supercells_with_displacements:
        displaced = to_ase(cell)
        displaced.calc = loop
        displaced.get_forces()
    assert loop.diagnosis.risks["phonon_relative_error"] == pytest.approx(
        result.risk.relative_error, rel=0.01
    )
    kinds = [event.kind for event in loop.diagnosis.events]
    assert ("phonon_error" in kinds) is warned
