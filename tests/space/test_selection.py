import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from platonic_ase.space.selection import direct, farthest_point, principal_features

METHODS = [direct, farthest_point]


def clusters(n_clusters, per_cluster, width=6, seed=0):
    rng = np.random.default_rng(seed)
    centres = 10 * rng.normal(size=(n_clusters, width))
    kind = np.repeat(np.arange(n_clusters), per_cluster)
    return centres[kind] + 0.01 * rng.normal(size=(len(kind), width)), kind


@pytest.mark.parametrize("method", METHODS)
def test_takes_one_of_each_well_separated_cluster(method):
    points, kind = clusters(12, 30)
    chosen = method(points, 12)
    assert sorted(kind[chosen]) == list(range(12))


def test_direct_takes_the_row_nearest_each_centroid():
    points, kind = clusters(5, 40)
    features = principal_features(points)
    for index in direct(points, 5):
        members = np.flatnonzero(kind == kind[index])
        centroid = features[members].mean(axis=0)
        distances = ((features[members] - centroid) ** 2).sum(axis=1)
        assert index == members[distances.argmin()]


def test_principal_features_are_those_of_scikit_learn():
    points = np.random.default_rng(1).normal(size=(500, 4)) @ np.random.default_rng(2).normal(
        size=(4, 9)
    )
    scores = StandardScaler().fit_transform(points)
    pca = PCA().fit(scores)
    kept = (pca.explained_variance_ > 1).sum()
    expected = (pca.transform(scores) * pca.explained_variance_ratio_)[:, :kept]
    found = principal_features(points)
    assert found.shape == expected.shape
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-9)


def test_farthest_point_follows_the_definition():
    points = np.random.default_rng(0).normal(size=(60, 3))
    chosen = [7]
    while len(chosen) < 10:
        distances = np.linalg.norm(points[:, None] - points[None, chosen], axis=-1)
        chosen.append(int(distances.min(axis=1).argmax()))
    assert farthest_point(points, 10, start=7).tolist() == sorted(chosen)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25)
@given(
    n_rows=st.integers(2, 60),
    width=st.integers(1, 5),
    levels=st.integers(2, 50),
    share=st.floats(0.01, 1.0),
    seed=st.integers(0, 99),
)
def test_exactly_n_sorted_distinct_and_repeatable(method, n_rows, width, levels, share, seed):
    points = np.random.default_rng(seed).integers(levels, size=(n_rows, width)) / levels
    points[0] += 1  # not all equal
    n = max(1, int(share * len(np.unique(points, axis=0))))
    chosen = method(points, n, seed=seed)
    assert len(chosen) == n
    assert (np.diff(chosen) > 0).all()
    assert len(np.unique(points[chosen], axis=0)) == n
    np.testing.assert_array_equal(chosen, method(points, n, seed=seed))


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=10)
@given(scale=st.sampled_from([0.5, 4.0, 1024.0]), shift=st.sampled_from([0.0, 1.0, -8.0]))
def test_unchanged_by_units_and_origin(method, scale, shift):
    points, _ = clusters(8, 5)
    np.testing.assert_array_equal(method(points, 8), method(scale * points + shift, 8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
def test_constant_columns_are_ignored(method, dtype):
    points, _ = clusters(6, 20)
    constant = np.full((len(points), 2), 0.1)
    padded = np.hstack([constant, points]).astype(dtype)
    np.testing.assert_array_equal(method(padded, 6), method(points, 6))


def test_direct_lowers_the_threshold_until_there_are_enough():
    points = np.linspace(0, 1, 300)[:, None]
    assert len(direct(points, 150, threshold=5.0)) == 150


def test_direct_raises_a_threshold_that_would_split_everything():
    points = np.random.default_rng(0).normal(size=(6000, 2))
    assert len(direct(points, 20, threshold=0.01)) == 20


def test_direct_ends_where_no_threshold_gives_enough_subclusters():
    rng = np.random.default_rng(0)
    blobs = 100 * rng.normal(size=(10, 3))
    points = np.repeat(blobs, 600, axis=0) + 1e-3 * rng.normal(size=(6000, 3))
    chosen = direct(points, 40, threshold=1.0)
    assert len(chosen) == 40
    assert set(chosen // 600) == set(range(10))


@pytest.mark.parametrize("method", METHODS)
def test_every_row_can_be_selected(method):
    points = np.random.default_rng(0).normal(size=(30, 4))
    assert method(points, 30).tolist() == list(range(30))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("points", "n", "message"),
    [
        (np.eye(3), 5, "cannot select 5 of 3"),
        (np.repeat(np.eye(3), 4, axis=0), 5, "only 3 are distinct"),
        (np.array([[1.0], [np.nan], [np.inf]]), 1, r"2 of 3 rows \(first: \[1, 2\]\)"),
        (np.arange(4.0), 2, r"shape \(4,\)"),
        (np.eye(3), 0, "n is 0"),
    ],
)
def test_bad_input_is_named(method, points, n, message):
    with pytest.raises(ValueError, match=message):
        method(points, n)


def test_direct_names_equal_embeddings_and_bad_thresholds():
    with pytest.raises(ValueError, match="all 9 embeddings are equal"):
        direct(np.full((9, 3), 0.1), 2)
    with pytest.raises(ValueError, match="threshold is 0"):
        direct(np.eye(3), 2, threshold=0)


def test_farthest_point_names_a_start_outside():
    with pytest.raises(ValueError, match="start is 3"):
        farthest_point(np.eye(3), 2, start=3)
