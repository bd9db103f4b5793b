import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group
from sklearn.neighbors import NearestNeighbors

from platonic_ase.compare.measures.mutual_neighbours import mutual_knn, neighbour_overlap
from platonic_ase.compare.measures.nearest import k_nearest


def pair(n=80, widths=(5, 7), seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, widths[0]))
    return x, x @ rng.normal(size=widths) + 0.3 * rng.normal(size=(n, widths[1]))


def sklearn_neighbours(x, k, metric):
    model = NearestNeighbors(n_neighbors=k + 1, metric=metric, algorithm="brute").fit(x)
    return model.kneighbors(x, return_distance=False)[:, 1:]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("k", [1, 10, 79])
def test_neighbours_and_overlap_are_those_of_scikit_learn(k, metric):
    x, y = pair()
    first, second = (sklearn_neighbours(points, k, metric) for points in (x, y))
    np.testing.assert_array_equal(k_nearest(x, k, metric=metric), first)
    expected = [len(set(a) & set(b)) / k for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(neighbour_overlap(x, y, k, metric=metric), expected, atol=1e-12)
    assert mutual_knn(x, y, k, metric=metric) == pytest.approx(np.mean(expected), abs=1e-12)


def test_single_precision_far_from_the_origin_is_ranked_exactly():
    x = (np.random.default_rng(0).normal(size=(400, 3)) + 1000).astype(np.float32)
    exact = x.astype(np.float64) - 1000  # without rounding: both are exact in binary
    expected = sklearn_neighbours(exact, 5, "euclidean")
    assert (k_nearest(x, 5) == expected).mean() > 0.999


def test_points_on_a_line_have_known_neighbours():
    x = np.array([[0.0], [1.0], [3.0], [7.0]])
    assert k_nearest(x, 2).tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]


def test_duplicates_are_neighbours_but_not_an_atom_itself():
    x = np.repeat(np.random.default_rng(0).normal(size=(50, 4)), 2, axis=0)
    assert k_nearest(x, 1)[:, 0].tolist() == [i ^ 1 for i in range(100)]


def test_unrelated_models_share_what_chance_gives():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 600, 5))
    assert mutual_knn(x, y, 60) == pytest.approx(60 / 599, abs=0.01)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100), k=st.integers(1, 20))
def test_unchanged_by_rotation_scaling_translation_and_order(seed, scale, k):
    x, y = pair(n=40, seed=seed)
    rotation = ortho_group.rvs(y.shape[1], random_state=seed)
    order = np.random.default_rng(seed).permutation(len(x))
    value = mutual_knn(x, y, k)
    assert mutual_knn(x, scale * y @ rotation + 3, k) == pytest.approx(value, abs=1e-9)
    assert mutual_knn(x[order], y[order], k) == pytest.approx(value, abs=1e-9)
    assert mutual_knn(y, x, k) == pytest.approx(value, abs=1e-12)
    assert mutual_knn(x, x, k) == 1


@pytest.mark.parametrize(
    ("x", "y", "k", "message"),
    [
        (np.eye(5), np.eye(4), 1, "x has 5 rows and y has 4"),
        (np.eye(5), np.eye(5), 5, "k is 5 for 5 atoms; it must be from 1 to 4"),
        (np.eye(5), np.eye(5), 0, "k is 0"),
        (np.ones((5, 2)), np.eye(5), 2, "all 5 embeddings are equal"),
        (np.eye(5), np.full((5, 2), np.nan), 2, "y has values that are not finite in 5 of 5"),
    ],
)
def test_bad_input_is_named(x, y, k, message):
    with pytest.raises(ValueError, match=message):
        mutual_knn(x, y, k)


def test_directions_of_nothing_and_unknown_metrics_are_named():
    with pytest.raises(ValueError, match="1 embeddings are zero"):
        k_nearest(np.vstack([np.zeros(3), np.eye(3)]), 1, metric="cosine")
    with pytest.raises(ValueError, match="metric is 'manhattan'"):
        k_nearest(np.eye(3), 1, metric="manhattan")
