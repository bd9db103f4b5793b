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
