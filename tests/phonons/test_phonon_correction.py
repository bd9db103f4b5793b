"""The factor of a crystal: exact laws, honest bands, and no word outside the calibration."""

import math

import numpy as np
import pytest
from ase.build import bulk

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.chemistry import why_no_octet
from platonic_ase.phonons.correction import (
    FrequencyFactor,
    conformal_half_width,
    fit_factor,
)
from platonic_ase.phonons.linear import LinearPart
from platonic_ase.phonons.spectra import best_log_factor, relative_error, wasserstein


def part(slope=0.0, intercept=0.3):
    return LinearPart(("log_bond",), np.zeros(1), np.ones(1), np.full(1, slope), intercept)


def test_distances_of_spectra():
    truth = np.linspace(0, 10, 17)
    assert wasserstein(truth + 0.5, truth) == pytest.approx(0.5)
    assert relative_error(1.2 * truth, truth) == pytest.approx(0.2)


def test_the_best_factor_is_the_minimum():
    rng = np.random.default_rng(0)
    for _ in range(20):
        truth = np.sort(rng.uniform(0, 10, 17))
        model = np.sort(truth * rng.uniform(0.5, 0.9) + rng.normal(0, 0.4, 17))
        best = math.exp(best_log_factor(model, truth))
        tried = [wasserstein(f * model, truth) for f in np.linspace(0.5, 3, 2001)]
        assert wasserstein(best * model, truth) <= min(tried) + 1e-12
    assert best_log_factor(truth / 1.4, truth) == pytest.approx(math.log(1.4))
    assert math.isnan(best_log_factor(-truth, truth))  # all imaginary: no factor helps
    assert math.isnan(best_log_factor(0 * truth, truth))  # atoms that feel no other


def test_the_half_width_covers_new_residuals():
    rng = np.random.default_rng(1)
    covered = [
        abs(rng.normal()) <= conformal_half_width(np.abs(rng.normal(size=39))) for _ in range(4000)
    ]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.02)
    assert conformal_half_width(np.array([1.0, 3.0, 2.0])) == 3.0


def test_an_exact_law_is_learnt():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 1))
    groups = np.array([f"anion {k % 6}" for k in range(60)])
    factor = fit_factor(("log_bond",), x, 0.3 + 0.1 * x[:, 0], groups, penalty=1e-9)
    estimate = factor.estimate({"log_bond": 1.0}, "law")
    assert estimate.factor == pytest.approx(math.exp(0.4), rel=1e-6)
    assert estimate.interval[0] < estimate.factor < estimate.interval[1]
    assert (estimate.calibration, estimate.reason) == ("law", "")


def test_no_correction_outside_the_calibration():
    factor = FrequencyFactor(part(), half_width=0.1)
    inside = {"log_bond": 0.5}
    assert factor.estimate(inside, "p").factor == pytest.approx(math.exp(0.3))
    assert "log_bond" in factor.estimate({"log_bond": 4.0}, "p").reason
    assert "n_elements" in factor.estimate(inside, "p", ["n_elements"]).reason
    assert "could not be computed" in factor.estimate({"log_bond": math.nan}, "p").reason
    with pytest.raises(SpaceFileError, match="half width"):
        FrequencyFactor(part(), half_width=0.0)


@pytest.mark.parametrize("formula", ["NaCl", "MgO", "ZnS", "GaN", "SiC", "PbTe", "BP", "AgI"])
def test_octet_binaries(formula):
    assert why_no_octet(bulk(formula, "rocksalt", a=5.0).numbers) == ""


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("KH", "hydride"), ("LaN", "La does not give"), ("TiC", "Ti does not give"),
        ("CuZn", "does not give"), ("MgF", "does not give"), ("AlPd", "does not give"),
    ],
)  # fmt: skip
def test_what_is_no_octet_binary(formula, why):
    assert why in why_no_octet(bulk(formula, "rocksalt", a=5.0).numbers)
    assert "no binary" in why_no_octet(np.array([14, 14]))
    assert "as many" in why_no_octet(np.array([20, 9, 9]))
