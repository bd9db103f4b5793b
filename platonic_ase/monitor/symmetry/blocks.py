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
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from platonic_ase.monitor.symmetry.members import Members

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
    totals: np.ndarray  # mean square differences, summed over each orbit
    count: int = 0
    last: np.ndarray | None = None
    half: np.ndarray | None = None


class BlockVariance:
    """Variance of the means of blocks of 1, 2, 4, ... frames, over each orbit.

    Parameters
    ----------
    labels : ndarray of int, shape (n_atoms,)
        Orbit of each atom: blocks have to be long enough for every orbit.
    """

    def __init__(self, labels: np.ndarray) -> None:
        self._members = Members(labels)
        self._sizes = np.bincount(labels)
        self._shares = self._sizes / self._sizes.sum()
        self._levels: list[_Level] = []

    def add(self, frame: np.ndarray) -> None:
        """Add a frame, shape (n_atoms, 3)."""
        for _ in self.steps(np.asarray(frame, dtype=float)[None]):
            pass

    def steps(self, frames: np.ndarray) -> Iterator[None]:
        """Add frames, shape (p, n_atoms, 3), stopping after each of them.

        What costs time is done for all of them at once.
        """
        due: list[list[tuple[_Level, np.ndarray]]] = [[] for _ in frames]
        means, ends, k = frames, list(range(len(frames))), 0
        while len(means):
            if k == len(self._levels):
                self._levels.append(_Level(np.zeros(len(self._sizes))))
            level = self._levels[k]
            before = means if level.last is None else np.concatenate([level.last[None], means])
            level.last = means[-1].copy()
            if len(before) > 1:
                differences = before[1:] - before[:-1]
                squares = 0.5 * np.einsum("pij,pij->pi", differences, differences)
                for end, row in zip(
                    ends[1 - len(before) :], self._members.sums(squares), strict=True
                ):
                    due[end].append((level, row))
            if level.half is not None:
                means, ends = np.concatenate([level.half[None], means]), [-1, *ends]
            level.half = means[-1].copy() if len(means) % 2 else None
            whole = len(means) // 2 * 2
            means, ends = 0.5 * (means[:whole:2] + means[1:whole:2]), ends[1:whole:2]
            k += 1
        for changes in due:
            for level, row in changes:
                level.count += 1
                level.totals += (row - level.totals) / min(level.count, _MEMORY)
            yield

    @property
    def length(self) -> int | None:
        """Shortest block that has forgotten the one before, in frames; None while unknown."""
        known = [level for level in self._levels if level.count >= _DIFFERENCES]
        if len(known) < 2:
            return None
        totals = np.array([level.totals for level in known])
        totals *= 2.0 ** np.arange(len(known))[:, None]
        for k, growth in enumerate(self._growth(totals[:-1], totals[1:]).tolist()):
            further = totals[k + 2 : k + 1 + _AHEAD]
            if growth <= _GROWTH and (self._growth(totals[k], further) <= _GROWTH).all():
                return int(2**k)
        return None

    def variance(self, length: int) -> np.ndarray:
        """Variance of the mean of a block of about this many frames, each orbit, (n_orbits,)."""
        known = [k for k, level in enumerate(self._levels) if level.count >= 1]
        if not known:
            return np.full(len(self._sizes), np.inf)
        k = min(round(math.log2(length)), known[-1])
        return self._levels[k].totals / (3 * self._sizes) * 2.0**k / length

    def _growth(self, shorter: np.ndarray, longer: np.ndarray) -> np.ndarray:
        """V of longer blocks, (m, n_orbits), over V of shorter, mean over the atoms, shape (m,).

        0 where all rest.
        """
        if shorter.all():
            return np.asarray((longer / shorter) @ self._shares)
        ratios = np.divide(longer, shorter, out=np.zeros_like(longer), where=shorter > 0)
        return np.asarray(ratios @ self._shares)


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

    def add(self, frames: np.ndarray) -> None:
        """Add frames, shape (p, ...), no more than the block has room for."""
        places = np.arange(self.count, self.count + len(frames)) + 0.5
        weights = np.sin(math.pi * places / self.length) ** 2
        self.count += len(frames)
        self._weight += float(weights.sum())
        self._sum += (weights @ frames.reshape(len(frames), -1)).reshape(self._sum.shape)

    @property
    def full(self) -> bool:
        """Whether the block is complete."""
        return self.count >= self.length

    @property
    def mean(self) -> np.ndarray:
        """Weighted mean, of the shape given."""
        return self._sum / self._weight
