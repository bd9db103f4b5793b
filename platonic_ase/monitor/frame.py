"""One geometry as the diagnostics see it, and how much of it is to be computed.

At each geometry there is only what alarms depend on. What is far from its alarm is computed at the
first ten geometries of a track, at every tenth from there on, and wherever somebody asks for the
diagnosis. How far is far enough is not a matter of trust: distances to the nearest references
cannot change by more than the embeddings have moved, so that each atom has a ball in which its
alarm is out of reach. Outside of its ball everything is computed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.space.anchors import AnchorSet
    from platonic_ase.space.reference import ReferenceManifold

EVERY = 10
"""At every so many geometries of a track everything is computed."""
FIRST = 10
"""And at so many at its beginning."""


class Frame:
    """One geometry as the diagnostics see it.

    Attributes
    ----------
    index : int
        0 for the reference geometry of a track, then counting new geometries.
    atoms : Atoms
        The structure; not to be changed.
    embeddings : ndarray, shape (n_atoms, d)
        The model's embeddings.
    results : mapping
        Energy (eV), forces (eV/Å), stress (eV/Å³) and whatever else the calculator produced.
    reference : ReferenceManifold, optional
        Environments that the model is known to handle.
    revisited : bool
        Whether this geometry was seen before: a line search stepping back, say. History that
        grows with time must not grow.
    moving : bool
        Whether this is molecular dynamics, see :mod:`~platonic_ase.monitor.motion`.
    whole : bool
        Whether everything is to be computed. Elsewhere a diagnostic may leave for later what no
        alarm depends on, and what it can bound away from one.
    clear : float
        Level below which nothing happens: no alarm, and those that were up end.
    anchors : AnchorSet, optional
        Axes of the Platonic space; without them nothing is bounded.
    """

    __slots__ = (
        "_forces", "_platonic", "_squares", "anchors", "atoms", "clear", "embeddings", "index",
        "moving", "reference", "results", "revisited", "whole",
    )  # fmt: skip

    def __init__(
        self,
        index: int,
        atoms: Atoms,
        embeddings: np.ndarray,
        platonic: np.ndarray | Callable[[], np.ndarray],
        results: Mapping[str, Any],
        reference: ReferenceManifold | None = None,
        revisited: bool = False,
        moving: bool = False,
        whole: bool = True,
        clear: float = 0.8,
        anchors: AnchorSet | None = None,
    ) -> None:
        self.index, self.atoms, self.embeddings, self._platonic = index, atoms, embeddings, platonic
        self.results, self.reference, self.revisited = results, reference, revisited
        self.moving, self.whole, self.clear, self.anchors = moving, whole, clear, anchors
        self._forces: np.ndarray | None = None
        self._squares: np.ndarray | None = None

    @property
    def platonic(self) -> np.ndarray:
        """Platonic coordinates, shape (n_atoms, K); may be worked out when first asked for."""
        if not isinstance(self._platonic, np.ndarray):
            self._platonic = self._platonic()
        return self._platonic

    @property
    def precedes(self) -> bool:
        """Whether something may be left for later at the next geometry of this track."""
        return self.index >= FIRST - 1

    @property
    def forces(self) -> np.ndarray | None:
        """In double precision, shape (n_atoms, 3), eV/Å; None where there are none."""
        if self._forces is None:
            forces = self.results.get("forces")
            self._forces = None if forces is None else np.asarray(forces, dtype=float)
        return self._forces

    @property
    def squared_forces(self) -> np.ndarray:
        """Squares of the lengths of :attr:`forces`, which there have to be, shape (n_atoms,)."""
        if self._squares is None:
            forces = self.forces
            assert forces is not None
            self._squares = np.einsum("ij,ij->i", forces, forces)
        return self._squares


class Once:
    """An array that is worked out when it is first asked for.

    Parameters
    ----------
    make : callable
    """

    __slots__ = ("_make", "_value")

    def __init__(self, make: Callable[[], np.ndarray]) -> None:
        self._make: Callable[[], np.ndarray] | None = make
        self._value: np.ndarray | None = None

    @property
    def known(self) -> bool:
        """Whether it was asked for."""
        return self._value is not None

    def __call__(self) -> np.ndarray:
        """Get the array."""
        if self._value is None:
            assert self._make is not None
            self._value, self._make = self._make(), None
        return self._value


class Balls:
    """A ball around the embedding of each atom, in which something is known to hold.

    Parameters
    ----------
    embeddings : ndarray, shape (n_atoms, d)
        Their middles.
    radii : ndarray, shape (n_atoms,)
    """

    __slots__ = ("_middles", "_squares")

    def __init__(self, embeddings: np.ndarray, radii: np.ndarray) -> None:
        self._middles = embeddings
        self._squares = radii**2

    def hold(self, embeddings: np.ndarray) -> bool:
        """Whether all atoms are inside; those that are not finite are nowhere."""
        moved = embeddings - self._middles
        return bool((np.einsum("ij,ij->i", moved, moved) < self._squares).all())
