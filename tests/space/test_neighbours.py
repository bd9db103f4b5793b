import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from platonic_ase.space.neighbours import nearest_distances


@settings(max_examples=60)
@given(
    n=st.integers(1, 30),
    m=st.integers(1, 30),
    width=st.integers(1, 6),
    seed=st.integers(0, 999),
    max_bytes=st.sampled_from([1, 500, 64_000_000]),
    data=st.data(),
)
def test_distances_are_those_of_cdist(n, m, width, seed, max_bytes, data):
    rng = np.random.default_rng(seed)
    queries, references = rng.normal(size=(n, width)), rng.normal(size=(m, width))
    k = data.draw(st.integers(1, m))
    distances, indices = nearest_distances(queries, references, k, max_bytes)
    everything = cdist(queries, references)
    np.testing.assert_allclose(distances, np.sort(everything, axis=1)[:, :k], atol=1e-12)
    np.testing.assert_allclose(distances, np.take_along_axis(everything, indices, 1), atol=1e-12)
    assert all(len(set(row)) == k for row in indices.tolist())


def test_distance_to_itself_is_exactly_zero():
    points = np.random.default_rng(0).normal(size=(200, 100)).astype(np.float32) + 30
    distances, indices = nearest_distances(points, points)
    assert (distances == 0).all()
    assert (indices[:, 0] == np.arange(200)).all()
    assert distances.dtype == np.float32


def test_memory_is_bounded():
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(20_000, 20)).astype(np.float32)
    references = rng.normal(size=(2_000, 20)).astype(np.float32)
    tracemalloc.start()
    nearest_distances(queries, references, 3, max_bytes=4_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    whole = 20_000 * 2_000 * 4
    assert peak < 20_000_000 < whole


@pytest.mark.parametrize(
    ("k", "width", "message"), [(0, 2, "k = 0"), (4, 2, "k = 4"), (1, 3, "same anchors")]
)
def test_bad_input_is_named(k, width, message):
    with pytest.raises(ValueError, match=message):
        nearest_distances(np.zeros((1, 2)), np.zeros((3, width)), k)


@pytest.mark.parametrize("max_bytes", [4_000_000, 400])
@pytest.mark.parametrize("two_clouds", [False, True])
def test_close_neighbours_are_told_apart_in_single_precision(max_bytes, two_clouds):
    """Closer together than a dot product in single precision can see."""
    rng = np.random.default_rng(0)
    centre = rng.uniform(0.5, 1.0, 100)
    references = (centre + rng.normal(scale=1e-5, size=(150, 100))).astype(np.float32)
    if two_clouds:  # far from their common centre
        references[75:] *= np.float32(-1)
    queries = (centre + rng.normal(scale=1e-5, size=(40, 100))).astype(np.float32)
    distances, indices = nearest_distances(queries, references, 3, max_bytes)
    everything = cdist(queries.astype(float), references.astype(float))
    assert np.array_equal(indices, np.argsort(everything, axis=1)[:, :3])
    np.testing.assert_allclose(distances, np.sort(everything, axis=1)[:, :3], rtol=1e-5)
