"""What keeps copies of one compound on one side of every split."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms


def group_of(atoms: Atoms) -> str:
    """``atoms.info["group"]``, or the reduced formula where that is not set."""
    return str(atoms.info.get("group", atoms.get_chemical_formula(empirical=True)))
