import numpy as np
import pytest

from platonic_ase.compare.measures.mutual_neighbours import mutual_knn
from platonic_ase.compare.measures.procrustes import angular_procrustes
from platonic_ase.compare.measures.significance import estimate


def mean_difference(x, y):
    return float((x - y).mean())


@pytest.mark.parametrize("resampling", ["half", "bootstrap"])
def test_interval_of_a_mean_has_the_width_of_theory(resampling):
    x = np.random.default_rng(0).normal(size=(400, 1))
    found = estimate(
        mean_difference, x, 0 * x, resampling=resampling, n_resamples=4000, n_permutations=0
    )
    half_width = 1.96 * x.std() / np.sqrt(400)
    assert found.value == x.mean()
    assert found.high - found.value == pytest.approx(half_width, rel=0.1)
    assert found.value - found.low == pytest.approx(half_width, rel=0.1)
    assert np.isnan(found.baseline_mean)


@pytest.mark.parametrize("resampling", ["half", "bootstrap"])
def test_interval_covers_the_truth_as_often_as_it_says_when_atoms_are_correlated(resampling):
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 10)
    covered = {True: 0, False: 0}
    for seed in range(100):
        x = rng.normal(size=40)[groups][:, None] + 0.1 * rng.normal(size=(400, 1))
        for grouped in covered:
            found = estimate(
                mean_difference,
                x,
                0 * x,
                groups=groups if grouped else None,
                resampling=resampling,
                n_resamples=60,
                n_permutations=0,
                level=0.9,
                seed=seed,
            )
            covered[grouped] += found.low <= 0 <= found.high
    assert 0.8 <= covered[True] / 100 <= 0.98
    assert covered[False] / 100 < 0.6


def test_baseline_of_a_correlation_is_that_of_theory():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(101, 1))
    y = x + 0.5 * rng.normal(size=(101, 1))
    found = estimate(
        lambda a, b: float(np.corrcoef(a[:, 0], b[:, 0])[0, 1]),
        x,
        y,
        n_resamples=0,
        n_permutations=2000,
    )
    assert found.baseline_mean == pytest.approx(0, abs=0.01)
    assert found.baseline_std == pytest.approx(0.1, rel=0.06)  # 1 / √(n - 1)
    assert found.p_value == 1 / 2001
    assert np.isnan(found.low)


def test_p_values_of_unrelated_models_are_uniform_for_similarities_and_distances():
    rng = np.random.default_rng(0)
    p_values = {"greater": [], "less": []}
    for _ in range(60):
        x, y = rng.normal(size=(2, 25, 3))
        for alternative, p in p_values.items():
            found = estimate(
                angular_procrustes,
                x,
                y,
                alternative=alternative,
                n_resamples=0,
                n_permutations=60,
            )
            p.append(found.p_value)
    for p in p_values.values():
        assert np.mean(p) == pytest.approx(0.5, abs=0.12)
        assert (np.array(p) <= 0.1).mean() < 0.25
    np.testing.assert_allclose(np.add(*p_values.values()), 1 + 1 / 61)


def test_strata_give_the_baseline_of_the_label_alone():
    rng = np.random.default_rng(0)
    element = np.repeat([0, 1, 2], 30)
    x, y = (10 * element[:, None] + rng.normal(size=(90, 3)) for _ in range(2))
    options = {"n_resamples": 0, "n_permutations": 50}
    free = estimate(lambda a, b: mutual_knn(a, b, 5), x, y, **options)
    within = estimate(lambda a, b: mutual_knn(a, b, 5), x, y, strata=element, **options)
    assert free.baseline_mean == pytest.approx(5 / 89, abs=0.02)
    assert within.baseline_mean == pytest.approx(5 / 29, abs=0.03)
    assert free.p_value < 0.05 < within.p_value


def test_same_seed_same_estimate():
    x, y = np.random.default_rng(0).normal(size=(2, 30, 3))
    options = {"n_resamples": 10, "n_permutations": 10}
    first, again, other = (estimate(angular_procrustes, x, y, seed=s, **options) for s in (1, 1, 2))
    assert first == again != other


def test_bad_input_is_named():
    x = np.random.default_rng(0).normal(size=(10, 2))
    with pytest.raises(ValueError, match="x has 10 rows and y has 9"):
        estimate(angular_procrustes, x, x[1:])
    with pytest.raises(ValueError, match=r"groups has shape \(9,\); expected \(10,\)"):
        estimate(angular_procrustes, x, x, groups=np.arange(9))
    with pytest.raises(ValueError, match="interval from 2 groups"):
        estimate(angular_procrustes, x, x, groups=np.arange(10) % 2)
    with pytest.raises(ValueError, match="resampling is 'jackknife'"):
        estimate(angular_procrustes, x, x, resampling="jackknife")
