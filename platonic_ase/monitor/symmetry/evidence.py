r"""A sequential test of symmetry: has the time average of a trajectory left its space group?

If the dynamics has the symmetry of the reference structure, a block mean :math:`Y_b` and its image
:math:`g Y_b` under any operation of the space group are equally likely. So a bet on the direction
in which earlier blocks lean,

.. math:: e_b = \frac{\exp(\lambda\, t(Y_b))}{\frac{1}{|G|} \sum_g \exp(\lambda\, t(g Y_b))},
    \qquad t(Y) \propto \langle \bar Y_{<b}, Y \rangle,

has the expectation one given the past, whatever the fluctuations look like and however they are
correlated *between atoms*. The product of such bets is a test martingale: the probability that it
ever exceeds :math:`1/\alpha` in a symmetric run is at most :math:`\alpha`, however long the run and
however often one looks (Ville's inequality; group-invariance e-values: Pérez-Ortiz, Lardy, de Heide
and Grünwald, Ann. Stat. 52, 1410 (2024); Koning, arXiv:2310.01153). What has to hold is that blocks
are independent *in time*: see :mod:`~platonic_ase.monitor.symmetry.blocks`.

Bets are averaged over their size :math:`\lambda`, over two memories of the past, and over when the
breaking began (weights :math:`1/n(n+1)`).
"""

from __future__ import annotations

import math

import numpy as np

from platonic_ase.monitor.symmetry.blocks import BlockVariance, TaperedMean
from platonic_ase.monitor.symmetry.members import Members
from platonic_ase.monitor.symmetry.operations import Operations

_STAKES = np.array([0.5, 1.0, 2.0, 4.0])
_FORGET = 0.3
"""Share of the newest block in the short memory."""
_SHORTEST = 8
"""Frames of a block, at least."""
_AT_ONCE = _SHORTEST
"""Frames that are taken in together: no more than a block has, so that none ends among them."""
_STRETCH = 8
"""Blocks are this many times as long as the shortest that look uncorrelated, and up to half as
much again. Four is not enough for undamped vibrations, whose phase a block hands to the next."""


