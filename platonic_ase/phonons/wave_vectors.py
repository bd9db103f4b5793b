"""Which wave vectors a supercell holds, and which supercell holds those that it does not."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.phonons.layers import open_directions

if TYPE_CHECKING:
    from ase import Atoms

_FINEST = 4
"""Largest denominator of a fraction that a supercell is offered for."""


def unheld_points(atoms: Atoms, repeats: Sequence[int]) -> str:
    """Corners of the Brillouin zone that a supercell does not hold, and one that does, in words.

    Parameters
    ----------
    atoms : Atoms
        The cell.
    repeats : sequence of 3 int
        Of the cell, in the supercell.

    Returns
    -------
    str
        Empty where it holds all, but for those of fractions finer than quarters.
    """
    multiples = np.array(repeats)
    corners = atoms.cell.bandpath(npoints=0, pbc=~open_directions(atoms)).special_points
    names, needed = [], multiples
    for name, q in corners.items():
        finest = finest_fractions(q)
        if finest is not None and (multiples % finest).any():
            names.append(name.replace("G", "Γ"))
            needed = np.lcm(needed, finest)
    if not names:
        return ""
    return f"{', '.join(names)}: the supercell does not hold them; try {holding(atoms, needed)}"


def finest_fractions(q: np.ndarray, within: float = 1e-6) -> np.ndarray | None:
    """Denominators of a wave vector, shape (3,); None where they are above four.

    Parameters
    ----------
    q : ndarray, shape (3,)
        In reciprocal vectors of the cell.
    within : float
        How far each component may be from the fraction.
    """
    parts = [Fraction(float(x)).limit_denominator(_FINEST) for x in q]
    if any(abs(float(p) - x) > within for p, x in zip(parts, q, strict=True)):
        return None
    return np.array([p.denominator for p in parts])


def holding(atoms: Atoms, multiples: np.ndarray) -> str:
    """A supercell such as ``"2x2x2"``, the same along vectors of the same length."""
    lengths = atoms.cell.lengths()
    same = np.abs(lengths[:, None] - lengths[None]) < 1e-2
    return "x".join(str(np.lcm.reduce(multiples[row])) for row in same)
