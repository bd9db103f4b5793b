"""Odds of imaginary modes: logistic, learnt where there is something to learn."""

import math
from dataclasses import replace

import numpy as np
import pytest

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.linear import LinearPart
from platonic_ase.phonons.odds import (
    AFTER,
    BEFORE,
    ImaginaryModes,
    ModeOdds,
    fit_odds,
    of_spectrum,
)

SPURIOUS = ModeOdds(LinearPart(AFTER, np.zeros(2), np.ones(2), np.array([-1.0, -2.0]), 0.5), 0.4)
MODES = ImaginaryModes(
    ModeOdds(LinearPart(BEFORE, np.zeros(2), np.ones(2), np.array([-1.0, -3.0]), -1.0), 0.1),
    ModeOdds(LinearPart(BEFORE, np.zeros(2), np.ones(2), np.array([-1.0, -1.0]), 0.0), 0.2),
    SPURIOUS,
)


def test_odds_are_logistic_and_go_to_the_base_rate():
    values = of_spectrum(-math.e, -0.3)
    assert values == {"log_depth": pytest.approx(1), "softening": -0.3}
    sure = 1 / (1 + math.exp(-(0.5 - 1 + 0.6)))
    assert SPURIOUS(values) == pytest.approx(sure)
    assert SPURIOUS(None) == 0.4
    assert SPURIOUS(of_spectrum(-1.0, math.nan)) is None
    assert of_spectrum(-1e-9, 0.0) == of_spectrum(-0.1, 0.0)  # nothing is shallower


def test_odds_are_learnt_where_there_is_something_to_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 2))
    labels = rng.random(4000) < 1 / (1 + np.exp(-(0.5 - x[:, 0] - 2 * x[:, 1])))
    odds = fit_odds(AFTER, x, labels)
    assert odds.base == labels.mean()
    slopes = odds.part.coefficients / odds.part.scale
    assert slopes == pytest.approx([-1, -2], abs=0.15)
    with pytest.raises(ValueError, match="4000 of 4000"):
        fit_odds(AFTER, x, labels | True)


def test_odds_of_other_quantities_are_refused():
    with pytest.raises(SpaceFileError, match=r"odds \(octet\) by"):
        ImaginaryModes(SPURIOUS, MODES.others, SPURIOUS)
    with pytest.raises(SpaceFileError, match=r"odds \(spurious\) by"):
        replace(MODES, spurious=MODES.octet)


def test_a_soft_model_is_likelier_to_show_imaginary_modes():
    stiff, soft = (MODES.before(0.0, own, octet=True) for own in (0.1, -0.4))
    assert stiff == pytest.approx(1 / (1 + math.exp(1.3)))
    assert soft == pytest.approx(1 / (1 + math.exp(-0.2)))
    assert MODES.before(1.0, 0.1, octet=False) == pytest.approx(1 / (1 + math.exp(1.1)))
    assert [MODES.before(0.0, None, octet=octet) for octet in (True, False)] == [0.1, 0.2]
    assert MODES.before(math.nan, 0.1, octet=True) is None