class SymmetryEvidence:
    r"""Evidence against the symmetry of a trajectory, frame by frame, in constant memory.

    Parameters
    ----------
    operations : Operations
        Of the reference structure.
    labels : ndarray of int, shape (n_atoms,)
        Orbit of each atom.

    Attributes
    ----------
    blocks : int
        Blocks on which a bet was made.
    log_evidence : float
        Natural logarithm of the martingale; :math:`\ln(1/\alpha)` or more has at most the
        probability :math:`\alpha` in a symmetric run.
    """

    def __init__(self, operations: Operations, labels: np.ndarray) -> None:
        self._operations = operations
        self._labels = labels
        self._members = Members(labels)
        self._sizes = np.bincount(labels)
        self._shape = (len(labels), 3)
        self._variance = BlockVariance(labels)
        self._rng = np.random.default_rng(0)
        self._waiting = np.empty((_AT_ONCE, *self._shape))
        self._count = 0  # frames that wait
        self._block: TaperedMean | None = None
        self._length = 0
        self._means: list[np.ndarray] = []  # long and short memory
        self._frames = 0
        self._seen = 0
        self._squares = np.zeros(len(self._sizes))  # of displacements, summed over each orbit
        self._bets = np.zeros((2, len(_STAKES)))
        self._farthest: tuple[int, float] | None = None  # until the next block
        self.blocks = 0
        self.log_evidence = 0.0

    def add(self, displacements: np.ndarray) -> None:
        """Add a frame: displacements from the sites of the reference, Å, shape (n_atoms, 3).

        Nothing happens until a block is complete, so that frames wait and are taken in together.
        """
        self._waiting[self._count] = displacements
        self._count += 1
        block = self._block
        if self._count == _AT_ONCE or (
            block is not None and block.count + self._count == block.length
        ):
            self._settle()

    def _settle(self) -> None:
        """Take in the frames that wait."""
        frames = self._waiting[: self._count]
        self._count = 0
        self._seen += len(frames)
        squares = np.einsum("pij,pij->i", frames, frames)
        self._squares += self._members.sums(squares)
        start = 0
        for end, _ in enumerate(self._variance.steps(frames), 1):
            if self._block is None:
                self._begin()
                start = end - 1  # the block begins with this frame
            block = self._block
            if block is not None and (
                end == len(frames) or block.count + end - start == block.length
            ):
                block.add(frames[start:end])
                start = end
                if block.full:
                    self._close(block)
                    self._begin()

    @property
    def block_length(self) -> int:
        """Frames of the current block; 0 before the first."""
        return self._length

    def spread(self, atom: int) -> float:
        """Rms displacement of the orbit of an atom over all frames, Å."""
        if self._count:
            self._settle()
        orbit = self._labels[atom]
        return math.sqrt(self._squares[orbit] / (max(self._seen, 1) * self._sizes[orbit]))

    @property
    def farthest(self) -> tuple[int, float]:
        """The atom that leans farthest, see :attr:`leaning`, and how far, Å."""
        if self._farthest is None:
            squares = np.einsum("ij,ij->i", self.leaning, self.leaning)
            atom = int(squares.argmax())
            self._farthest = atom, math.sqrt(squares[atom])
        return self._farthest

    @property
    def error(self) -> np.ndarray:
        """Standard error of the coordinates of :attr:`leaning`, Å, shape (n_atoms,)."""
        if not self._means:
            return np.full(len(self._labels), np.inf)
        variance = self._variance.variance(self._length)[self._labels]
        effective = (2 - _FORGET) / _FORGET if self._leader else self._frames / self._length
        return np.asarray(np.sqrt(1.5 * variance / max(effective, 1.0)))

    @property
    def leaning(self) -> np.ndarray:
        """Mean displacements, Å, over the memory that has most evidence, shape (n_atoms, 3)."""
        return self._means[self._leader] if self._means else np.zeros(self._shape)

    @property
    def _leader(self) -> int:
        return int(self._bets.max(axis=1).argmax())

    def _begin(self) -> None:
        length = self._variance.length
        self._block = None
        if length is not None:
            # of uneven length, lest they keep time with a vibration
            stretch = _STRETCH * self._rng.uniform(1.0, 1.5)
            self._length = max(_SHORTEST, round(stretch * length))
            self._block = TaperedMean(self._length, self._shape)

    def _close(self, block: TaperedMean) -> None:
        new = block.mean
        if self._means:
            self.blocks += 1
            precision = self._precision()
            overlaps = self._operations.vector_overlaps
            self._bet(np.array([overlaps(past * precision, new) for past in self._means]))
        else:
            self._means = [np.zeros(self._shape), new.copy()]
        self._frames += block.length
        for mean, share in zip(self._means, (block.length / self._frames, _FORGET), strict=True):
            mean += share * (new - mean)
        self._farthest = None

    def _bet(self, scores: np.ndarray) -> None:
        """Stake on each memory; ``scores`` has shape (2, n_operations)."""
        scores = scores - scores.mean(axis=1, keepdims=True)
        spread = scores.std(axis=1, keepdims=True)
        t = np.divide(scores, spread, out=np.zeros_like(scores), where=spread > 0)
        powers = np.exp(_STAKES[:, None] * (t - t.max(axis=1, keepdims=True))[:, None, :])
        gains = powers[..., 0] / powers.mean(axis=2)
        n = self.blocks
        self._bets = gains * (self._bets + 1 / (n * (n + 1)))
        self.log_evidence = math.log(float(self._bets.mean()) + 1 / (n + 1))

    def _precision(self) -> np.ndarray:
        """Inverse variance, the same for all atoms and coordinates of an orbit, (n_atoms, 1)."""
        pooled = self._variance.variance(self._length)[self._labels]
        floor = 1e-3 * pooled.max()
        return np.asarray(1 / (pooled + floor) if floor > 0 else np.ones_like(pooled))[:, None]
