"""A screening as work for an engine: structures in, rows out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from platonic_ase.runs.placement import Parcel
from platonic_ase.screen.evaluate import Evaluator
from platonic_ase.screen.settings import ScreenSettings
from platonic_ase.screen.sources import Entry

PARCEL_ATOMS = 512
"""Atoms of the single points that go out together; all other tasks go one structure at a time."""


@dataclass(frozen=True)
class ScreenWork:
    """See :class:`~platonic_ase.runs.placement.Work`.

    Parameters
    ----------
    settings : ScreenSettings
    """

    settings: ScreenSettings

    def open(self) -> ScreenWorker:
        """Load the model."""
        return ScreenWorker(Evaluator(self.settings))

    def name(self, item: Entry) -> str:
        """The structure's."""
        return item.name


class ScreenWorker:
    """See :class:`~platonic_ase.runs.placement.Worker`.

    Parameters
    ----------
    evaluator : Evaluator
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    @property
    def facts(self) -> Mapping[str, str]:
        """Versions, fingerprint, anchors."""
        return self._evaluator.facts

    def do(self, items: Sequence[Entry]) -> Iterator[dict[str, Any]]:
        """Rows of some structures."""
        return self._evaluator.rows(items)


def parcels(entries: Iterable[Entry], task: str) -> Iterator[Parcel]:
    """Parcels of structures that are worth sending.

    Parameters
    ----------
    entries : iterable of Entry
    task : str
        Of the settings.
    """
    if task != "singlepoint":
        for entry in entries:
            yield Parcel((entry,))
        return
    waiting: list[Entry] = []
    total = 0
    for entry in entries:
        size = 0 if entry.atoms is None else len(entry.atoms)
        if waiting and total + size > PARCEL_ATOMS:
            yield Parcel(tuple(waiting))
            waiting, total = [], 0
        waiting.append(entry)
        total += size
    if waiting:
        yield Parcel(tuple(waiting))
