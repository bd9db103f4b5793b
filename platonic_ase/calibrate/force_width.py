r"""How widths grow with the distance, learnt from labels of other kinds of structures.

The width of :mod:`~platonic_ase.monitor.error_scale` is 1 within a reach and grows as a power of
the distance beyond it. Labels in kind cannot say where it begins to grow, nor how fast. Labels of
another kind can: frames at high stress, or at other temperatures and pressures. They are used for
one number, how far along one path to go,

.. math::

    a \in [a_0, a_1],\ p = 1 \quad \text{then} \quad a = a_0,\ p \in [1, p_1],

with :math:`a` the reach over the 97 % quantile of the distance in kind. Along it all bounds rise,
and with them the share of each kind that they cover, while the conformal quantile in kind keeps
the level there. Growth in proportion to the distance is widened until the level is covered, on
the mean over the kinds; only where even the shortest reach leaves more than :data:`SLACK` of it
uncovered is the growth made steeper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from platonic_ase.calibrate.force_reference import distances_to_others
from platonic_ase.calibrate.force_table import ForceErrors, join
from platonic_ase.monitor.error_scale import ErrorScale, unfamiliarity, widths
from platonic_ase.space.reference import conformal_quantile

REACH_LEVEL = 0.97
"""Share of the calibration's compounds, or rather of their atoms, nearer than the unit of reach."""
SHORTEST, LONGEST, STEEPEST = 0.5, 4.0, 3.0
"""Reaches over their unit, and the power. Half the unit is nearer than the median in kind."""
SLACK = 0.02
_HALVINGS = 12


@dataclass(frozen=True)
class Growth:
    """Where widths begin to grow, and how.

    Attributes
    ----------
    onset : float
        Reach over the quantile :data:`REACH_LEVEL` of the distance in kind.
    power : float
        Of the distance over the reach, beyond it.
    """

    onset: float
    power: float


POOLED = Growth(0.5, 1.8)
"""Mean of six models with labels of three kinds, see the benchmarks; powers from 1.0 to 3.0."""

Fit = Callable[[np.ndarray, float, float], ErrorScale]


def unit_of_reach(unfamiliar: np.ndarray, compounds: np.ndarray) -> float:
    """Quantile of the distance in kind, in units of the embedding.

    Parameters
    ----------
    unfamiliar : ndarray, shape (n,)
        Of :func:`~platonic_ase.monitor.error_scale.unfamiliarity`.
    compounds : ndarray of int, shape (n,)
        Each counts as one.
    """
    unit = conformal_quantile(unfamiliar, REACH_LEVEL, compounds)
    if not math.isfinite(unit):  # few compounds
        unit = float(unfamiliar.max())
    return max(unit, 1e-12)  # all environments are one


def learn_growth(
    table: ForceErrors,
    beyond: Sequence[ForceErrors],
    references: np.ndarray,
    level: float,
    fit: Fit,
) -> Growth:
    """Learn the growth of widths.

    Parameters
    ----------
    table : ForceErrors
        In kind.
    beyond : sequence of ForceErrors
        One for each other kind; each compound of one counts as one, and the kinds as equals.
    references : ndarray of int
        Rows of reference environments of ``table``.
    level : float
        Share that bounds are to cover.
    fit : callable
        Fits sizes of the errors in kind, given the widths there and the reach.
    """
    kinds = [table, *beyond]
    whole = join(kinds)
    ends = np.cumsum([len(each) for each in kinds])[:-1]
    distances = distances_to_others(whole, references)
    parts = np.split(unfamiliarity(distances, whole.structures), ends)
    unit = unit_of_reach(parts[0], table.compounds)
    growth = POOLED
    for _ in range(2):  # the fit in kind hardly depends on the growth
        reach = growth.onset * unit
        scale = fit(widths(parts[0], reach, growth.power), reach, growth.power)
        share = partial(_covered, kinds, parts, unit, scale, level)
        growth = _along_the_path(share, level)
    return growth


def _covered(
    kinds: Sequence[ForceErrors],
    unfamiliar: Sequence[np.ndarray],
    unit: float,
    scale: ErrorScale,
    level: float,
    growth: Growth,
) -> float:
    """Mean share of the kinds beyond within bounds that cover the level in kind."""
    ratios = []
    for each, found in zip(kinds, unfamiliar, strict=True):
        width = widths(found, growth.onset * unit, growth.power)
        ratios.append(each.errors / scale.at(each.forces, each.platonic, width))
    quantile = conformal_quantile(ratios[0], level, kinds[0].compounds)
    shares = [
        np.average(found <= quantile, weights=each.weights)
        for each, found in zip(kinds[1:], ratios[1:], strict=True)
    ]
    return float(np.mean(shares))


def _along_the_path(share: Callable[[Growth], float], level: float) -> Growth:
    """The least growth that covers enough; the steepest where none does."""
    if share(Growth(SHORTEST, 1.0)) >= level:
        onset = _halved(lambda x: share(Growth(x, 1.0)) >= level, SHORTEST, LONGEST)
        return Growth(onset, 1.0)
    enough = level - SLACK
    power = _halved(lambda x: share(Growth(SHORTEST, x)) >= enough, STEEPEST, 1.0)
    return Growth(SHORTEST, power)


def _halved(enough: Callable[[float], bool], most: float, least: float) -> float:
    """The least, between two ends, that is enough; ``most`` where nothing is."""
    if enough(least):
        return least
    for _ in range(_HALVINGS):
        middle = (most + least) / 2
        most, least = (middle, least) if enough(middle) else (most, middle)
    return most
