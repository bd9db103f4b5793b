"""Geometries are logged as lists of numbers; a layout names them, and here they get their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FIRST = ("energy", "volume", "temperature")


class Layouts:
    """The layouts of all runs of a log, to read geometries with."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, int], Mapping[str, Any]] = {}

    def read(self, kind: str, record: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Name the numbers of a geometry; remember a layout.

        Parameters
        ----------
        kind : str
        record : dict
            Its content.

        Returns
        -------
        kind, record
            ``"damaged"`` where the layout of a geometry is missing or another one.
        """
        try:
            if kind == "layout":
                self._known[record.get("run"), record["layout"]] = record
            elif kind == "geometry" and "at" in record:
                return kind, self._named(record)
        except (KeyError, AttributeError, TypeError, ValueError):
            return "damaged", {"run": record.get("run")}
        return kind, record

    def _named(self, record: Mapping[str, Any]) -> dict[str, Any]:
        index, track, step, number = record["at"]
        layout, values = self._known[record.get("run"), number], record["values"]
        found: dict[str, Any] = {"index": index, "track": track, "step": step}
        found.update(zip(_FIRST, values, strict=False))
        if found["temperature"] is None:
            del found["temperature"]
        at = len(_FIRST) + len(layout["scalars"])
        found["scalars"] = dict(zip(layout["scalars"], values[len(_FIRST) : at], strict=True))
        found["series"] = {}
        for name, length in layout["series"].items():
            found["series"][name] = values[at : at + length]
            at += length
        found["map"] = {
            symbol: values[at + 2 * k : at + 2 * k + 2] for k, symbol in enumerate(layout["map"])
        }
        if at + 2 * len(layout["map"]) != len(values):
            raise ValueError(f"{len(values)} numbers")
        found["risks"] = {**layout["risks"], **(record.get("risks") or {})}
        found["events"] = record.get("events") or []
        for name in ("per_atom", "run"):
            if name in record:
                found[name] = record[name]
        return found
