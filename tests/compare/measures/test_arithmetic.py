import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import ortho_group, rankdata

from platonic_ase.compare.measures.arithmetic import grid_analogies, score_analogies


def grid(n_cations=5, n_anions=4, width=12, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    cations, anions = rng.normal(size=(n_cations, width)), rng.normal(size=(n_anions, width))
    first = np.repeat(np.arange(n_cations), n_anions)
    second = np.tile(np.arange(n_anions), n_cations)
    vectors = cations[first] + anions[second] + noise * rng.normal(size=(len(first), width))
    return vectors, grid_analogies(first, second)


def test_additive_vectors_are_always_found():
    vectors, analogies = grid()
    assert len(analogies) == 5 * 4 * 4 * 3
    found = score_analogies(vectors, analogies)
    assert found.hits_at_1 == found.hits_at_5 == found.mean_reciprocal_rank == 1
    assert found.n_candidates == 17


@pytest.mark.parametrize("exclude", [True, False])
def test_ranks_are_those_of_cosine_distance(exclude):
    vectors, analogies = grid(noise=1.0)
    found = score_analogies(vectors, analogies, exclude_queries=exclude)
    expected = []
    for a, b, c, d in analogies:
        distance = cdist([vectors[a] - vectors[b] + vectors[c]], vectors, "cosine")[0]
        if exclude:
            distance[[a, b, c]] = np.inf
        expected.append(rankdata(distance)[d])
    np.testing.assert_array_equal(found.ranks, expected)
    assert found.hits_at_5 == np.mean(np.array(expected) <= 5)
    assert found.mean_reciprocal_rank == pytest.approx(np.mean(1 / np.array(expected)))


def test_answers_are_looked_for_among_another_models_vectors():
    vectors, analogies = grid(noise=1.0)
    others = vectors + 0.5 * np.random.default_rng(1).normal(size=vectors.shape)
    found = score_analogies(vectors, analogies, candidates=others)
    expected = []
    for a, b, c, d in analogies:
        distance = cdist([vectors[a] - vectors[b] + vectors[c]], others, "cosine")[0]
        distance[[a, b, c]] = np.inf
        expected.append(rankdata(distance)[d])
    np.testing.assert_array_equal(found.ranks, expected)
    exact, analogies = grid()
    assert score_analogies(exact, analogies, candidates=3 * exact).hits_at_1 == 1
    assert score_analogies(exact, analogies, candidates=-exact).hits_at_5 == 0
    with pytest.raises(ValueError, match="candidates have shape"):
        score_analogies(exact, analogies, candidates=exact[:, :-1])


def test_random_vectors_score_what_chance_gives():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 30))
    analogies = np.array([rng.permutation(40)[:4] for _ in range(4000)])
    found = score_analogies(vectors, analogies)
    assert found.hits_at_1 == pytest.approx(found.chance_hits_at_1, abs=0.01)
    assert found.hits_at_5 == pytest.approx(found.chance_hits_at_5, abs=0.02)
    assert found.mean_reciprocal_rank == pytest.approx(found.chance_mean_reciprocal_rank, abs=0.01)
    assert found.chance_hits_at_5 == 5 / 37


def test_equal_candidates_share_the_mean_rank():
    vectors = np.array([[1.0, 0], [0, 1.0], [0, 2.0], [1.0, 1.0], [2.0, 2.0], [-1.0, 0]])
    found = score_analogies(vectors, [[0, 1, 2, 3]])  # (1, 1): vectors 3 and 4 tie
    assert found.ranks.tolist() == [1.5]
    assert found.hits_at_1 == 0


def test_grid_holds_elements_as_compounds_with_nothing():
    names = ["NaCl", "Na", "K", "KCl", "LiF"]
    cations, anions = ["Na", "Na", "K", "K", "Li"], ["Cl", None, None, "Cl", "F"]
    found = {tuple(names[i] for i in row) for row in grid_analogies(cations, anions)}
    assert ("NaCl", "Na", "K", "KCl") not in found
    assert ("NaCl", "KCl", "K", "Na") in found
    assert len(found) == 4
    assert grid_analogies(["Na", "K"], ["Cl", "Br"]).shape == (0, 4)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100))
def test_unchanged_by_rotation_and_scaling(seed, scale):
    vectors, analogies = grid(3, 3, 5, noise=1.0, seed=seed)
    moved = scale * vectors @ ortho_group.rvs(5, random_state=seed)
    np.testing.assert_array_equal(
        score_analogies(vectors, analogies).ranks, score_analogies(moved, analogies).ranks
    )


def test_bad_input_is_named():
    vectors, analogies = grid()
    with pytest.raises(ValueError, match="indices outside 0 to 3"):
        score_analogies(vectors[:4], [[0, 1, 2, 4]])
    for wrong in ([[0, 1, 2]], np.empty((0, 4), int), [[0.0, 1, 2, 3]]):
        with pytest.raises(ValueError, match=r"row \(a, b, c, d\) of integers"):
            score_analogies(vectors, wrong)
    with pytest.raises(ValueError, match="names a vector twice"):
        score_analogies(vectors, [[0, 1, 0, 2]])
    with pytest.raises(ValueError, match=r"vectors \[0\] are zero"):
        score_analogies(vectors * (np.arange(20) > 0)[:, None], analogies)
    with pytest.raises(ValueError, match="not finite"):
        score_analogies(vectors * np.nan, analogies)
    with pytest.raises(ValueError, match="only 1 of 2 pairs"):
        grid_analogies(["Na", "Na"], ["Cl", "Cl"])
    with pytest.raises(ValueError, match="first has 1 labels and second 2"):
        grid_analogies(["Na"], ["Cl", "Br"])
