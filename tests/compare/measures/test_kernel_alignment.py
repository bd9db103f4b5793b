import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.stats import ortho_group
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel

from platonic_ase.compare.measures import kernel_alignment
from platonic_ase.compare.measures.kernel_alignment import cka, hsic, median_distance

CHOICES = [(k, e) for k in ("linear", "rbf") for e in ("biased", "unbiased")]


def pair(n=60, widths=(5, 7), seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, widths[0])) + 2
    return x, x @ rng.normal(size=widths) + 0.5 * rng.normal(size=(n, widths[1]))


def matrix(x, kernel, bandwidth):
    if kernel == "linear":
        return linear_kernel(x)
    return rbf_kernel(x, gamma=1 / (2 * (bandwidth * np.median(pdist(x))) ** 2))


def hsic_biased(k, m):
    """tr(K H L H) / (n - 1)^2 as it is written."""
    n = len(k)
    h = np.eye(n) - 1 / n
    return np.trace(k @ h @ m @ h) / (n - 1) ** 2


def hsic_unbiased(k, m):
    """Inner product of U-centred matrices (Székely and Rizzo 2014): another form of Song's."""

    def u_centred(a):
        n = len(a)
        a = a - np.diag(np.diag(a))
        rows = a.sum(axis=1, keepdims=True) / (n - 2)
        centred = a - rows - rows.T + a.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(centred, 0)
        return centred

    n = len(k)
    return (u_centred(k) * u_centred(m)).sum() / (n * (n - 3))


@pytest.mark.parametrize(("kernel", "estimator"), CHOICES)
@pytest.mark.parametrize("bandwidth", [1.0, 0.4])
def test_equals_the_explicit_matrices(kernel, estimator, bandwidth, monkeypatch):
    monkeypatch.setattr(kernel_alignment, "_BLOCK", 17)
    x, y = pair()
    k, m = matrix(x, kernel, bandwidth), matrix(y, kernel, bandwidth)
    explicit = {"biased": hsic_biased, "unbiased": hsic_unbiased}[estimator]
    options = {"kernel": kernel, "estimator": estimator, "bandwidth": bandwidth}
    assert hsic(x, y, **options) == pytest.approx(explicit(k, m), rel=1e-9)
    expected = explicit(k, m) / np.sqrt(explicit(k, k) * explicit(m, m))
    assert cka(x, y, **options) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("kernel", "estimator"), CHOICES)
def test_single_precision_is_close(kernel, estimator):
    x, y = pair(n=500)
    options = {"kernel": kernel, "estimator": estimator}
    single = cka(x.astype(np.float32), y.astype(np.float32), **options)
    assert single == pytest.approx(cka(x, y, **options), abs=1e-5)


def test_linear_cka_of_columns_is_the_squared_correlation():
    x, y = np.random.default_rng(0).normal(size=(2, 50, 1))
    y += x
    expected = np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2
    assert cka(x, y, estimator="biased") == pytest.approx(expected, abs=1e-12)


def test_only_the_unbiased_estimator_is_zero_for_unrelated_wide_models():
    rng = np.random.default_rng(0)
    unbiased, biased = [], []
    for _ in range(100):
        x, y = rng.normal(size=(2, 30, 100))
        unbiased.append(cka(x, y))
        biased.append(cka(x, y, estimator="biased"))
    assert abs(np.mean(unbiased)) < 4 * np.std(unbiased) / 10
    assert np.mean(biased) > 0.5


def test_median_distance():
    assert median_distance(np.array([[0.0], [1.0], [3.0]])) == 2
    x, _ = pair(n=300)
    whole = np.median(squareform(pdist(x))[np.triu_indices(300, 1)])
    assert median_distance(x) == pytest.approx(whole, rel=1e-12)
    assert median_distance(x, n_sample=150) == pytest.approx(whole, rel=0.05)


@pytest.mark.parametrize(("kernel", "estimator"), CHOICES)
@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100))
def test_unchanged_by_rotation_scaling_translation_and_order(kernel, estimator, seed, scale):
    x, y = pair(n=30, seed=seed)
    options = {"kernel": kernel, "estimator": estimator}
    rotation = ortho_group.rvs(y.shape[1], random_state=seed)
    order = np.random.default_rng(seed).permutation(len(x))
    value = cka(x, y, **options)
    assert cka(x, scale * y @ rotation - 5, **options) == pytest.approx(value, abs=1e-8)
    assert cka(x[order], y[order], **options) == pytest.approx(value, abs=1e-9)
    assert cka(y, x, **options) == pytest.approx(value, abs=1e-12)
    assert cka(x, x, **options) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (np.eye(5), np.eye(6), {}, "x has 5 rows and y has 6"),
        (np.eye(3), np.eye(3), {}, "at least 4 are needed"),
        (np.eye(5), np.full((5, 2), 0.1), {}, "all 5 embeddings in y are equal"),
        (np.full((5, 1), np.inf), np.eye(5), {}, "not finite in 5 of 5"),
        (np.eye(5), np.eye(5), {"kernel": "poly"}, "kernel is 'poly'"),
        (np.eye(5), np.eye(5), {"estimator": "best"}, "estimator is 'best'"),
        (np.eye(5), np.eye(5), {"kernel": "rbf", "bandwidth": 0}, "bandwidth is 0"),
        (np.eye(9)[:, :1], np.eye(9), {"kernel": "rbf"}, "the median distance is 0"),
    ],
)
def test_bad_input_is_named(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        cka(x, y, **options)
