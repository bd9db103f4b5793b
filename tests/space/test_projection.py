import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from platonic_ase.space.projection import TorchProjector, project, unit_rows

# rows set to the centre below are used without it as well: not to be tiny either
FLOATS = st.floats(-10, 10).map(lambda x: 0.0 if abs(x) < 1e-3 else x)


@st.composite
def clouds(draw):
    n, k, d = (draw(st.integers(1, 8)) for _ in range(3))
    embeddings = draw(arrays(float, (n, d), elements=FLOATS))
    anchors = draw(arrays(float, (k, d), elements=FLOATS))
    centre = draw(st.none() | arrays(float, (d,), elements=FLOATS))
    # a cosine with a vector that is all rounding is all rounding
    origin = 0 if centre is None else centre
    for rows in (embeddings, anchors):
        rows[np.linalg.norm(rows - origin, axis=1) < 1e-3] = 0 if centre is None else centre
    return embeddings, anchors, centre


@settings(max_examples=60)
@given(clouds())
def test_torch_is_numpy(cloud):
    embeddings, anchors, centre = cloud
    expected = project(embeddings, anchors, centre)
    projector = TorchProjector(anchors, centre)
    found = projector(torch.as_tensor(embeddings))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-10)


@settings(max_examples=60)
@given(clouds())
def test_cosines_are_bounded_and_blind_to_length(cloud):
    embeddings, anchors, _ = cloud
    z = project(embeddings, anchors)
    assert np.abs(z).max() <= 1 + 1e-12
    np.testing.assert_allclose(project(3 * embeddings, 0.5 * anchors), z, atol=1e-12)
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(anchors.shape[1],) * 2))
    np.testing.assert_allclose(project(embeddings @ rotation, anchors @ rotation), z, atol=1e-9)


@settings(max_examples=60)
@given(clouds())
def test_an_anchor_is_at_one_with_itself(cloud):
    _, anchors, centre = cloud
    own = np.diag(project(anchors, anchors, centre))
    lengths = np.linalg.norm(anchors - (0 if centre is None else centre), axis=1)
    np.testing.assert_allclose(own, (lengths > 0).astype(float), atol=1e-12)


def test_single_precision_stays_single():
    rng = np.random.default_rng(0)
    embeddings, anchors = rng.normal(size=(5, 64)), rng.normal(size=(100, 64))
    projector = TorchProjector(anchors)
    found = projector(torch.as_tensor(embeddings, dtype=torch.float32))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), project(embeddings, anchors), atol=1e-6)


def test_no_graph_comes_out():
    embeddings = torch.ones((2, 3), requires_grad=True)
    assert not TorchProjector(np.eye(3))(embeddings).requires_grad


def test_a_zero_vector_stays_zero():
    assert unit_rows(np.zeros((1, 3))).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("call", [project, lambda e, a: TorchProjector(a)(torch.as_tensor(e))])
def test_widths_must_agree(call):
    with pytest.raises(ValueError, match=r"\(2, 3\), anchors \(5, 4\)"):
        call(np.zeros((2, 3)), np.zeros((5, 4)))
