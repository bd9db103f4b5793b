"""Schemas of stored packs: what each array and each entry of the header has to be.

One schema a kind of pack, checked whenever a file is read, so that a file that makes no sense is
refused with a sentence instead of watching nothing: a negative threshold, an alarm that is not a
number, coordinates that are no cosines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Check = Callable[[Any], str | None]
"""Says what is needed, where a value is something else."""


@dataclass(frozen=True)
class ArraySchema:
    """What an array has to be.

    Attributes
    ----------
    dimensions : tuple of str
        Names of its lengths; equal names are equal lengths throughout a pack.
    kind : {"f", "i"}
        Floating point of 16 to 64 bits, or integers of 64.
    low, high : float
        Allowed, both.
    required : bool
        Whether the pack may lack it.
    """

    dimensions: tuple[str, ...]
    kind: str = "f"
    low: float = -1e30
    high: float = 1e30
    required: bool = True


@dataclass(frozen=True)
class PackSchema:
    """What a pack has to hold; more is allowed, and ignored.

    Attributes
    ----------
    arrays : mapping of str to ArraySchema
    header : mapping of str to Check
    """

    arrays: Mapping[str, ArraySchema] = field(default_factory=dict)
    header: Mapping[str, Check] = field(default_factory=dict)

    def problem(self, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> str | None:
        """The first thing that is wrong, as a phrase; None where nothing is.

        Parameters
        ----------
        arrays : mapping of str to ndarray
        header : mapping
        """
        for name, check in self.header.items():
            if name not in header:
                return f"the header lacks {name!r}"
            if needed := check(header[name]):
                return f"{name} = {_short(header[name])}; {needed} is needed"
        lengths: dict[str, int] = {}
        for name, schema in self.arrays.items():
            if name not in arrays:
                if schema.required:
                    return f"the array {name!r} is missing"
                continue
            if found := _array_problem(arrays[name], schema, lengths):
                return f"the array {name!r} {found}"
        return None


def _array_problem(array: np.ndarray, schema: ArraySchema, lengths: dict[str, int]) -> str | None:
    allowed = ("float16", "float32", "float64") if schema.kind == "f" else ("int64",)
    if array.dtype.name not in allowed:
        return f"is {array.dtype.name}; {' or '.join(allowed)} is needed"
    named = ", ".join(schema.dimensions)
    if array.ndim != len(schema.dimensions):
        return f"has shape {array.shape}; ({named}) is needed"
    for name, length in zip(schema.dimensions, array.shape, strict=True):
        if lengths.setdefault(name, length) != length:
            return f"has shape {array.shape}; ({named}) with {name} = {lengths[name]} is needed"
    if array.size and not (schema.low <= float(array.min()) and float(array.max()) <= schema.high):
        return (
            f"holds values from {array.min():.4g} to {array.max():.4g}; {schema.low:g} to "
            f"{schema.high:g} is allowed"
        )
    return None


def number(low: float, high: float = 1e30, *, above: bool = False) -> Check:
    """A finite number in a range, without its lower end where ``above``."""

    def check(value: Any) -> str | None:
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        # comparisons alone: they refuse NaN and infinity, and take integers of any length
        if good and (low < value if above else low <= value) and value <= high:
            return None
        return f"a number {'above' if above else 'of at least'} {low:g} and at most {high:g}"

    return check


def text(value: Any) -> str | None:
    """Any text."""
    return None if isinstance(value, str) else "text"


def boolean(value: Any) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "true or false"


def mapping(value: Any) -> str | None:
    """A JSON object."""
    return None if isinstance(value, Mapping) else "a JSON object"


def optional(check: Check) -> Check:
    """What another check allows, or null."""
    return lambda value: None if value is None else check(value)


def list_of(check: Check, at_most: int = 100_000) -> Check:
    """A list, each entry of which a check allows."""

    def every(value: Any) -> str | None:
        if not isinstance(value, list) or len(value) > at_most:
            return f"a list of at most {at_most} entries"
        return next(
            (f"{needed}, for each entry," for item in value if (needed := check(item))), None
        )

    return every


def entries(*checks: Check) -> Check:
    """A list of as many entries as there are checks, one check each."""

    def every(value: Any) -> str | None:
        if not isinstance(value, list) or len(value) != len(checks):
            return f"a list of {len(checks)} entries"
        pairs = zip(checks, value, strict=True)
        return next((f"{needed}, in its place," for c, v in pairs if (needed := c(v))), None)

    return every


def mapping_of(check: Check) -> Check:
    """A JSON object, each value of which a check allows."""

    def every(value: Any) -> str | None:
        if not isinstance(value, Mapping):
            return "a JSON object"
        return next(
            (f"{needed}, for each entry," for item in value.values() if (needed := check(item))),
            None,
        )

    return every


def record(**checks: Check) -> Check:
    """A JSON object with certain entries."""

    def every(value: Any) -> str | None:
        if not isinstance(value, Mapping):
            return "a JSON object"
        for name, check in checks.items():
            if name not in value:
                return f"a JSON object with {name!r}"
            if needed := check(value[name]):
                return f"{needed} for {name!r}"
        return None

    return every


def whole(low: int, high: int) -> Check:
    """An integer in a range."""

    def check(value: Any) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if good else f"a whole number from {low} to {high}"

    return check


identity = record(
    package=text,
    package_version=text,
    model=text,
    fingerprint=text,
    layer=text,
    width=whole(1, 1_000_000),
    dtype=text,
    settings=mapping,
)
"""A :class:`~platonic_ase.space.identity.ModelIdentity`."""

atomic_number = whole(1, 118)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) < 80 else shown[:77] + "..."
