"""Crystals that no phonon calibration covers: layers, chains, molecules, slabs, flat networks.

Their softest frequencies come from forces between what is bonded, not within it, and a stiffness
learnt from crystals that are bonded in all directions says nothing of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase.data import covalent_radii

from platonic_ase.phonons.features import DisplacementFeatures

if TYPE_CHECKING:
    from ase import Atoms

_REACH, _FAR, _NEAR = 1.35, 1.8, 1.1
_NAMES = {0: "molecules", 1: "chains", 2: "layers"}
_THREE = 3.05


def bonded_dimension(atoms: Atoms, reach: float = _REACH) -> int:
    """In how many directions the bonds of a crystal go on for ever: 0 to 3.

    Parameters
    ----------
    atoms : Atoms
        Cell or supercell.
    reach : float
        Atoms closer than this times the sum of their covalent radii are bonded, and so are those
        hardly farther than the nearest.

    Notes
    -----
    Each piece of the bond graph is walked through once, with the lattice vector that leads to
    each atom; the bonds that close a ring give the lattice vectors by which the piece repeats.
    """
    from ase.neighborlist import neighbor_list

    radii = covalent_radii[atoms.numbers]
    first, second, length, shift = neighbor_list("ijdS", atoms, _FAR * radii)
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, first, length)
    bonded = (length < reach * (radii[first] + radii[second])) | (length < _NEAR * nearest[first])
    first, second, shift = first[bonded], second[bonded], shift[bonded]
    starts = np.searchsorted(first, np.arange(len(atoms) + 1))
    place: dict[int, np.ndarray] = {}
    highest = 0
    for seed in range(len(atoms)):
        if seed in place:
            continue
        place[seed] = np.zeros(3, dtype=int)
        waiting, repeats = [seed], np.zeros((0, 3), dtype=int)
        while waiting:
            i = waiting.pop()
            for k in range(starts[i], starts[i + 1]):
                j, there = int(second[k]), place[i] + shift[k]
                if j not in place:
                    place[j] = there
                    waiting.append(j)
                elif len(repeats) < 3 and (there != place[j]).any():
                    more = np.vstack([repeats, there - place[j]])
                    if np.linalg.matrix_rank(more) == len(more):
                        repeats = more
        highest = max(highest, len(repeats))
    return highest


def why_no_bulk(
    pbc: Sequence[bool] | np.ndarray, dimension: int, features: DisplacementFeatures
) -> tuple[str, ...]:
    """What makes a crystal unlike all bulk crystals; empty where nothing does.

    Parameters
    ----------
    pbc : sequence of bool, length 3
        Of the supercell at rest.
    dimension : int
        Its :func:`bonded_dimension`.
    features : DisplacementFeatures

    Returns
    -------
    tuple of str
        Of ``"vacuum"`` (not periodic in all directions), ``"layers"``, ``"chains"``,
        ``"molecules"`` and ``"coordination three"``.
    """
    found = []
    if not all(pbc):
        found.append("vacuum")
    if dimension < 3:
        found.append(_NAMES[dimension])
    if features.log_coordination <= np.log(_THREE):
        found.append("coordination three")
    return tuple(found)
