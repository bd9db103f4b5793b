"""Where the size of a force error is known to stay below a limit, it does."""

import numpy as np
import pytest
from ase import Atoms

from platonic_ase.monitor import Frame
from platonic_ase.monitor.error_scale import ErrorScale, widths
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.identity import ModelIdentity

IDENTITY = ModelIdentity("mock", "1", "mock", "ab12", "last", 4, "float64", {})
K, COUNT = 6, 12


def test_widths_are_one_within_reach_and_a_power_beyond():
    at = np.array([0.0, 0.5, 1.0, 2.0, 4.0])
    np.testing.assert_array_equal(widths(at, 1.0, 1.0), [1, 1, 1, 2, 4])
    np.testing.assert_allclose(widths(at, 2.0, 1.5), [1, 1, 1, 1, 2**1.5])
    rising = widths(np.linspace(0, 9, 200), 1.3, 1.7)
    assert (np.diff(rising) >= 0).all()


@pytest.mark.parametrize("growth", [1.0, 2.0])
@pytest.mark.parametrize("reach", [0.5, 1.5, 4.0])
def test_in_its_ball_no_size_exceeds_the_limit(growth, reach):
    """The reach before, amid and beyond the atoms; atoms move to the edges of their balls."""
    rng = np.random.default_rng(0)
    anchors = AnchorSet(rng.normal(size=(K, 4)), np.full(K, 6), IDENTITY)
    embeddings = rng.normal(size=(COUNT, 4))
    platonic = anchors.project(embeddings)
    scale = ErrorScale(
        intercept=-1.0, floor=0.1, power=0.6, mean=platonic.mean(axis=0),
        directions=np.linalg.qr(rng.normal(size=(K, 3)))[0] * 4, coefficients=rng.normal(size=3),
        references=rng.normal(size=(40, 4)), reference_numbers=np.full(40, 6), reach=reach,
        growth=growth,
    )  # fmt: skip
    atoms, numbers = Atoms(f"C{COUNT}"), np.full(COUNT, 6)
    frame = Frame(0, atoms, embeddings, platonic, {}, anchors=anchors)
    at_rest = scale(np.zeros((COUNT, 3)), platonic, embeddings, numbers)
    limit = 4 * float(at_rest.max())
    balls, squares = scale.calm(limit, frame, scale.distances(embeddings, numbers))
    assert (squares > 0).any()
    nearest = 0.0
    for _ in range(300):
        step = rng.normal(size=(COUNT, 4))
        step *= 0.2 * reach * 0.999 / np.linalg.norm(step, axis=1, keepdims=True)
        moved = embeddings + step
        assert balls.hold(moved)
        forces = np.zeros((COUNT, 3))
        forces[:, 0] = np.sqrt(np.maximum(squares, 0))
        sizes = scale(forces, anchors.project(moved), moved, numbers)
        assert (sizes[squares > 0] < limit).all()
        nearest = max(nearest, float(sizes[squares > 0].max() / limit))
    assert nearest > 0.2  # the bound is not so wide that it says nothing
