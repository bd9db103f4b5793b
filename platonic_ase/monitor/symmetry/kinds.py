"""Which atoms are alike: not those that differ in mass, magnetic moment or constraints.

A space group acts on the motion of the atoms. An operation that takes a fixed atom to the site of a
free one, a light one to that of a heavy one, or a spin up to that of a spin down is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

_DIGITS = 6
"""Decimals to which masses (u) and initial moments (μB) are compared."""
_SMALL_STEP, _FEW_ATOMS = 0.1, 4


def atom_kinds(atoms: Atoms) -> np.ndarray:
    """Label of each atom; atoms of one label have all in common that symmetry must not mix.

    Parameters
    ----------
    atoms : Atoms
        Its elements, masses, initial magnetic moments and constraints count.

    Returns
    -------
    ndarray of int, shape (n_atoms,)
        The atomic numbers where nothing else tells atoms of one element apart.
    """
    columns = [atoms.numbers[:, None].astype(float)]
    for name in ("masses", "initial_magmoms"):
        if atoms.has(name):
            columns.append(np.round(atoms.arrays[name].reshape(len(atoms), -1), _DIGITS))
    for constraint in atoms.constraints:
        if hasattr(constraint, "get_indices"):
            columns.append(_held(constraint, len(atoms)))
    if len(columns) == 1:
        return np.asarray(atoms.numbers)
    _, kinds = np.unique(np.hstack(columns), axis=0, return_inverse=True)
    if len(np.unique(kinds)) == len(np.unique(atoms.numbers)):
        return np.asarray(atoms.numbers)
    return np.asarray(kinds).ravel() + 1


def held_directions(atoms: Atoms) -> list[np.ndarray]:
    """Projectors, shape (3, 3), onto directions in which single atoms are held or free.

    An operation has to keep each of them: turned by its rotation R, :math:`R P R^T = P`. Where
    nothing but whole atoms are held, there are none.
    """
    found: list[np.ndarray] = []
    for constraint in atoms.constraints:
        mask = getattr(constraint, "mask", None)
        direction = getattr(constraint, "dir", None)
        if mask is not None and len(np.shape(mask)) == 1 and len(mask) == 3:
            axes = np.eye(3)
            if type(constraint).__name__ == "FixScaled":
                axes = atoms.cell.array / np.linalg.norm(atoms.cell.array, axis=1)[:, None]
            found += [np.outer(a, a) for a, held in zip(axes, mask, strict=True) if held]
        elif direction is not None and np.shape(direction) == (3,):
            unit = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
            found.append(np.outer(unit, unit))
    moments = atoms.arrays.get("initial_magmoms")
    if moments is not None and moments.ndim == 2 and np.any(moments):
        # vectors would have to turn with the crystal: only the identity and the inversion are kept
        found += [np.outer(a, a) for a in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1])]
    return [p for p in found if not np.allclose(p, p[0, 0] * np.eye(3))]


def complete_ideal(ideal: Atoms, live: Atoms) -> Atoms:
    """An ideal structure with the constraints, masses and moments of the live one that it lacks.

    Parameters
    ----------
    ideal, live : Atoms
        The same atoms in the same order; neither is changed.

    Returns
    -------
    Atoms
        A copy of ``ideal``. What it says itself counts.
    """
    complete = ideal.copy()
    complete.calc = None
    for name in ("masses", "initial_magmoms"):
        if live.has(name) and not complete.has(name):
            complete.set_array(name, live.arrays[name].copy())
    if live.constraints and not complete.constraints:
        complete.set_constraint(live.constraints)
    return complete


def _held(constraint: Any, n_atoms: int) -> np.ndarray:
    column = np.zeros((n_atoms, 1))
    column[constraint.get_indices()] = 1.0
    return column


def is_displaced_copy(atoms: Atoms, other: Atoms) -> bool:
    """Whether up to four atoms are displaced by up to 0.1 Å, and nothing else differs."""
    if not (
        len(atoms) == len(other)
        and not atoms.constraints
        and not other.constraints
        and np.array_equal(atoms.pbc, other.pbc)
        and np.array_equal(atoms.cell.array, other.cell.array)
        and atoms.arrays.keys() == other.arrays.keys()
        and all(
            np.array_equal(atoms.arrays[name], array)
            for name, array in other.arrays.items()
            if name != "positions"
        )
    ):
        return False
    shifts = np.abs(atoms.positions - other.positions).max(axis=1)
    return bool(shifts.max() <= _SMALL_STEP and np.count_nonzero(shifts) <= _FEW_ATOMS)
