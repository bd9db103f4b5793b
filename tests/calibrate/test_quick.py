"""Fifteen shipped spectra, and the level that they give."""

from types import SimpleNamespace

import numpy as np
import pytest

from platonic_ase import find_encoder
from platonic_ase.calibrate import quick
from platonic_ase.calibrate.quick import quick_materials, quick_phonon_risk
from platonic_ase.errors import CalibrationError
from platonic_ase.testing import MockCalculator


def test_the_spectra_are_shipped_with_their_source():
    materials = quick_materials()
    assert len({each.key for each in materials}) == len(materials) == 15
    assert all(np.diff(each.truth).min() >= 0 for each in materials)
    assert all("PhononDB" in each.source for each in materials)


def test_the_level_is_that_of_the_rows(monkeypatch, tmp_path):
    watched = SimpleNamespace(encoder=find_encoder(MockCalculator()))
    factors = [*(0.2 + 0.01 * k for k in range(-4, 5)), float("nan")]
    rows = [SimpleNamespace(log_factor=factor) for factor in factors]
    monkeypatch.setattr(quick, "label_crystals", lambda *_, **__: rows)
    pack = quick_phonon_risk(watched, tmp_path)
    assert pack.level.offset == pytest.approx(-0.2)
    assert pack.level.crystals == 9
    monkeypatch.setattr(quick, "label_crystals", lambda *_, **__: rows[:7])
    with pytest.raises(CalibrationError, match="7 of the crystals"):
        quick_phonon_risk(watched, tmp_path)
