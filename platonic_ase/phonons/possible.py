"""Relative errors of phonons that are possible, and the interval that holds most of them."""

from __future__ import annotations

import math

import numpy as np

_NODES = (np.arange(101) + 0.5) / 101
_HELD = 0.9


def possible_errors(mean: float, deviation: float, mismatches: np.ndarray) -> np.ndarray:
    r"""Relative errors that are possible, all equally likely, shape (101 n,).

    Parameters
    ----------
    mean, deviation : float
        Of :math:`\delta`.
    mismatches : ndarray, shape (n,)
        What no factor mends.
    """
    from scipy.special import ndtri

    factor = 1 - np.exp(mean + deviation * ndtri(_NODES))
    return np.asarray(np.hypot(factor[:, None], mismatches[None, :]).ravel())


def shortest_interval(errors: np.ndarray, share: float = _HELD) -> tuple[float, float]:
    """Of all intervals that hold a share of the errors, the shortest.

    Equal tails would leave out the smallest errors, which is where those of a good model are.

    Parameters
    ----------
    errors : ndarray, shape (n,)
    share : float
        In (0, 1].
    """
    ascending = np.sort(errors)
    held = math.ceil(share * len(ascending) - 1e-9)
    first = int(np.argmin(ascending[held - 1 :] - ascending[: len(ascending) - held + 1]))
    return float(ascending[first]), float(ascending[first + held - 1])
