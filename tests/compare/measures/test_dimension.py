import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.stats import ortho_group

from platonic_ase.compare.measures.dimension import distinct, two_nn


def facco(x, discard=0.1):
    """The recipe of the paper, step by step, on an explicit distance matrix."""
    distances = np.sort(squareform(pdist(x)), axis=1)
    mu = np.sort(distances[:, 2] / distances[:, 1])
    n = len(mu)
    points = [(np.log(m), -np.log(1 - (i + 1) / n)) for i, m in enumerate(mu[:-1])]
    points = np.array(points[: int(n * (1 - discard))])
    slope, *_ = np.linalg.lstsq(points[:, :1], points[:, 1], rcond=None)
    return slope[0]


@pytest.mark.parametrize("discard", [0.1, 0.3])
def test_equals_the_recipe_of_the_paper(discard):
    x = np.random.default_rng(0).normal(size=(300, 4))
    found = two_nn(x, discard=discard)
    assert found.dimension == pytest.approx(facco(x, discard), abs=1e-9)
    assert found.collapsed_fraction == 0
    assert found.n_distinct == 300


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_finds_the_dimension_of_a_uniform_set_in_a_wider_space(dimension):
    rng = np.random.default_rng(dimension)
    cube = rng.random(size=(4000, dimension))
    x = cube @ np.linalg.qr(rng.normal(size=(20, dimension)))[0].T
    assert two_nn(x).dimension == pytest.approx(dimension, rel=0.08)


@pytest.mark.parametrize("copies", [2, 3, 48])
def test_copies_are_counted_as_collapsed_and_change_nothing_else(copies):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6))
    twins = np.repeat(x[:50], copies, axis=0) + 1e-9 * rng.normal(size=(50 * copies, 6))
    mixed = np.concatenate([twins, x[50:]])[rng.permutation(50 * copies + 150)]
    found = two_nn(mixed)
    assert found.n_distinct == 200
    assert found.collapsed_fraction == 50 * copies / (50 * copies + 150)
    assert found.dimension == pytest.approx(two_nn(x).dimension, rel=1e-5)


def test_first_of_those_that_coincide_stands_for_all():
    x = np.array([[0.0], [5.0], [0.0], [1.0], [5.0], [0.0]])
    assert distinct(x).tolist() == [0, 1, 0, 3, 1, 0]


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100))
def test_unchanged_by_rotation_scaling_translation_and_order(seed, scale):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 3))
    moved = scale * x[rng.permutation(60)] @ ortho_group.rvs(3, random_state=seed) + 1
    assert two_nn(moved).dimension == pytest.approx(two_nn(x).dimension, rel=1e-6)


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.eye(2), {}, "at least 3 are needed"),
        (np.repeat(np.eye(2), 5, axis=0), {}, "only 2 of 10 embeddings are distinct"),
        (np.ones((9, 2)), {}, "only 1 of 9"),
        (np.full((9, 2), np.nan), {}, "not finite"),
        (np.eye(9), {"discard": 1.0}, "discard is 1.0"),
        (np.eye(9), {}, "at the same distance"),
    ],
)
def test_bad_input_is_named(x, options, message):
    with pytest.raises(ValueError, match=message):
        two_nn(x, **options)
