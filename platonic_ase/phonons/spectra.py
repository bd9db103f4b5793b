"""Distances between phonon spectra that are given by quantiles at equally spaced levels."""

from __future__ import annotations

import math

import numpy as np

SOFTEST_THZ = 0.01
"""Root-mean-square frequencies below count as this, so that they have a logarithm."""


def _weights(n: int) -> np.ndarray:
    weights = np.full(n, 1 / (n - 1))
    weights[[0, -1]] /= 2  # trapezoid
    return weights


def wasserstein(quantiles: np.ndarray, truth: np.ndarray) -> float:
    r"""Wasserstein-1 distance, :math:`\int_0^1 |q(p) - Q(p)|\,dp`, in the unit of the quantiles."""
    return float(_weights(len(truth)) @ np.abs(np.asarray(quantiles) - np.asarray(truth)))


def relative_error(quantiles: np.ndarray, truth: np.ndarray) -> float:
    """Wasserstein-1 distance over the mean of the truth."""
    return wasserstein(quantiles, truth) / float(_weights(len(truth)) @ np.asarray(truth))


def log_frequency(quantiles: np.ndarray) -> float:
    """Ln of the root-mean-square frequency, imaginary ones counted as negative squares.

    Parameters
    ----------
    quantiles : ndarray, shape (n,)
        THz, at equally spaced levels.
    """
    squares = float(_weights(len(quantiles)) @ (np.abs(quantiles) * quantiles))
    return math.log(max(squares, SOFTEST_THZ**2)) / 2


def best_log_factor(quantiles: np.ndarray, truth: np.ndarray) -> float:
    r"""Ln of the factor that brings a spectrum closest to the true one in the Wasserstein-1 sense.

    :math:`\sum_k w_k |f q_k - Q_k|` is convex and piecewise linear in f, with its minimum at one of
    the ratios :math:`Q_k / q_k`: their median, weighted with :math:`w_k |q_k|`. NaN where no factor
    mends the spectrum: half of it or more is imaginary, or all of it is zero.

    Parameters
    ----------
    quantiles, truth : ndarray, shape (n,)
        Of the model and of the truth, THz, at equally spaced levels.
    """
    mass = _weights(len(quantiles)) * np.abs(quantiles)
    used = mass > 0
    if not used.any():
        return math.nan
    ratios, mass = truth[used] / quantiles[used], mass[used]
    order = np.argsort(ratios)
    half = np.searchsorted(np.cumsum(mass[order]), mass.sum() / 2)
    best = float(ratios[order][min(half, len(order) - 1)])
    return math.log(best) if best > 0 else math.nan
