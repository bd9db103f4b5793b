"""Fifteen shipped spectra, and what they tell of a model."""

from types import SimpleNamespace

import numpy as np
import pytest

from platonic_ase import find_encoder
from platonic_ase.calibrate import quick
from platonic_ase.calibrate.quick import quick_materials, quick_phonon_risk
from platonic_ase.errors import CalibrationError
from platonic_ase.phonons.features import FEATURES, DisplacementFeatures
from platonic_ase.testing import MockCalculator


def test_the_spectra_are_shipped_with_their_source():
    materials = quick_materials()
    assert len({each.key for each in materials}) == len(materials) == 15
    assert all(np.diff(each.truth).min() >= 0 for each in materials)
    assert all("PhononDB" in each.source for each in materials)


def test_the_pack_knows_the_rows(monkeypatch, tmp_path):
    watched = SimpleNamespace(encoder=find_encoder(MockCalculator()))
    factors = [*(0.2 + 0.01 * k for k in range(-4, 5)), float("nan")]
    features = DisplacementFeatures(**dict.fromkeys(FEATURES, 1.0))
    rows = [
        SimpleNamespace(
            log_factor=factor,
            relative_error=0.16,
            features=features,
            numbers=np.array([11, 17]),
            key=f"salt {k}",
        )
        for k, factor in enumerate(factors)
    ]
    monkeypatch.setattr(quick, "label_crystals", lambda *_, **__: rows)
    pack = quick_phonon_risk(watched, tmp_path)
    assert pack.known
    (root, offset), _ = pack.process.base(pack.model)
    assert (root, offset) == (pytest.approx(0.4), pytest.approx(-0.2))
    assert pack.identity == watched.encoder.identity
    monkeypatch.setattr(quick, "label_crystals", lambda *_, **__: rows[:7])
    with pytest.raises(CalibrationError, match="7 of the crystals"):
        quick_phonon_risk(watched, tmp_path)
