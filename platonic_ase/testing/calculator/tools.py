"""What the checks share: the bare calculator to compare with, counting, replacing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.models import Encoder

MakeCalculator = Callable[..., PlatonicCalculator]
MakeAtoms = Callable[[], Atoms]


def rattled(atoms: Atoms, size: float = 0.05, seed: int = 0) -> Atoms:
    """Displace all atoms of a copy at random, Å."""
    atoms = atoms.copy()
    atoms.positions += np.random.default_rng(seed).normal(scale=size, size=(len(atoms), 3))
    return atoms


class Bare:
    """The inner calculator alone, to compare with; asked for the same geometries in turn.

    Parameters
    ----------
    make : callable
        Makes the wrapped calculator; its inner one may be shared.
    """

    def __init__(self, make: MakeCalculator) -> None:
        self.calculator = make().calculator
        self._shared = self.calculator is make().calculator

    def __call__(self, atoms: Atoms) -> dict[str, np.ndarray]:
        """All results for a geometry, without constraints."""
        atoms = atoms.copy()
        atoms.set_constraint()
        if self._shared and hasattr(self.calculator, "reset"):
            self.calculator.reset()  # or it would return what the wrapped run has left
        found = {}
        for name in claimed(self.calculator):
            with suppress(PropertyNotImplementedError):  # claimed, but not for this structure
                found[name] = np.array(self.calculator.get_property(name, atoms))
        results = self.calculator.results
        found.update({name: np.array(v) for name, v in results.items() if v is not None})
        return found


@contextmanager
def forwards(encoder: Encoder) -> Iterator[list[None]]:
    """Count the embeddings that the model produces inside the context."""
    count: list[None] = []
    with encoder.listen(lambda array: count.append(None)):
        yield count


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Replace an attribute of an instance for a while.

    A value that is made by :class:`Before` is given the attribute that it replaces.
    """
    missing = object()
    previous = vars(owner).get(name, missing)
    if isinstance(value, Before):
        value = value.bind(getattr(owner, name))
    setattr(owner, name, value)
    try:
        yield
    finally:
        if previous is missing:
            delattr(owner, name)
        else:
            setattr(owner, name, previous)


class Before:
    """Replacement for a method that runs an action and then the method."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action

    def bind(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The action, and then this method."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self.action()
            return method(*args, **kwargs)

        return call


def claimed(calculator: Any) -> list[str]:
    """The usual properties that a calculator says it has."""
    names = ("energy", "forces", "stress", "magmoms")
    return [name for name in names if name in calculator.implemented_properties]
