"""Reading structures, and refusing those that no potential can evaluate."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms


def check_structure(atoms: Atoms, known_elements: Collection[int] | None = None) -> tuple[str, ...]:
    """Check a structure before a model sees it."""
    return ()
