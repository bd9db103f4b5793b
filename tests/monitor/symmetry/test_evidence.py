import copy
import math

import numpy as np
import pytest
from ase.build import bulk
from scipy.stats import binom

from platonic_ase.monitor.symmetry.blocks import BlockVariance
from platonic_ase.monitor.symmetry.evidence import SymmetryEvidence
from platonic_ase.monitor.symmetry.operations import find_operations
from platonic_ase.monitor.symmetry.orbits import find_orbits

SALT = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
OPERATIONS, LABELS = find_operations(SALT), find_orbits(SALT).labels


def noise(rng, steps):
    """White, but neighbours share most of it: a correlation between atoms."""
    shared = rng.normal(size=(steps, 1, 3)) * np.where(LABELS == 0, 1.0, -1.0)[:, None]
    return 0.1 * (shared + 0.3 * rng.normal(size=(steps, 8, 3)))


def polar(size):
    field = np.zeros((8, 3))
    field[LABELS == 1, 2] = size
    return field - field.mean(axis=0)


def test_the_bet_is_fair_for_every_past_and_every_block():
    rng = np.random.default_rng(0)
    evidence = SymmetryEvidence(OPERATIONS, LABELS)
    for frame in noise(rng, 400) + polar(0.05):
        evidence.add(frame)
    assert evidence.blocks > 3
    block = rng.normal(size=(8, 3))
    # what is staked on the new block is a fair bet, what is not staked yet stays
    n = evidence.blocks + 1
    staked = evidence._bets.mean() + 1 / (n * (n + 1))
    gains = []
    for image in OPERATIONS.apply(block):
        fork = copy.deepcopy(evidence)
        fork.blocks += 1
        fork._bet(np.array([OPERATIONS.vector_overlaps(past, image) for past in fork._means]))
        gains.append(fork._bets.mean())
        assert math.exp(fork.log_evidence) == pytest.approx(gains[-1] + 1 / (n + 1))
    assert np.mean(gains) == pytest.approx(staked, rel=1e-9)


def correlated(rng, steps, memory):
    """The same noise with a memory of so many frames (AR(1)), and its variance."""
    frames, keep = noise(rng, steps), math.exp(-1 / memory) if memory else 0.0
    for t in range(1, steps):
        frames[t] = keep * frames[t - 1] + math.sqrt(1 - keep**2) * frames[t]
    return frames


def highest_evidence(seed, memory, steps):
    evidence = SymmetryEvidence(OPERATIONS, LABELS)
    highest = 0.0
    for frame in correlated(np.random.default_rng(seed), steps, memory):
        evidence.add(frame)
        highest = max(highest, evidence.log_evidence)
    return highest, evidence.blocks


@pytest.mark.parametrize(("memory", "steps"), [(0, 400), (2, 1000)])
def test_false_alarms_are_as_rare_as_stated(memory, steps):
    """Ville: at most a share of 1/c of fair runs ever exceeds c, whatever c."""
    runs = [highest_evidence(seed, memory, steps) for seed in range(40)]
    assert np.median([blocks for _, blocks in runs]) > 3
    highest = np.exp([value for value, _ in runs])
    for c in (2, 5, 10, 20):
        alarms = int((highest >= c).sum())
        # as many or more of 40 have a probability below 1 % where the share is 1/c
        assert binom.sf(alarms - 1, len(runs), 1 / c) > 0.01, (c, alarms)


def test_an_unfair_bet_is_noticed():
    """The test above has to fail where blocks do not forget each other."""
    runs = []
    for seed in range(20):
        evidence = SymmetryEvidence(OPERATIONS, LABELS)
        evidence._variance = Forgetful(LABELS)
        highest = 0.0
        for frame in correlated(np.random.default_rng(seed), 400, 100):
            evidence.add(frame)
            highest = max(highest, evidence.log_evidence)
        runs.append(highest)
    alarms = int((np.exp(runs) >= 20).sum())
    assert binom.sf(alarms - 1, len(runs), 1 / 20) < 0.01, alarms


class Forgetful(BlockVariance):
    """Takes blocks of one frame for uncorrelated, which they are not."""

    @property
    def length(self):
        return 1


@pytest.mark.parametrize("begins", [0, 300])
def test_planted_order_is_found(begins):
    evidence = SymmetryEvidence(OPERATIONS, LABELS)
    found = None
    # any seed will do but for one in 200: seed 1, for one, has a false alarm before
    for t, frame in enumerate(noise(np.random.default_rng(4), 900)):
        evidence.add(frame + (polar(0.15) if t >= begins else 0.0))
        if found is None and evidence.log_evidence >= math.log(200):
            found = t
    assert found is not None
    assert found > begins
    # the long memory holds the symmetric beginning too
    order = polar(0.15)
    share = float((evidence.leaning * order).sum() / (order**2).sum())
    assert 0.95 * (1 - begins / 900) < share < 1.1
    across = evidence.leaning - share * order
    np.testing.assert_allclose(across, 0, atol=5 * evidence.error.max())


def test_a_displacement_that_keeps_the_symmetry_is_no_evidence():
    atoms = bulk("ZnO", "wurtzite", a=3.25, c=5.2)
    operations, labels = find_operations(atoms), find_orbits(atoms).labels
    shift = np.zeros((4, 3))
    shift[labels == 1, 2] = 0.5
    evidence = SymmetryEvidence(operations, labels)
    rng = np.random.default_rng(2)
    for _ in range(400):
        evidence.add(0.1 * rng.normal(size=(4, 3)) + shift)
    assert evidence.blocks > 5
    assert evidence.log_evidence < math.log(20)


def test_slow_wandering_is_not_called_order():
    evidence = SymmetryEvidence(OPERATIONS, LABELS)
    rng, x = np.random.default_rng(3), np.zeros((8, 3))
    for _ in range(1000):
        x = 0.9995 * x + 0.01 * rng.normal(size=(8, 3))
        evidence.add(x)
    assert evidence.log_evidence < math.log(20)
