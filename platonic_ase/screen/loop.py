"""Structures one after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Protocol

from platonic_ase.screen.evaluate import Evaluator
from platonic_ase.screen.settings import ScreenSettings
from platonic_ase.screen.sources import Entry

PARCEL_ATOMS = 512
"""Atoms of the single points that go out together; all other tasks go one structure at a time."""


class Engine(Protocol):
    """What computes rows, somewhere."""

    @property
    def facts(self) -> dict[str, str]:
        """Versions and fingerprints of what computes."""

    def rows(self, entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
        """Rows in any order; at least one structure is taken up before the first comes."""


class Loop:
    """The plain loop.

    Parameters
    ----------
    settings : ScreenSettings
    """

    def __init__(self, settings: ScreenSettings) -> None:
        self._evaluator = Evaluator(settings)
        self._task = settings.task

    @property
    def facts(self) -> dict[str, str]:
        """See :class:`Engine`."""
        return self._evaluator.facts

    def rows(self, entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
        """See :class:`Engine`."""
        return chain.from_iterable(map(self._evaluator.rows, parcels(entries, self._task)))


def parcels(entries: Iterable[Entry], task: str) -> Iterator[Sequence[Entry]]:
    """Parcels of structures that are worth sending.

    Parameters
    ----------
    entries : iterable of Entry
    task : str
        Of the settings.
    """
    if task != "singlepoint":
        for entry in entries:
            yield (entry,)
        return
    parcel: list[Entry] = []
    total = 0
    for entry in entries:
        size = 0 if entry.atoms is None else len(entry.atoms)
        if parcel and total + size > PARCEL_ATOMS:
            yield tuple(parcel)
            parcel, total = [], 0
        parcel.append(entry)
        total += size
    if parcel:
        yield tuple(parcel)
