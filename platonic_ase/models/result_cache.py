"""Results of the last few geometries of each Atoms object, for calculators that several share.

ASE keeps the results of one geometry. Where images of a band or of a path share a calculator, each
question about one image drops what was known of another, and the same geometries are computed again
and again.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import SettingError
from platonic_ase.models.inner import changes_between

if TYPE_CHECKING:
    from ase import Atoms


class ResultCache:
    """Finds results by exact comparison of all that ASE compares.

    Parameters
    ----------
    size : int
        Geometries kept of each Atoms object; 0 keeps none.

    Raises
    ------
    SettingError
        For a negative size.
    """

    def __init__(self, size: int) -> None:
        if size < 0:
            raise SettingError(f"cache = {size}; 0 (none) or a positive number is needed")
        self.size = size
        self._kept: dict[int, tuple[weakref.ref[Atoms], list[tuple[Atoms, dict[str, Any]]]]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """An empty one of the same size, for copies."""
        return ResultCache, (self.size,)

    def find(self, owner: Atoms, names: Collection[str]) -> dict[str, Any] | None:
        """Results of an Atoms object as it is now, copied; None where some of them are not known.

        Parameters
        ----------
        owner : Atoms
        names : collection of str
            Results that are asked for.
        """
        kept = self._of(owner)
        for place, (atoms, results) in enumerate(kept):
            if not changes_between(atoms, owner, 0.0):
                kept.append(kept.pop(place))
                return _copied(results) if results.keys() >= set(names) else None
        return None

    def keep(self, owner: Atoms, atoms: Atoms, results: Mapping[str, Any]) -> None:
        """Remember results.

        Parameters
        ----------
        owner : Atoms
            The live object.
        atoms : Atoms
            A copy of it at this geometry, which nobody changes.
        results : mapping
        """
        if not self.size:
            return
        kept = self._of(owner)
        kept[:] = [each for each in kept if changes_between(each[0], atoms, 0.0)]
        kept.append((atoms, _copied(results)))
        del kept[: -self.size]
        self._kept = {
            key: pair for key, pair in self._kept.items() if pair[0]() is not None
        }  # what is gone
        self._kept[id(owner)] = (weakref.ref(owner), kept)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def _of(self, owner: Atoms) -> list[tuple[Atoms, dict[str, Any]]]:
        known = self._kept.get(id(owner))
        return known[1] if known is not None and known[0]() is owner else []


def _copied(results: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in results.items()
    }
