r"""Is a sequence of geometries molecular dynamics, or a relaxation, a scan, a loop?

Velocities alone do not tell: an optimiser that goes on where a trajectory ended leaves the last
momenta in the atoms, and many file formats store none. Momenta that *change* from one geometry to
the next do. Without momenta, the energy does: an optimiser goes downhill, thermal motion goes up as
often as down. So a run without momenta counts as dynamics once the energy has risen in a quarter of
the last :data:`WINDOW` geometries, until it has not risen for the time of a vibration. Rises are
counted only where at least half of the atoms moved against each other, which they do not when
single atoms are displaced or a cell is strained.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

WINDOW = 16
"""Geometries that are looked back on where there are no momenta."""
_RISES = 4
"""Rises of the energy among them that no optimiser makes."""
_FORGOTTEN = 128
"""Geometries without a rise after which it is no dynamics any more: longer than a vibration."""
_RISE = 2e-4
"""Rise, eV/atom, that is no noise of a line search."""
_MOVED = 1e-3
"""Å by which an atom has to move against the others."""


@dataclass
class Motion:
    """Tells dynamics from the rest, geometry by geometry, for one trajectory.

    Attributes
    ----------
    moving : bool
        Whether the latest geometry belongs to molecular dynamics.
    """

    moving: bool = False
    _momenta: bytes | None = None
    _places: tuple[np.ndarray, np.ndarray] | None = None  # positions and cell
    _energy: float = np.nan
    _quiet: int = 0  # geometries since the last rise
    _rises: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def observe(self, atoms: Atoms, results: Mapping[str, Any], *, revisited: bool = False) -> bool:
        """Add a geometry and say whether it is dynamics.

        Parameters
        ----------
        atoms : Atoms
            At this geometry; not kept.
        results : mapping
            Where ``"energy"`` (eV) is looked for.
        revisited : bool
            Whether the geometry was seen before: then the answer stays as it was.
        """
        if revisited:
            return self.moving
        momenta = atoms.arrays.get("momenta")
        if momenta is not None and momenta.any():
            before, self._momenta = self._momenta, momenta.tobytes()
            # the first geometry is taken at its word
            self.moving = before is None or before != self._momenta
            self._forget()
            return self.moving
        self._momenta = None
        self.moving = self._by_energy(atoms, results.get("energy"))
        return self.moving

    def _by_energy(self, atoms: Atoms, energy: Any) -> bool:
        if energy is None or len(atoms) < 2:
            return False
        energy = float(np.asarray(energy)) / len(atoms)
        before, self._places = self._places, (atoms.positions.copy(), atoms.cell.array.copy())
        last, self._energy = self._energy, energy
        if before is None or len(before[0]) != len(atoms):
            return False
        self._rises.append(energy - last > _RISE and _most_moved(*before, *self._places))
        self._quiet = 0 if self._rises[-1] else self._quiet + 1
        if self.moving:
            return self._quiet < _FORGOTTEN
        return sum(self._rises) >= _RISES

    def _forget(self) -> None:
        self._places = None
        self._energy = np.nan
        self._rises.clear()


def _most_moved(old: np.ndarray, old_cell: np.ndarray, new: np.ndarray, cell: np.ndarray) -> bool:
    """Whether at least half of the atoms moved against each other; strain of the cell is none."""
    periodic = min(np.linalg.matrix_rank(old_cell), np.linalg.matrix_rank(cell)) == 3
    if not periodic:
        old_cell = cell = np.eye(3)
    shift = np.linalg.solve(cell.T, new.T).T - np.linalg.solve(old_cell.T, old.T).T
    if periodic:
        shift -= np.rint(shift)
    shift = (shift - np.median(shift, axis=0)) @ cell
    return bool(2 * np.count_nonzero((shift**2).sum(axis=1) > _MOVED**2) >= len(shift))
