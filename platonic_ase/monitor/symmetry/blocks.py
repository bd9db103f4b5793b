r"""Block means of a correlated series, in memory that does not grow with its length.

Means over blocks much longer than the correlation time are as good as independent. Whether blocks
of :math:`L` frames are long enough is read off the variance of neighbouring blocks,

.. math:: D_L = \tfrac12 \langle (\bar x_{b+1} - \bar x_b)^2 \rangle, \qquad V_L = L D_L,

which only successive differences enter, so that a constant shift does not count as correlation:
:math:`V_L` grows with L until the blocks forget each other, and is constant from there on
(:math:`2 \tau \sigma^2`; Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989), block in the same
way).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_GROWTH = 1.3
"""V of longer blocks over V: below this a block is long enough."""
_AHEAD = 2
"""Doublings of the length over which it has to hold, where they are known."""
_DIFFERENCES = 6
"""Fewest differences of blocks that such a ratio rests on."""
_MEMORY = 32
"""Differences that the variance remembers, so that it follows a changing temperature."""


@dataclass
class _Level:
    differences: np.ndarray
    totals: np.ndarray | None = None  # sums of differences over orbits, once they are asked for
    count: int = 0
    last: np.ndarray | None = None
    half: np.ndarray | None = None


class BlockVariance:
    """Variance of the means of blocks of 1, 2, 4, ... frames.

    Parameters
    ----------
    labels : ndarray of int, shape (n_atoms,)
        Orbit of each atom: blocks have to be long enough for every orbit.
    """

    def __init__(self, labels: np.ndarray) -> None:
        self._labels = labels
        self._sizes = np.bincount(labels)
        self._shape = (len(labels), 3)
        self._levels: list[_Level] = []

    def add(self, frame: np.ndarray) -> None:
        """Add a frame, shape (n_atoms, 3)."""
        mean, k = np.asarray(frame, dtype=float), 0
        while True:
            if k == len(self._levels):
                self._levels.append(_Level(np.zeros(self._shape)))
            level = self._levels[k]
            if level.last is not None:
                level.count += 1
                share = 1 / min(level.count, _MEMORY)
                square = mean - level.last
                square *= square
                square *= 0.5
                square -= level.differences
                square *= share
                level.differences += square
                level.totals = None
            level.last = mean
            if level.half is None:
                level.half = mean
                return
            mean, level.half, k = 0.5 * (level.half + mean), None, k + 1

    @property
    def length(self) -> int | None:
        """Shortest block that has forgotten the one before, in frames; None while unknown."""
        known = [level for level in self._levels if level.count >= _DIFFERENCES]
        totals = [2.0**k * self._totals(level) for k, level in enumerate(known)]
        for k in range(len(totals) - 1):
            longer = totals[k + 1 : k + 1 + _AHEAD]
            if all(self._growth(totals[k], each) <= _GROWTH for each in longer):
                return int(2**k)
        return None

    def variance(self, length: int) -> np.ndarray:
        """Variance of the mean of a block of about this many frames, (n_atoms, 3)."""
        known = [k for k, level in enumerate(self._levels) if level.count >= 1]
        if not known:
            return np.full(self._shape, np.inf)
        k = min(round(math.log2(length)), known[-1])
        return self._levels[k].differences * 2.0**k / length

    def _totals(self, level: _Level) -> np.ndarray:
        if level.totals is None:
            weights = np.einsum("ij->i", level.differences)
            level.totals = np.bincount(self._labels, weights=weights)
        return level.totals

    def _growth(self, shorter: np.ndarray, longer: np.ndarray) -> float:
        """V of the longer blocks over V of the shorter, mean over the atoms; 0 where all rest."""
        ratios = np.divide(longer, shorter, out=np.zeros_like(longer), where=shorter > 0)
        return float(self._sizes @ ratios / self._sizes.sum())


class TaperedMean:
    r"""Mean over a block with weights that vanish at its ends.

    The taper :math:`\sin^2(\pi (j + 1/2) / L)` keeps vibrations of other periods than the
    block's from leaking into its mean, and neighbouring blocks apart.

    Parameters
    ----------
    length : int
        Frames.
    shape : tuple of int
        Of one frame.
    """

    def __init__(self, length: int, shape: tuple[int, ...]) -> None:
        self.length = length
        self.count = 0
        self._weight = 0.0
        self._sum = np.zeros(shape)

    def add(self, frame: np.ndarray) -> None:
        """Add a frame of that shape."""
        weight = math.sin(math.pi * (self.count + 0.5) / self.length) ** 2
        self.count += 1
        self._weight += weight
        self._sum += weight * frame

    @property
    def full(self) -> bool:
        """Whether the block is complete."""
        return self.count >= self.length

    @property
    def mean(self) -> np.ndarray:
        """Weighted mean, of the shape given."""
        return self._sum / self._weight
