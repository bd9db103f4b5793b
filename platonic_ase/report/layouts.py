"""Geometries are logged as lists of numbers; a layout says what each number is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ROW = ("energy", "volume", "temperature")
"""What a geometry has whatever was diagnosed: eV, Å³, K."""


@dataclass(frozen=True, eq=False)
class Layout:
    """What the numbers of some geometries are.

    Attributes
    ----------
    columns : tuple of (str, name)
        Kind and name of each: ``("row", "energy")``, ``("scalar", name)``,
        ``("series", (name, k))``, ``("map", (symbol, axis))``.
    risks : mapping
        Those that are words.
    """

    columns: tuple[tuple[str, Any], ...]
    risks: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Geometry:
    """One diagnosed geometry, as it was logged.

    Attributes
    ----------
    index, track : int
    step : int or None
    values : list
        Numbers or None, in the order of the layout.
    layout : Layout
    more : mapping
        Events, risks and per-atom values where there are any.
    """

    index: int
    track: int
    step: int | None
    values: list[Any]
    layout: Layout
    more: Mapping[str, Any]

    @property
    def events(self) -> list[Mapping[str, Any]]:
        """Raised at this geometry."""
        return self.more.get("events") or []

    def named(self) -> dict[str, Any]:
        """Everything under its name."""
        found: dict[str, Any] = {"index": self.index, "track": self.track, "step": self.step}
        found |= {"scalars": {}, "series": {}, "map": {}}
        for (kind, name), value in zip(self.layout.columns, self.values, strict=True):
            if kind == "row":
                found[name] = value
            elif kind == "scalar":
                found["scalars"][name] = value
            else:
                found[kind].setdefault(name[0], []).append(value)
        if found["temperature"] is None:
            del found["temperature"]
        found["risks"] = {**self.layout.risks, **(self.more.get("risks") or {})}
        found["events"] = self.events
        if "per_atom" in self.more:
            found["per_atom"] = self.more["per_atom"]
        return found


class Layouts:
    """The layouts of all runs of a log, to read geometries with."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, int], Layout] = {}

    def learn(self, record: Mapping[str, Any]) -> None:
        """Remember a ``layout`` record.

        Raises
        ------
        KeyError, TypeError, ValueError, AttributeError
            If it is damaged.
        """
        columns: list[tuple[str, Any]] = [("row", name) for name in ROW]
        columns += [("scalar", name) for name in record["scalars"]]
        for name, length in record["series"].items():
            columns += [("series", (name, k)) for k in range(length)]
        columns += [("map", (symbol, axis)) for symbol in record["map"] for axis in (0, 1)]
        hash(tuple(columns))
        self._known[record.get("run"), record["layout"]] = Layout(
            tuple(columns), dict(record["risks"])
        )

    def geometry(self, record: Mapping[str, Any]) -> Geometry:
        """Read a ``geometry`` record.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is damaged, or its layout is missing or another one.
        """
        index, track, step, number = record["at"]
        layout, values = self._known[record.get("run"), number], record["values"]
        if len(values) != len(layout.columns) or not isinstance(track, int):
            raise ValueError(f"{len(values)} numbers of track {track!r}")
        return Geometry(index, track, step, values, layout, record)
