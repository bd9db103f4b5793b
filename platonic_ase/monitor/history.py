"""What a watch remembers: the history of each Atoms object, and the summary of a run."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.monitor.motion import Motion

if TYPE_CHECKING:
    from ase import Atoms

_REMEMBERED = 256


@dataclass
class Track:
    """History of one Atoms object: geometries, not calls.

    Attributes
    ----------
    number : int
        Counts the tracks of a watch.
    numbers : ndarray of int, shape (n_atoms,)
        Atomic numbers; an object whose atoms change begins a new track.
    states : dict of str to object
        What each diagnostic remembers.
    geometries : int
        New geometries so far.
    motion : Motion
        Tells molecular dynamics from relaxations and the rest.
    """

    number: int
    numbers: np.ndarray
    states: dict[str, Any]
    geometries: int = 0
    motion: Motion = field(default_factory=Motion)
    _seen: OrderedDict[bytes, int] = field(default_factory=OrderedDict)

    def find(self, atoms: Atoms) -> int:
        """Index that a geometry has, or will have when it is visited."""
        return self._seen.get(geometry_key(atoms), self.geometries)

    def visit(self, atoms: Atoms) -> tuple[int, bool]:
        """Count a geometry; return its index and whether it was seen lately."""
        key = geometry_key(atoms)
        if key in self._seen:
            self._seen.move_to_end(key)
            return self._seen[key], True
        index = self.geometries
        self.geometries += 1
        self._seen[key] = index
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return index, False


def geometry_key(atoms: Atoms) -> bytes:
    """Hash of positions, cell, elements and boundary conditions."""
    arrays = (atoms.positions, atoms.cell.array, atoms.numbers, atoms.pbc)
    return hashlib.blake2b(b"".join(a.tobytes() for a in arrays), digest_size=16).digest()


def same_atoms(numbers: np.ndarray, atoms: Atoms) -> bool:
    """Whether an Atoms object has these atomic numbers."""
    return bool(numbers.tobytes() == atoms.arrays["numbers"].tobytes())


@dataclass(frozen=True)
class RunSummary:
    """What a run looked like.

    Attributes
    ----------
    evaluated, diagnosed : int
        Geometries calculated, and those of them diagnosed.
    tracks : int
        Atoms objects followed.
    raised, held_back : mapping of str to int
        Events by kind, and alarms that hysteresis and the rate limit held back.
    worst : mapping of str to float
        Largest finite value of each scalar; the smallest closest contact and curvature. Of the
        geometries at which it was computed: what is far from its alarm is computed at every tenth
        and at the last only, see :mod:`~platonic_ase.monitor.frame`.
    switched_off : mapping of str to str
        Diagnostics that failed, for good or on some structures only, with the reason.
    """

    evaluated: int
    diagnosed: int
    tracks: int
    raised: Mapping[str, int]
    held_back: Mapping[str, int]
    worst: Mapping[str, float]
    switched_off: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return asdict(self)

    def __str__(self) -> str:
        events = (
            ", ".join(
                f"{kind} {count}"
                + (f" (+{self.held_back[kind]} held back)" if self.held_back.get(kind) else "")
                for kind, count in sorted(self.raised.items())
            )
            or "none"
        )
        text = f"{self.diagnosed} of {self.evaluated} geometries diagnosed; warnings: {events}"
        if self.switched_off:
            text += f"; switched off: {', '.join(self.switched_off)}"
        return text
