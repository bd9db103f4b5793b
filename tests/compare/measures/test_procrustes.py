import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes, sqrtm
from scipy.spatial import procrustes
from scipy.stats import ortho_group

from platonic_ase.compare.measures.procrustes import angular_procrustes, orthogonal_map


def pair(n=40, widths=(4, 4), seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, widths[0])) + 3
    return x, x @ rng.normal(size=widths) + 0.4 * rng.normal(size=(n, widths[1]))


def test_angle_equals_scipys_disparity():
    x, y = pair()
    disparity = procrustes(x, y)[2]  # 1 - cos² of the angle
    assert np.sin(angular_procrustes(x, y)) ** 2 == pytest.approx(disparity, abs=1e-12)


def test_angle_equals_the_bures_form_for_different_widths():
    x, y = (points - points.mean(axis=0) for points in pair(n=12, widths=(3, 6)))
    k, m = x @ x.T / np.trace(x @ x.T), y @ y.T / np.trace(y @ y.T)
    fidelity = np.trace(sqrtm(sqrtm(k) @ m @ sqrtm(k))).real
    assert angular_procrustes(x, y) == pytest.approx(np.arccos(fidelity), abs=1e-6)


def test_orthogonal_columns_are_at_a_right_angle():
    t = 2 * np.pi * np.arange(16) / 16
    first, second = (np.stack([np.cos(m * t), np.sin(m * t)], axis=1) for m in (1, 2))
    assert angular_procrustes(first, second) == pytest.approx(np.pi / 2, abs=1e-7)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100))
def test_angle_is_an_invariant_metric(seed, scale):
    x, y = pair(n=20, seed=seed)
    z = np.random.default_rng(seed + 1).normal(size=(20, 6))
    rotation = ortho_group.rvs(4, random_state=seed)
    angle = angular_procrustes(x, y)
    assert angular_procrustes(x, -scale * y @ rotation + 7) == pytest.approx(angle, abs=1e-6)
    assert angular_procrustes(y, x) == pytest.approx(angle, abs=1e-9)
    assert angular_procrustes(x, x) < 1e-6
    assert angular_procrustes(x, z) <= angle + angular_procrustes(y, z) + 1e-9
    assert 0 <= angle <= np.pi / 2


def test_map_is_scipys_rotation():
    x, y = pair()
    rotation, _ = orthogonal_procrustes(x - x.mean(axis=0), y - y.mean(axis=0))
    fitted = orthogonal_map(x, y)
    np.testing.assert_allclose(fitted.rotation, rotation, atol=1e-10)
    assert fitted.scale == 1


@pytest.mark.parametrize("widths", [(3, 3), (3, 5), (5, 3)])
def test_map_recovers_a_planted_similarity(widths):
    narrow = min(widths)
    latent = np.random.default_rng(0).normal(size=(30, narrow))
    into_source, into_target = (ortho_group.rvs(w, random_state=1)[:narrow] for w in widths)
    source = latent @ into_source + 4
    target = 2.5 * latent @ into_target + np.arange(widths[1])
    mapping = orthogonal_map(source, target, scaling=True)
    np.testing.assert_allclose(mapping(source), target, atol=1e-10)
    assert mapping.scale == pytest.approx(2.5)


def test_scale_is_the_least_squares_one():
    x, y = pair()
    best = orthogonal_map(x, y, scaling=True)
    loss = {
        f: np.square(f * (x - best.source_mean) @ best.rotation + best.target_mean - y).sum()
        for f in (best.scale, 0.999 * best.scale, 1.001 * best.scale)
    }
    assert min(loss, key=loss.get) == best.scale


def test_bad_input_is_named():
    x, y = pair()
    with pytest.raises(ValueError, match="x has 40 rows and y has 39"):
        angular_procrustes(x, y[1:])
    with pytest.raises(ValueError, match="all 40 embeddings in y are equal"):
        angular_procrustes(x, np.full((40, 2), 0.1))
    with pytest.raises(ValueError, match="not finite"):
        angular_procrustes(x, y * np.nan)
    with pytest.raises(ValueError, match="source has 40 rows and target has 39"):
        orthogonal_map(x, y[1:])
    with pytest.raises(ValueError, match="points have 3 columns; this map takes 4"):
        orthogonal_map(x, y)(x[:, :3])
    with pytest.raises(ValueError, match="all rows of source are equal"):
        orthogonal_map(np.ones((5, 2)), np.eye(5), scaling=True)
