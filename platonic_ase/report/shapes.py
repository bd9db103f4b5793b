"""What each record of a log has to look like, so that no reader meets anything else.

A line that does not is damaged, and counted as such: by a full disk, another program, or a hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ase.data import chemical_symbols

LARGEST = 1e30
"""Numbers beyond it are none: no quantity of a run has such a size, and no axis can show it."""
_MOST = 2**53
_SYMBOLS = frozenset(chemical_symbols)
Record = Mapping[str, Any]


def checked(kind: str, record: dict[str, Any]) -> dict[str, Any]:
    """A record as it should be.

    Parameters
    ----------
    kind : str
    record : dict

    Raises
    ------
    ValueError
        If it is not.
    """
    check = _CHECKS.get(kind)
    if check is not None:
        check(record)
    return record


def _need(holds: bool) -> None:
    if not holds:
        raise ValueError("a damaged record")


def _whole(value: Any, low: int = -_MOST, high: int = _MOST) -> bool:
    return type(value) is int and low <= value <= high


def _number(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and abs(value) <= LARGEST)


def _text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _mapping(value: Any, holds: Callable[[Any], bool] = lambda _: True) -> bool:
    return isinstance(value, Mapping) and all(map(holds, value.values()))


def _listed(value: Any, holds: Callable[[Any], bool], count: int | None = None) -> bool:
    return (
        isinstance(value, list)
        and count in (None, len(value))
        and all(holds(each) for each in value)
    )


def _finite(value: Any) -> bool:
    return value is not None and _number(value)


def _rows(value: Any, width: int, count: int | None = None) -> bool:
    return _listed(value, lambda row: _listed(row, _finite, width), count)


def _plain(value: Any, depth: int = 3) -> bool:
    """Text, numbers, and shallow lists and mappings of them."""
    if isinstance(value, Mapping):
        return depth > 0 and all(_plain(each, depth - 1) for each in value.values())
    if isinstance(value, list):
        return depth > 0 and all(_plain(each, depth - 1) for each in value)
    return _text(value) or isinstance(value, bool) or _number(value)


def _optional(record: Record, holds: Callable[[Any], bool], *names: str) -> bool:
    return all(record.get(name) is None or holds(record[name]) for name in names)


def _header(record: Record) -> None:
    _need(_optional(record, _text, "platonic_ase", "started", "anchors_digest"))
    _need(_optional(record, _whole, "anchors", "reference"))
    _need(_optional(record, lambda v: _mapping(v, _plain), "model", "versions", "provenance"))
    settings = (record.get("model") or {}).get("settings")
    _need(settings is None or isinstance(settings, Mapping))
    calibration = record.get("calibration")
    _need(_text(calibration) or _mapping(calibration, _number))
    space = record.get("map")
    _need(space is None or isinstance(space, Mapping))
    if space:
        _need(_rows(space.get("anchors", []), 2))
        points, numbers = space.get("reference", []), space.get("reference_numbers", [])
        _need(_rows(points, 2))
        _need(_listed(numbers, _element, len(points)))


def _element(value: Any) -> bool:
    return _whole(value, 0, len(chemical_symbols) - 1)


def _layout(record: Record) -> None:
    _need(_listed(record.get("scalars"), lambda v: isinstance(v, str)))
    _need(_mapping(record.get("series"), lambda v: _whole(v, 0, 10_000)))
    _need(_listed(record.get("map"), lambda v: isinstance(v, str) and v in _SYMBOLS))
    _need(_mapping(record.get("risks"), _text))
    _need(len(set(record["scalars"])) == len(record["scalars"]))
    _need(len(set(record["map"])) == len(record["map"]))


def _geometry(record: Record) -> None:
    at = record.get("at")
    _need(isinstance(at, list) and len(at) == 4 and isinstance(record.get("values"), list))
    assert at is not None
    _need(_whole(at[0], 0) and _whole(at[1], 0) and (at[2] is None or _whole(at[2], 0)))
    if "events" in record:
        _need(_listed(record["events"], _is_event))
    if "risks" in record:
        _need(_mapping(record["risks"], lambda v: _text(v) or _number(v)))
    if "per_atom" in record:
        _need(_mapping(record["per_atom"], lambda v: _listed(v, _number)))


def _is_event(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("kind"), str)
        and all(_text(value.get(name)) for name in ("message", "advice", "unit"))
        and all(_number(value.get(name)) for name in ("value", "threshold"))
        and all(value.get(n) is None or _whole(value[n], 0) for n in ("index", "track"))
        and _listed(value.get("atoms", []), lambda v: _whole(v, 0))
    )


def _event(record: Record) -> None:
    _need(_is_event(record))


def _structure(record: Record) -> None:
    _need(_whole(record.get("index"), 0) and _whole(record.get("track"), 0))
    _need(record.get("step") is None or _whole(record["step"], 0))
    atoms = record.get("atoms")
    _need(isinstance(atoms, Mapping))
    assert atoms is not None
    numbers = atoms.get("numbers", [])
    _need(_listed(numbers, _element))
    if atoms:
        _need(_rows(atoms.get("positions"), 3, len(numbers)))
        _need(_rows(atoms.get("cell"), 3, 3))
        _need(_listed(atoms.get("pbc"), lambda v: isinstance(v, bool), 3))
    per_atom, flagged = record.get("per_atom") or {}, record.get("flagged") or []
    _need(_mapping(per_atom, lambda row: _listed(row, _number, len(numbers))))
    _need(_listed(flagged, lambda i: _whole(i, 0, len(numbers) - 1)))
    _need(_optional(record, _facts, "facts"))


def _facts(value: Any) -> bool:
    return _mapping(value, lambda facts: isinstance(facts, Mapping) and _is_facts(facts))


def _is_facts(facts: Record) -> bool:
    limits, orbits = facts.get("limits"), facts.get("orbits")
    unseen, level = facts.get("uncalibrated_elements"), facts.get("level")
    return (
        (limits is None or _mapping(limits, _number))
        and (orbits is None or _listed(orbits, lambda v: isinstance(v, str)))
        and (unseen is None or _listed(unseen, lambda v: isinstance(v, str)))
        and _number(level)
        and _text(facts.get("space_group"))
    )


def _copy(record: Record) -> None:
    _need(all(_whole(record.get(name), 0) for name in ("index", "track", "of")))
    _need(_optional(record, _facts, "facts"))


def _summary(record: Record) -> None:
    _need(_optional(record, lambda v: _whole(v, 0), "evaluated", "diagnosed", "tracks"))
    _need(_optional(record, lambda v: _mapping(v, lambda n: _whole(n, 0)), "raised", "held_back"))
    _need(_optional(record, lambda v: _mapping(v, _number), "worst"))
    _need(_optional(record, lambda v: _mapping(v, _text), "switched_off"))
    _need(_text(record.get("ended")))


def _audit(record: Record) -> None:
    _need(
        _listed(
            record.get("laws"),
            lambda law: (
                isinstance(law, Mapping)
                and all(isinstance(law.get(n), str) for n in ("name", "meaning"))
                and isinstance(law.get("holds"), bool)
            ),
        )
    )
    _need(
        _listed(
            record.get("departures"),
            lambda one: (
                isinstance(one, Mapping)
                and all(isinstance(one.get(n), str) for n in ("law", "label", "unit"))
                and all(n in one and _number(one[n]) for n in ("value", "rounding"))
                and isinstance(one.get("holds"), bool)
            ),
        )
    )


def _provenance(record: Record) -> None:
    _need(_mapping(record.get("provenance"), _plain))


_CHECKS: dict[str, Callable[[Record], None]] = {
    "header": _header,
    "layout": _layout,
    "geometry": _geometry,
    "event": _event,
    "structure": _structure,
    "copy": _copy,
    "summary": _summary,
    "audit": _audit,
    "provenance": _provenance,
}
