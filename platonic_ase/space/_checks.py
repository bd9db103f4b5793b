"""Checks of incoming arrays, with errors that name the remedy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]


def as_points(points: ArrayLike, name: str = "embeddings", *, at_least: int = 1) -> Floats:
    """Return `points` as a finite (n, d) floating-point array, without a copy where possible.

    Parameters
    ----------
    points
        Shape (n, d). float32 and float64 are kept, anything else becomes float64.
    name
        What the caller calls this array, for the messages.
    at_least
        Smallest number of rows allowed.

    Raises
    ------
    ValueError
        For a wrong shape, too few rows or a value that is not finite.
    """
    array = np.asarray(points)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(
            f"{name} has shape {array.shape}; expected (n, d) with d > 0: one row per atom"
        )
    if len(array) < at_least:
        raise ValueError(f"{name} has {len(array)} rows; at least {at_least} are needed: add atoms")
    # One pass without a mask: a sum is finite unless a term is not, or it overflows.
    if not np.isfinite(array.sum(dtype=np.float64)):
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if len(bad):
            raise ValueError(
                f"{name} has values that are not finite in {len(bad)} of {len(array)} rows "
                f"(first: {bad[:5].tolist()}); leave out these atoms or embed them again"
            )
    return array


def as_pair(
    x: ArrayLike, y: ArrayLike, names: tuple[str, str] = ("x", "y"), *, at_least: int = 2
) -> tuple[Floats, Floats]:
    """Return two checked arrays whose rows are the same atoms, shapes (n, d_x) and (n, d_y).

    Raises
    ------
    ValueError
        As `as_points`, and when the numbers of rows differ.
    """
    first = as_points(x, names[0], at_least=at_least)
    second = as_points(y, names[1], at_least=at_least)
    if len(first) != len(second):
        raise ValueError(
            f"{names[0]} has {len(first)} rows and {names[1]} has {len(second)}; row i of both "
            "must be the same atom: embed the same structures in the same order"
        )
    return first, second


def chunks(n: int, size: int) -> list[slice]:
    """Return slices that cover range(n) in steps of `size`."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
