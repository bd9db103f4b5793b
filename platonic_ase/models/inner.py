"""The calculator inside: what has changed for it, and one run for all that may be asked of it."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import (
    BaseCalculator,
    Calculator,
    PropertyNotImplementedError,
    all_changes,
    equal,
)
from ase.outputs import all_outputs

from platonic_ase.errors import StructureError
from platonic_ase.models.registry import nested_calculators
from platonic_ase.structures import check_structure

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.models import Capture

_FURTHER = [name for name in all_changes if name not in ("positions", "numbers", "cell", "pbc")]
_USUAL = ("energy", "forces", "stress", "magmoms")


class InnerCalculator:
    """Runs an ASE calculator, a sum or a wrapper, once per geometry.

    Parameters
    ----------
    calculator : ase calculator
    """

    def __init__(self, calculator: Any) -> None:
        self.calculator = calculator
        self._extra = [name for name in _USUAL if name in self.properties()]
        self._left: dict[int, tuple[Atoms, Atoms]] = {}  # what calculators hold, of which atoms

    def __copy__(self) -> InnerCalculator:
        """Another one around the same calculator, with a memory of its own."""
        other = object.__new__(InnerCalculator)
        other.calculator, other._extra, other._left = self.calculator, list(self._extra), {}
        return other

    def properties(self) -> list[str]:
        """What it can compute and ASE has a name for; a new list at each call."""
        return [name for name in self.calculator.implemented_properties if name in all_outputs]

    @property
    def looks_further(self) -> bool:
        """Whether results depend on more than what ASE compares, or nothing is to be kept."""
        return any(_checks_by_itself(each) for each in nested_calculators(self.calculator))

    @property
    def forgot(self) -> bool:
        """Whether results were dropped inside, as when parameters have been set."""
        return any(_forgot(each) for each in nested_calculators(self.calculator))

    def changes(self, atoms: Atoms, tol: float) -> list[str]:
        """List what changed by its own account, such as a charge that it keeps track of."""
        changes: list[str] = []
        for calculator in nested_calculators(self.calculator):
            if _forgot(calculator):
                changes += [c for c in all_changes if c not in changes]
            elif _checks_by_itself(calculator):
                changes += [c for c in calculator.check_state(atoms, tol) if c not in changes]
        return changes

    def changes_behind(self, atoms: Atoms, last: Atoms | None, changes: list[str]) -> list[str]:
        """Add what changed for calculators inside that saw other structures in the meantime.

        Parameters
        ----------
        atoms : Atoms
            To be calculated.
        last : Atoms or None
            Calculated last through the wrapper.
        changes : list of str
            Since then.
        """
        for calculator in nested_calculators(self.calculator):
            seen = getattr(calculator, "atoms", None)
            left = self._left.get(id(calculator))
            if left is not None and left[0] is seen and left[1] is last:
                continue  # a copy of its own, which nobody has replaced
            if seen is not None and last is not None and not changes_between(seen, last):
                continue
            if hasattr(calculator, "check_state"):
                more = [c for c in calculator.check_state(atoms) if c not in changes]
                changes = [*changes, *more]
        return changes

    def remember(self, atoms: Atoms, last: Atoms | None) -> None:
        """Remember which copies of a structure the calculators inside have made of it.

        Parameters
        ----------
        atoms : Atoms
            The live object that was calculated.
        last : Atoms or None
            The copy of it that the wrapper has.
        """
        self._left = {}
        for calculator in nested_calculators(self.calculator):
            seen = getattr(calculator, "atoms", None)
            if seen is not None and seen is not atoms and last is not None:
                self._left[id(calculator)] = seen, last

    def run(
        self, atoms: Atoms, asked: list[str], system_changes: list[str], capture: Capture | None
    ) -> dict[str, Any]:
        """Ask for all that may be wanted, so that one forward pass serves it.

        Parameters
        ----------
        atoms : Atoms
        asked : list of str
            Properties.
        system_changes : list of str
        capture : Capture or None
            Cleared where the calculation has to begin anew.

        Returns
        -------
        dict
            Results that ASE has names for, copied.

        Raises
        ------
        PropertyNotImplementedError
            If it cannot compute what was asked.
        StructureError
            If it fails on a structure that is unusual.
        """
        while True:
            extra = [
                name
                for name in self._extra
                if name not in asked and (name != "stress" or all(map(any, atoms.cell.tolist())))
            ]
            for calculator in nested_calculators(self.calculator):
                _forget(calculator)
            try:
                self.calculator.calculate(atoms, [*asked, *extra], system_changes)
            except PropertyNotImplementedError:
                # some claim what they cannot deliver: never fail for what nobody asked
                if not extra:
                    raise
                self._extra.remove(extra[-1])
                if capture is not None:
                    capture.clear()
            except Exception as error:
                problems = check_structure(atoms)
                if not problems:
                    raise
                raise StructureError(
                    f"{type(self.calculator).__name__} cannot compute this structure "
                    f"({type(error).__name__}: {error}). What is unusual about it: "
                    + " ".join(problems)
                ) from error
            else:
                # copies: EMT, for one, writes its next forces into the same array
                return {
                    name: value.copy() if isinstance(value, np.ndarray) else value
                    for name, value in self.calculator.results.items()
                    if name in all_outputs
                }


def changes_between(
    one: Atoms | None, other: Atoms, tol: float = 1e-15, ignored: Collection[str] = ()
) -> list[str]:
    """List what differs between two structures, as ASE's ``compare_atoms`` does, but faster.

    What agrees to the last bit is not compared with a tolerance as well.

    Parameters
    ----------
    one : Atoms or None
        Everything has changed since nothing.
    other : Atoms
    tol : float
        Absolute tolerance.
    ignored : collection of str
        Not looked at.

    Returns
    -------
    list of str
        Of ASE's ``all_changes``, in that order.
    """
    if one is None:
        return list(all_changes)
    changes: list[str] = []
    mine, theirs = one.arrays, other.arrays
    if _all_identical(one, other):
        return changes
    for name in all_changes:
        if name == "cell":
            first, second = one.cell.array, other.cell.array
        elif name == "pbc":
            first, second = one.pbc, other.pbc
        elif name in mine and name in theirs:
            first, second = mine[name], theirs[name]
        else:
            if (name in mine) != (name in theirs) and name not in ignored:
                changes.append(name)
            continue
        if name in ignored or _identical(first, second):
            continue
        if _apart(first, second, tol) or not equal(first, second, atol=tol):
            changes.append(name)
    return changes


def _all_identical(one: Atoms, other: Atoms) -> bool:
    """Whether two structures with nothing but elements and positions agree to the last bit."""
    mine, theirs = one.arrays, other.arrays
    positions = mine["positions"]
    return (
        positions.tobytes() == theirs["positions"].tobytes()
        and mine["numbers"].tobytes() == theirs["numbers"].tobytes()
        and one.cell.array.tobytes() == other.cell.array.tobytes()
        and one.pbc.tobytes() == other.pbc.tobytes()
        and not any(name in mine or name in theirs for name in _FURTHER)
        and math.isfinite(np.vdot(positions, positions))  # what is no number never agrees
    )


def _identical(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether all numbers agree to the last bit; those that are none never do."""
    return one.shape == other.shape and not np.count_nonzero(one != other)


def _apart(one: np.ndarray, other: np.ndarray, tol: float) -> bool:
    """Whether two numbers surely differ by more than the tolerance; quicker than ``allclose``."""
    if one.dtype.kind != "f" or one.shape != other.shape:
        return False
    with np.errstate(invalid="ignore"):
        return bool(np.abs(one - other).max(initial=0) > tol)


def _forgot(calculator: Any) -> bool:
    """Whether a calculator has dropped its results, as when its parameters have been set."""
    return getattr(calculator, "atoms", "never kept") is None


def _checks_by_itself(calculator: Any) -> bool:
    """Whether a calculator looks at more than the structure, or wants no caching."""
    if "check_state" in getattr(calculator, "__dict__", {}):
        return True
    own = getattr(type(calculator), "check_state", Calculator.check_state)
    if own is BaseCalculator.check_state:
        return not calculator.use_cache
    return own is not Calculator.check_state


def _forget(calculator: Any) -> None:
    """Clear what a calculator remembers, as ASE does before a calculation."""
    if hasattr(calculator, "reset"):
        calculator.reset()
    else:
        calculator.atoms, calculator.results = None, {}
