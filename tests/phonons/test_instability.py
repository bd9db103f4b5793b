"""One judgement of imaginary modes, whichever command asks; wave vectors that a cell lacks."""

import numpy as np
import pytest
from ase.build import bulk, graphene
from ase.spacegroup import crystal

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.phonons import run_phonon
from platonic_ase.phonons.breaking import SymmetryRisk
from platonic_ase.phonons.instability import (
    AMPLITUDE,
    SoftDirection,
    judge,
)
from platonic_ase.phonons.wave_vectors import finest_fractions, unheld_points
from platonic_ase.stability.run import run_forecast
from platonic_ase.testing import DoubleWellCrystal, SpringCrystal, mock_anchors


def wrap(inner):
    return PlatonicCalculator(inner, anchors=mock_anchors(find_encoder(inner)), on_warning="ignore")


def perovskite(formula, a):
    first, second, third = formula
    sites = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]
    return crystal([first, second, third], sites, spacegroup=221, cellpar=[a, a, a, 90, 90, 90])


def both(inner, atoms, calibration=None, monkeypatch=None, **options):
    if calibration is not None:
        for module in ("platonic_ase.phonons.instability", "platonic_ase.stability.run"):
            monkeypatch.setattr(f"{module}.find_symmetry_risk", lambda _: calibration)
    options = {"supercell": (2, 2, 2), "relax": False, "progress": False, **options}
    return run_phonon(atoms, wrap(inner), **options), run_forecast(atoms, wrap(inner), **options)


def risk(**changes):
    values = {"name": "planted", "package": "p", "model": "m", "fingerprint": "f", "settings": {}}
    return SymmetryRisk(**{**values, "intercept": -0.5, "slope": -1.5, **changes})


@pytest.mark.parametrize("calibration", [None, risk(), risk(intercept=-20.0)])
def test_phonons_and_forecast_judge_alike(calibration, monkeypatch):
    inner = DoubleWellCrystal(depth=0.8, width=0.3)
    phonons, forecast = both(inner, inner.structure(), calibration, monkeypatch)
    assert phonons.spectrum.imaginary
    mine, theirs = phonons.judgement, forecast.forecast.judgement
    assert mine.curvature == pytest.approx(theirs.curvature, rel=1e-3)
    assert mine.breaks == theirs.breaks == (calibration is None or calibration.intercept > -1)
    assert mine.subgroup == theirs.subgroup
    assert mine.calibration == theirs.calibration
    said = f"structure {'breaks' if mine.breaks else 'stays'}"
    assert sum(said in remark for remark in phonons.remarks) == 1
    if calibration is not None:
        assert mine.probability == pytest.approx(theirs.probability, rel=1e-3)
        assert ("breaks" if mine.breaks else "stays") in str(forecast.forecast)
        assert forecast.forecast.breaks == mine.breaks
    assert phonons.to_dict()["judgement"]["breaks"] is mine.breaks
    assert forecast.to_dict()["judgement"]["breaks"] is mine.breaks


def test_a_well_of_a_hundredth_is_no_breaking():
    """Imaginary in the harmonic limit, uphill at 0.1 Å: both say that it stays."""
    inner = DoubleWellCrystal(depth=0.8, width=0.02)
    phonons, forecast = both(inner, inner.structure(), displacement=0.005)
    assert phonons.spectrum.imaginary
    assert not phonons.judgement.breaks
    assert phonons.judgement.curvature > 0
    assert forecast.forecast.leading.eigenvalue < 0
    assert not forecast.forecast.judgement.breaks


def test_without_imaginary_modes_nothing_is_judged():
    inner = SpringCrystal()
    phonons, forecast = both(inner, inner.structure())
    assert phonons.judgement is None
    assert not forecast.forecast.judgement.breaks


def test_judging_by_the_calibration_or_by_the_sign():
    way = SoftDirection(0.1, 0.05, 1.0, None, "Na", (), {}, np.zeros((1, 3)))
    assert judge((), None) is None
    assert not judge((way,), None).breaks
    assert judge((way,), risk(intercept=3.0)).breaks  # near an instability, as it was calibrated
    assert f"to {AMPLITUDE:g} Å" in str(judge((way,), None))


def test_wave_vectors_that_a_supercell_lacks_are_named():
    salt = bulk("CsCl", "cesiumchloride", 4.1)
    assert unheld_points(salt, (2, 2, 2)) == ""
    assert unheld_points(salt, (2, 2, 1)).startswith("R: ")
    assert "try 2x2x2" in unheld_points(salt, (1, 1, 1))
    assert "H, K" in unheld_points(bulk("Ti", "hcp", 2.95, 4.7), (2, 2, 2))
    assert "try 4x4x4" in unheld_points(bulk("NaCl", "rocksalt", 5.6), (2, 2, 2))
    layer = graphene(vacuum=6.0)
    layer.pbc = True
    assert unheld_points(layer, (2, 2, 1)).startswith("K: ")
    assert finest_fractions(np.array([0.5, 1 / 3, 0.0])).tolist() == [2, 3, 1]
    assert finest_fractions(np.array([0.375, 0.5, 0.0])) is None


def test_a_mode_between_the_wave_vectors_names_a_supercell_that_holds_it():
    inner = DoubleWellCrystal(depth=0.2, width=0.3)
    forecast = run_forecast(
        inner.structure(), wrap(inner), supercell=(1, 1, 1), relax=False, progress=False
    )
    assert "Not seen: " in str(forecast.forecast)
    assert "try " in forecast.to_dict()["unheld"]


@pytest.mark.slow
def test_strontium_titanate_has_one_voice(chgnet):
    atoms = perovskite(("Sr", "Ti", "O"), 3.94)
    calcs = [PlatonicCalculator(chgnet, on_warning="ignore") for _ in range(2)]
    phonons = run_phonon(atoms, calcs[0], supercell=(2, 2, 2), fmax=2e-3, progress=False)
    forecast = run_forecast(atoms, calcs[1], supercell=(2, 2, 2), progress=False)
    mine, theirs = phonons.judgement, forecast.forecast.judgement
    assert phonons.spectrum.imaginary
    assert mine.breaks == theirs.breaks
    assert mine.probability == pytest.approx(theirs.probability, abs=0.05)
    assert mine.subgroup == theirs.subgroup
