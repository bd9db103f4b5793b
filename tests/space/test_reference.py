import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.neighbours import ElementClouds
from platonic_ase.space.reference import conformal_quantile
from platonic_ase.space.reference_fit import fit_reference

IDENTITY = ModelIdentity("test", "1", "test", "0" * 32, "last", 3, "float64")
ANCHORS = AnchorSet(np.eye(3), np.ones(3, dtype=int), IDENTITY)


def environments(rng, n_groups=60, per_group=3, atoms=4):
    n = n_groups * per_group
    structures = np.repeat(np.arange(n), atoms)
    groups = [f"compound {i // per_group}" for i in range(n)]
    return (
        rng.normal(size=(len(structures), 3)),
        np.tile([1, 8], len(structures) // 2),
        structures,
        groups,
    )


@given(st.integers(1, 200), st.sampled_from([0.5, 0.8, 0.9, 0.99]))
def test_quantile_is_the_right_order_statistic(n, level):
    scores = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
    rank = math.ceil(round((n + 1) * level, 9))
    assert conformal_quantile(scores, level) == (rank if rank <= n else math.inf)


@pytest.mark.parametrize(("n", "level"), [(9, 0.9), (50, 0.9), (99, 0.99), (20, 0.8)])
def test_coverage_by_simulation(n, level):
    rng = np.random.default_rng(0)
    runs = 20_000
    scores = rng.exponential(size=(runs, n + 1))
    rank = math.ceil((n + 1) * level - 1e-9)
    thresholds = np.array([conformal_quantile(row, level) for row in scores[:2000, :-1]])
    np.testing.assert_array_equal(thresholds, np.sort(scores[:2000, :-1], axis=1)[:, rank - 1])
    covered = (scores[:, -1] <= np.sort(scores[:, :-1], axis=1)[:, rank - 1]).mean()
    expected = rank / (n + 1)
    assert expected >= level - 1e-9
    assert abs(covered - expected) < 4 * math.sqrt(expected * (1 - expected) / runs) + 1e-9


def test_thresholds_cover_new_structures_of_the_same_kind():
    rng = np.random.default_rng(0)
    z, numbers, structures, groups = environments(rng, n_groups=300)
    manifold = fit_reference(z, numbers, structures, groups, ANCHORS, level=0.9, alarm_level=0.9)
    new, kinds = rng.normal(size=(20_000, 3)), np.tile([1, 8], 10_000)
    scores = manifold.scores(manifold.distances(new, kinds), kinds)
    for element in (1, 8):
        assert (scores[kinds == element] > 1).mean() == pytest.approx(0.1, abs=0.03)
    worst = scores.reshape(-1, 4).max(axis=1)
    assert (worst > manifold.alarm).mean() == pytest.approx(0.1, abs=0.05)


def test_the_split_never_mixes_groups(monkeypatch):
    parts = {}
    original = ElementClouds.distances

    def spy(clouds, platonic, numbers):
        parts.setdefault("references", {tuple(row) for row in clouds._every.tolist()})
        parts.setdefault("calls", []).append({tuple(row) for row in np.asarray(platonic).tolist()})
        return original(clouds, platonic, numbers)

    monkeypatch.setattr(ElementClouds, "distances", spy)
    for seed in range(5):
        parts.clear()
        rng = np.random.default_rng(seed)
        z, numbers, structures, groups = environments(rng)
        z = z.astype(np.float32)
        fit_reference(
            z, numbers, structures, groups, ANCHORS,
            level=0.9, alarm_level=0.8, per_element=10**6, seed=seed,
        )  # fmt: skip
        owner = {tuple(row): groups[s] for row, s in zip(z.tolist(), structures, strict=True)}
        sets = [{owner[row] for row in rows} for rows in (parts["references"], *parts["calls"][:2])]
        assert len(sets) == 3
        assert set.union(*sets) == set(groups)
        for a in range(3):
            assert all(sets[a].isdisjoint(sets[b]) for b in range(a))
        assert [len(s) / 60 for s in sets] == pytest.approx([0.5, 0.3, 0.2], abs=0.02)


def test_thinning_keeps_at_most_so_many_of_an_element():
    z, numbers, structures, groups = environments(np.random.default_rng(0))
    manifold = fit_reference(
        z, numbers, structures, groups, ANCHORS, level=0.9, alarm_level=0.8, per_element=7
    )
    assert np.bincount(manifold.numbers).tolist() == [0, 7, 0, 0, 0, 0, 0, 0, 7]


def test_too_little_is_said():
    z, numbers, structures, groups = environments(np.random.default_rng(0), n_groups=2)
    with pytest.raises(ValueError, match="at least 3 groups"):
        fit_reference(z, numbers, structures, groups, ANCHORS)
    z, numbers, structures, groups = environments(np.random.default_rng(0), n_groups=6)
    with pytest.raises(ValueError, match=r"too few for level 0\.99; 99 are needed"):
        fit_reference(z, numbers, structures, groups, ANCHORS, level=0.99)
    with pytest.raises(ValueError, match=r"too few held-out groups for alarm level 0\.99"):
        fit_reference(z, numbers, structures, groups, ANCHORS, level=0.6)


@pytest.mark.parametrize("n_groups", [60, 200])
def test_copies_of_a_compound_do_not_count_as_compounds(n_groups):
    """Stated 0.90 covers 0.90 of environments of new compounds, though each comes in copies."""
    covered, alarms = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        copies = rng.integers(1, 12, size=n_groups)
        groups = [f"compound {i:03}" for i in np.repeat(np.arange(n_groups), copies)]
        n = len(groups)
        # what a compound has in common is larger than what tells its copies apart
        centres = rng.normal(size=(n_groups, 3))[np.repeat(np.arange(n_groups), copies)]
        z = np.repeat(centres, 2, axis=0) + 0.05 * rng.normal(size=(2 * n, 3))
        manifold = fit_reference(
            z, np.tile([1, 8], n), np.repeat(np.arange(n), 2), groups, ANCHORS,
            level=0.9, alarm_level=0.9, seed=seed,
        )  # fmt: skip
        new = np.repeat(rng.normal(size=(400, 3)), 2, axis=0) + 0.05 * rng.normal(size=(800, 3))
        kinds = np.tile([1, 8], 400)
        scores = manifold.scores(manifold.distances(new, kinds), kinds)
        covered.append((scores <= 1).mean())
        alarms.append((scores.reshape(-1, 2).max(axis=1) <= manifold.alarm).mean())
    # exchangeability promises 0.90 to 0.90 + 1 / (n + 1) on average; the spread is over the draws
    for values in (covered, alarms):
        error = np.std(values) / math.sqrt(len(values))
        assert 0.9 - 3 * error < np.mean(values) < 0.9 + 1 / (0.2 * n_groups) + 3 * error


def test_a_level_that_the_groups_do_not_support_is_lowered_and_said():
    z, numbers, structures, groups = environments(np.random.default_rng(0), n_groups=100)
    manifold = fit_reference(z, numbers, structures, groups, ANCHORS, level=0.9, alarm_level=0.99)
    assert manifold.alarm_level == pytest.approx(20 / 21)


def test_rare_elements_are_pooled_in_units_of_what_is_usual_for_each():
    """Elements of unlike spread, none in enough compounds for a threshold of its own."""
    spreads = np.geomspace(1, 8, 12)
    covered, unscaled = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        numbers = np.repeat(np.arange(1, 13), 14)  # 14 compounds of each, some four held out
        n = len(numbers)
        z = rng.normal(size=(n, 3)) * spreads[numbers - 1][:, None]
        manifold = fit_reference(
            z, numbers, np.arange(n), [f"compound {i:03}" for i in range(n)], ANCHORS,
            level=0.9, alarm_level=0.9, seed=seed,
        )  # fmt: skip
        new = rng.normal(size=(500, 3)) * spreads[-1]
        found = manifold.distances(new, np.full(500, 12))
        assert 12 in manifold.provenance["elements_sharing_a_threshold"]
        covered.append((found <= manifold.thresholds[12]).mean())
        unscaled.append((found <= manifold.pooled_threshold).mean())
    assert np.mean(covered) == pytest.approx(0.85, abs=0.05)  # drawn a little to the others
    assert np.mean(unscaled) < 0.7  # one threshold for all elements
