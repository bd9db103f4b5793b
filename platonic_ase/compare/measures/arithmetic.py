"""Embedding arithmetic: z(NaCl) - z(Na) + z(K) ≈ z(KCl), scored by retrieval."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from platonic_ase.space._checks import Floats, as_points, chunks


@dataclass(frozen=True)
class AnalogyScore:
    """Retrieval of d as the candidate nearest a - b + c.

    Attributes
    ----------
    ranks
        Shape (n_analogies,), rank of the right answer from 1; the mean rank where candidates tie.
    hits_at_1, hits_at_5
        Share of analogies with a rank of at most 1 and 5.
    mean_reciprocal_rank
        Mean of 1 / rank.
    chance_hits_at_1, chance_hits_at_5, chance_mean_reciprocal_rank
        The same for a random order of the candidates: 1/N, 5/N and `Σ_r 1/r / N`.
    n_candidates
        N, candidates for each analogy.
    """

    ranks: Floats
    hits_at_1: float
    hits_at_5: float
    mean_reciprocal_rank: float
    chance_hits_at_1: float
    chance_hits_at_5: float
    chance_mean_reciprocal_rank: float
    n_candidates: int


def score_analogies(
    vectors: ArrayLike,
    analogies: ArrayLike,
    *,
    candidates: ArrayLike | None = None,
    exclude_queries: bool = True,
) -> AnalogyScore:
    """Score analogies a - b + c ≈ d by the cosine of a - b + c with every candidate.

    Parameters
    ----------
    vectors
        Shape (n, K), one row per material or environment. Centre them first where all cosines are
        close to 1.
    analogies
        Shape (n_analogies, 4), rows (a, b, c, d) of indices of four different vectors.
    candidates
        Shape (n, K), among which d is looked for: the same materials as another model sees them,
        in the same space. The vectors themselves by default.
    exclude_queries
        Whether a, b and c themselves are no candidates, as is the custom; without it the nearest
        vector is often a or c.

    References
    ----------
    T. Mikolov, W. Yih and G. Zweig, NAACL-HLT 2013, 746.
    """
    z = as_points(vectors, "vectors", at_least=4)
    quads = _quadruples(analogies, len(z))
    others = z if candidates is None else as_points(candidates, "candidates")
    if others.shape != z.shape:
        raise ValueError(
            f"candidates have shape {others.shape} and vectors {z.shape}; give the same materials "
            "in the same space"
        )
    norms = np.linalg.norm(others, axis=1)
    if not norms.all():
        raise ValueError(
            f"vectors {np.flatnonzero(norms == 0)[:5].tolist()} are zero and have no direction; "
            "leave them out"
        )
    unit = others / norms[:, None]
    ranks = np.empty(len(quads))
    for rows in chunks(len(quads), max(1, 2**22 // len(z))):
        a, b, c, d = quads[rows].T
        scores = (z[a] - z[b] + z[c]) @ unit.T
        each = np.arange(len(a))
        right = scores[each, d][:, None].copy()
        if exclude_queries:
            scores[each, a] = scores[each, b] = scores[each, c] = -np.inf
        # Products of equal vectors may differ in the last digits, and equal vectors tie.
        margin = 1e-12 * np.linalg.norm(z[a] - z[b] + z[c], axis=1)[:, None]
        better = (scores > right + margin).sum(axis=1)
        equal = (np.abs(scores - right) <= margin).sum(axis=1)
        ranks[rows] = better + (equal + 1) / 2
    n_candidates = len(z) - 3 * exclude_queries
    return AnalogyScore(
        ranks=ranks,
        hits_at_1=float((ranks <= 1).mean()),
        hits_at_5=float((ranks <= 5).mean()),
        mean_reciprocal_rank=float((1 / ranks).mean()),
        chance_hits_at_1=1 / n_candidates,
        chance_hits_at_5=min(5 / n_candidates, 1.0),
        chance_mean_reciprocal_rank=float((1 / np.arange(1, n_candidates + 1)).sum())
        / n_candidates,
        n_candidates=n_candidates,
    )


def grid_analogies(first: Sequence[Hashable], second: Sequence[Hashable]) -> NDArray[np.intp]:
    """Return every analogy (A, X) - (B, X) + (B, Y) → (A, Y) in a grid of labels.

    With cations and anions as labels, and None as the anion of the elements themselves, this
    holds NaCl - KCl + KBr → NaBr as well as NaCl - Na + K → KCl.

    Parameters
    ----------
    first, second
        The two labels of each vector, such as cation and anion; each pair of labels occurs once.

    Returns
    -------
    analogies
        Shape (n_analogies, 4), for `score_analogies`.

    Examples
    --------
    >>> grid_analogies(["Na", "K", "Na", "K"], ["Cl", "Cl", None, None])[0]
    array([0, 1, 3, 2])
    """
    if len(first) != len(second):
        raise ValueError(f"first has {len(first)} labels and second {len(second)}; give pairs")
    index = {pair: i for i, pair in enumerate(zip(first, second, strict=True))}
    if len(index) < len(first):
        raise ValueError(
            f"only {len(index)} of {len(first)} pairs of labels are distinct; keep one vector each"
        )
    found = [
        (ax, index[b, x], index[b, y], index[a, y])
        for (a, x), ax in index.items()
        for b in dict.fromkeys(first)
        for y in dict.fromkeys(second)
        if a != b and x != y and {(b, x), (b, y), (a, y)} <= index.keys()
    ]
    return np.array(found, np.intp).reshape(-1, 4)


def _quadruples(analogies: ArrayLike, n: int) -> NDArray[np.intp]:
    quads = np.asarray(analogies)
    if quads.ndim != 2 or quads.shape[1] != 4 or not len(quads) or quads.dtype.kind not in "iu":
        raise ValueError(
            f"analogies have shape {quads.shape} and dtype {quads.dtype}; expected at least one "
            "row (a, b, c, d) of integers"
        )
    if quads.min() < 0 or quads.max() >= n:
        raise ValueError(f"analogies have indices outside 0 to {n - 1}, the rows of vectors")
    if (np.diff(np.sort(quads, axis=1), axis=1) == 0).any():
        raise ValueError("an analogy names a vector twice; a, b, c and d must be different")
    return quads.astype(np.intp)
