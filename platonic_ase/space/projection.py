r"""Platonic coordinates: the cosines of embeddings with anchors.

.. math:: z_{ik} = \frac{(e_i - c) \cdot (a_k - c)}{\|e_i - c\| \, \|a_k - c\|}

with embeddings :math:`e_i`, anchors :math:`a_k` of the same model and an optional centre
:math:`c` (zero in Li and Walsh, arXiv:2512.05349; the mean over the anchor pool spreads the
cosines).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

_TINY = 1e-12


def unit_rows(vectors: np.ndarray, centre: np.ndarray | None = None) -> np.ndarray:
    """Centre vectors and scale each to unit length.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    centre : ndarray, shape (d,), optional
        Subtracted first.

    Returns
    -------
    ndarray, shape (n, d)
        Rows of length one; a zero vector stays zero.
    """
    if centre is not None:
        vectors = vectors - centre
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, _TINY))


def project(
    embeddings: np.ndarray, anchors: np.ndarray, centre: np.ndarray | None = None
) -> np.ndarray:
    """Platonic coordinates of embeddings.

    Parameters
    ----------
    embeddings : ndarray, shape (n_atoms, d)
    anchors : ndarray, shape (K, d)
    centre : ndarray, shape (d,), optional

    Returns
    -------
    ndarray, shape (n_atoms, K)
        Cosines, in [-1, 1] up to rounding.

    Raises
    ------
    ValueError
        If the widths d differ.
    """
    return Projector(anchors, centre)(embeddings)


class Projector:
    """The projection onto anchors whose directions are worked out once.

    Parameters
    ----------
    anchors : ndarray, shape (K, d)
    centre : ndarray, shape (d,), optional
    """

    def __init__(self, anchors: np.ndarray, centre: np.ndarray | None = None) -> None:
        self._anchors = anchors
        self._centre = centre
        self._cache: dict[Any, tuple[np.ndarray, np.ndarray | None]] = {}

    def __call__(self, embeddings: np.ndarray) -> np.ndarray:
        """Project embeddings, shape (n_atoms, d), to cosines, shape (n_atoms, K)."""
        _check_widths(embeddings, self._anchors)
        if embeddings.dtype.kind != "f" or embeddings.itemsize < 4:
            embeddings = embeddings.astype(np.float32)  # three digits are too few for cosines
        known = self._cache.get(embeddings.dtype)
        if known is None:
            units = unit_rows(self._anchors.astype(np.float64), self._centre)
            known = self._cache[embeddings.dtype] = (
                np.ascontiguousarray(units.T, dtype=embeddings.dtype),
                None if self._centre is None else self._centre.astype(embeddings.dtype),
            )
        units_t, centre = known
        if centre is not None:
            embeddings = embeddings - centre
        lengths = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings))
        platonic = embeddings @ units_t
        platonic /= np.maximum(lengths, _TINY, out=lengths)[:, None]
        return np.asarray(platonic)


class TorchProjector:
    """The same projection of tensors, on the model's own device and in its own dtype.

    Parameters
    ----------
    anchors : ndarray, shape (K, d)
    centre : ndarray, shape (d,), optional
    """

    def __init__(self, anchors: np.ndarray, centre: np.ndarray | None = None) -> None:
        self._anchors = anchors
        self._centre = centre
        self._cache: dict[tuple[Any, Any], tuple[torch.Tensor, torch.Tensor | None]] = {}

    def __call__(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Project embeddings, shape (n_atoms, d), to cosines, shape (n_atoms, K)."""
        import torch

        _check_widths(embeddings, self._anchors)
        if embeddings.dtype in (torch.bfloat16, torch.float16):
            embeddings = embeddings.float()  # three digits are too few for cosines
        key = (embeddings.device, embeddings.dtype)
        if key not in self._cache:
            units = unit_rows(self._anchors.astype(np.float64), self._centre)
            self._cache[key] = (
                torch.as_tensor(units).to(*key).T,
                None if self._centre is None else torch.as_tensor(self._centre).to(*key),
            )
        units_t, centre = self._cache[key]
        with torch.no_grad():
            if centre is not None:
                embeddings = embeddings - centre
            norms = torch.linalg.vector_norm(embeddings, dim=1, keepdim=True)
            platonic: torch.Tensor = (embeddings / norms.clamp_min(_TINY)) @ units_t
        return platonic


def _check_widths(embeddings: Any, anchors: Any) -> None:
    if embeddings.ndim != 2 or embeddings.shape[1] != anchors.shape[1]:
        raise ValueError(
            f"embeddings have shape {tuple(embeddings.shape)}, anchors "
            f"{tuple(anchors.shape)}: the second axes must be equal. Use anchors embedded by "
            "the same model and layer."
        )
