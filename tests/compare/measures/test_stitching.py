import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from platonic_ase.compare.measures.stitching import (
    fit_head,
    padded,
    pca_aligned,
    procrustes_aligned,
    stitch,
)


def data(n=120, width=6, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, size=(n, width)) * (1 + np.arange(width))
    return x, x @ rng.normal(size=width) + 0.1 * rng.normal(size=n), rng.random(n) < 0.7


def cosines(x, anchors):
    unit = anchors / np.linalg.norm(anchors, axis=1, keepdims=True)
    return x / np.linalg.norm(x, axis=1, keepdims=True) @ unit.T


def test_regression_head_is_scikit_learns_ridge():
    x, y, train = data()
    scaler = StandardScaler().fit(x[train])
    model = Ridge(alpha=0.3 * train.sum()).fit(scaler.transform(x[train]), y[train])
    head = fit_head(x[train], y[train], ridge=0.3)
    expected = model.predict(scaler.transform(x[~train]))
    np.testing.assert_allclose(head.predict(x[~train]), expected, atol=1e-9)
    found = stitch(x, x, y, train=train, ridge=0.3)
    assert found.own == found.stitched == pytest.approx(r2_score(y[~train], expected), abs=1e-9)
    constant = np.full((~train).sum(), y[train].mean())
    assert found.chance == pytest.approx(r2_score(y[~train], constant), abs=1e-9)


def test_classification_head_finds_separated_classes():
    rng = np.random.default_rng(0)
    element = rng.choice(["Na", "Cl", "K"], size=200, p=[0.5, 0.3, 0.2])
    place = {"Na": [0, 0], "Cl": [9, 0], "K": [0, 9]}
    x = np.array([place[e] for e in element]) + rng.normal(size=(200, 2))
    train = np.arange(200) < 100
    found = stitch(x, x + 0.01, element, train=train)
    assert found.own == found.stitched == 1
    assert found.chance == (element[100:] == "Na").mean()
    assert set(fit_head(x, element).predict(x)) == {"Na", "Cl", "K"}


def test_platonic_coordinates_stitch_a_rotated_model_and_raw_ones_do_not():
    x, y, train = data(n=300)
    rotated = 3 * x @ ortho_group.rvs(6, random_state=0)
    anchors = np.arange(0, 300, 10)
    platonic = [cosines(model, model[anchors]) for model in (x, rotated)]
    zero_shot = stitch(*platonic, y, train=train)
    assert zero_shot.stitched == pytest.approx(zero_shot.own, abs=1e-6)
    assert zero_shot.own > 0.5
    assert stitch(*padded(x, rotated), y, train=train).stitched < 0.3
    fitted = stitch(*procrustes_aligned(x, rotated, x[anchors], rotated[anchors]), y, train=train)
    assert fitted.stitched == pytest.approx(fitted.own, abs=1e-6)
    aligned = stitch(*pca_aligned(x, rotated), y, train=train)
    assert aligned.stitched == pytest.approx(aligned.own, abs=1e-6)


def test_principal_components_are_those_of_scikit_learn():
    x, _, _ = data()
    first, second = pca_aligned(x, x[:, :4])
    assert first.shape == second.shape == (120, 4)
    expected = PCA().fit_transform(x)[:, :4]
    scale = np.sqrt(((x - x.mean(axis=0)) ** 2).sum(axis=1).mean())
    np.testing.assert_allclose(np.abs(first), np.abs(expected) / scale, atol=1e-9)
    assert ((first**3).sum(axis=0) >= 0).all()


def test_padding_keeps_distances_in_common_units():
    x, _, _ = data()
    first, second = padded(5 * x, x[:, :4])
    assert first.shape == second.shape == (120, 6)
    assert (second[:, 4:] == 0).all()
    for points in (first, second):
        np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-12)
        assert (points**2).sum(axis=1).mean() == pytest.approx(1)


def test_constant_columns_do_not_spoil_a_head():
    x, y, _ = data()
    with_constant = np.hstack([x, np.ones((len(x), 1))])
    np.testing.assert_allclose(
        fit_head(with_constant, y).predict(with_constant), fit_head(x, y).predict(x), atol=1e-9
    )


@pytest.mark.parametrize("spread", [0.0, 1e-40])
def test_what_is_dead_in_one_model_counts_for_nothing_on_another(spread):
    x, y, train = data()
    dead = spread * np.random.default_rng(1).random((len(x), 1))
    alive = np.full_like(dead, 0.3)
    found = stitch(np.hstack([x, dead]), np.hstack([x, alive]), y, train=train)
    assert found.stitched == pytest.approx(stitch(x, x, y, train=train).stitched, abs=1e-9)


def test_bad_input_is_named():
    x, y, train = data()
    with pytest.raises(ValueError, match="source has 120 rows and target has 119"):
        stitch(x, x[1:], y, train=train)
    with pytest.raises(ValueError, match="expected 120 booleans"):
        stitch(x, x, y, train=np.arange(5))
    with pytest.raises(ValueError, match="some true and some false"):
        stitch(x, x, y, train=np.ones(120, bool))
    with pytest.raises(ValueError, match="labels have shape"):
        stitch(x, x, y[1:], train=train)
    with pytest.raises(ValueError, match="coordinates have 5 columns; the head was fitted on 6"):
        stitch(x, x[:, :5], y, train=train)
    with pytest.raises(ValueError, match="targets has values that are not finite in 120"):
        fit_head(x, y * np.nan)
    with pytest.raises(ValueError, match="targets have shape"):
        fit_head(x, y[:, None])
    with pytest.raises(ValueError, match="ridge is 0"):
        fit_head(x, y, ridge=0)
    with pytest.raises(ValueError, match="nothing to stitch"):
        padded(x, np.ones((120, 2)))
