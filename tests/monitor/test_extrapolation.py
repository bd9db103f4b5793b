import numpy as np
import pytest
from ase import Atoms

from platonic_ase.monitor import Frame, ManifoldDistance
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.reference import ReferenceManifold

IDENTITY = ModelIdentity("test", "1", "test", "0" * 32, "last", 3, "float64")
ANCHORS = AnchorSet(np.eye(3), np.ones(3, dtype=int), IDENTITY)


def manifold(**changes):
    values = {
        "platonic": np.array([[0.0, 0, 0], [1, 0, 0], [0, 5, 0]]),
        "numbers": np.array([1, 1, 8]),
        "thresholds": {1: 0.5, 8: 0.25},
        "counts": {1: 9, 8: 9},
        "pooled_threshold": 2.0,
        "alarm": 4.0,
        "level": 0.9,
        "alarm_level": 0.9,
        "identity": IDENTITY,
        "anchors_digest": ANCHORS.digest,
    }
    return ReferenceManifold(**{**values, **changes})


def examine(watcher, state, z, symbols="HO", revisited=False, reference=None, moving=False):
    frame = Frame(
        0, Atoms(symbols, np.zeros((len(z), 3))), z, z, {},
        reference=reference or manifold(), revisited=revisited, moving=moving,
    )  # fmt: skip
    return watcher.examine(frame, state)


def test_distances_and_scores_are_those_of_the_element():
    watcher = ManifoldDistance()
    finding = examine(watcher, watcher.start(None), np.array([[0.5, 0, 0], [0, 5, 0.5]]))
    np.testing.assert_allclose(finding.per_atom["manifold_distance"], [0.5, 0.5])
    np.testing.assert_allclose(finding.per_atom["extrapolation_score"], [1.0, 2.0])
    assert finding.scalars["beyond_threshold"] == 1
    assert finding.signals[0].atoms == ()


def test_atoms_beyond_the_alarm_are_named_worst_first():
    watcher = ManifoldDistance()
    z = np.array([[0, 0, 3.0], [0, 5, 1.5], [0, 5, 0.5]])
    finding = examine(watcher, watcher.start(None), z, symbols="HOO")
    # hydrogen: (3 + sqrt(10)) / 2 / 0.5, oxygen: 1.5 / 0.25 and 0.5 / 0.25, against 4
    np.testing.assert_allclose(finding.per_atom["extrapolation_score"], [3 + np.sqrt(10), 6.0, 2.0])
    assert finding.signals[0].atoms == (0, 1)


def test_an_unknown_element_is_said():
    watcher = ManifoldDistance()
    finding = examine(watcher, watcher.start(None), np.zeros((1, 3)), symbols="U")
    assert "not known to handle U" in finding.signals[0].message
    # mean distance to the three nearest of any element, over the pooled threshold
    assert finding.scalars["extrapolation_score"] == pytest.approx((0 + 1 + 5) / 3 / 2)


def levels(distances, persistence, revisited=(), moving=True):
    watcher = ManifoldDistance(persistence)
    state = watcher.start(None)
    return [
        examine(
            watcher, state, np.array([[0.5, 0, 0], [0, 5 + d, 0]]),
            revisited=i in revisited, moving=moving,
        ).signals[0].level
        for i, d in enumerate(distances)
    ]  # fmt: skip


def test_it_has_to_last():
    # d / 0.25 / alarm 4: a level of d
    assert levels([0.5, 2, 2, 2, 0.5, 2], 3) == pytest.approx([0.5, 0.5, 0.5, 2, 0.5, 0.5])
    assert levels([2, 0.5], 1) == pytest.approx([2, 0.5])


def test_a_structure_seen_once_is_judged_by_itself():
    assert levels([2], 3) == pytest.approx([2])
    # volumes of an equation of state, steps of a relaxation
    assert levels([0.5, 2, 0.5], 3, moving=False) == pytest.approx([0.5, 2, 0.5])


def test_a_geometry_that_comes_back_does_not_count():
    assert levels([0.5, 2, 2, 2], 3, revisited=(2, 3))[-1] == 0.5
    assert levels([0.5, 2, 2, 2], 3)[-1] == 2


def test_without_a_reference_it_says_uncalibrated():
    frame = Frame(0, Atoms("H"), np.zeros((1, 3)), np.zeros((1, 3)), {})
    finding = ManifoldDistance().examine(frame, [])
    assert finding.risks == {"extrapolation": "uncalibrated"}
    assert finding.signals == ()


def test_persistence_is_checked():
    with pytest.raises(ValueError, match="persistence = 0"):
        ManifoldDistance(0)


def test_a_distance_alone_can_be_kept_from_warning():
    """Where force errors are calibrated, they warn; the distance is still measured."""
    far = np.array([[0, 0, 3.0]])
    loud, quiet = (
        examine(watcher, watcher.start(None), far, symbols="H")
        for watcher in (ManifoldDistance(1), ManifoldDistance(1, warn=False))
    )
    assert loud.signals[0].level > 1
    assert not quiet.signals
    assert quiet.scalars == loud.scalars
