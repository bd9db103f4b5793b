"""What force errors say of phonons: learnt with each architecture alike."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.levels import LevelPrior
from platonic_ase.phonons.table import read_phonon_table
from platonic_ase.phonons.universal_fit import Case, fit_levels

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_levels_are_learnt_with_each_architecture_alike():
    rows = read_phonon_table(BENCHMARKS / "phonon_table.json")["chgnet-0.3.0"].rows[:20]
    cases = [
        Case(model, replace(row, log_factor=factor, relative_error=0.5))
        for model, factor, count in (("soft-1", 0.4, 15), ("soft-2", 0.4, 5), ("stiff-1", 0.0, 3))
        for row in rows[:count]
    ]
    prior = fit_levels(cases, {"soft-1": 0.5, "soft-2": 0.5, "stiff-1": 0.25})
    assert prior.offset == pytest.approx(-0.8)  # -0.4 / 0.25 for one, 0 for the other
    assert prior.spread == pytest.approx(0.8)
    with pytest.raises(ValueError, match="known force level"):
        fit_levels(cases, {"another": 0.3})
    with pytest.raises(SpaceFileError, match="positive"):
        LevelPrior(0.0, 0.0, np.ones(3))
