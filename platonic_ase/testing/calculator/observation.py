"""How the model is observed: nothing is kept alive, and what cannot be seen is an error."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from numbers import Number
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np
from ase import Atoms

from platonic_ase.errors import CaptureError
from platonic_ase.models import Encoder
from platonic_ase.testing.calculator.tools import (
    MakeAtoms,
    MakeCalculator,
    rattled,
    replaced,
)


def check_nothing_is_kept_alive(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Let go of the model's tensors, and remember no more after many geometries than before."""
    calc, atoms = make(), rattled(make_atoms())
    atoms.calc = calc
    raw: list[weakref.ref[Any]] = []
    with calc.encoder.listen(lambda array: raw.append(weakref.ref(array))):
        atoms.get_forces()
    gc.collect()
    own = {id(calc.embeddings), id(calc.platonic)}
    assert not any(id(reference()) in own for reference in raw), "the model's own array is kept"
    for value in (calc.embeddings, calc.platonic):
        assert isinstance(value, np.ndarray), f"a {type(value).__name__} is kept, not an array"
    steps = 12
    for _ in range(3):
        _step(atoms)
    before = _objects_within(calc)
    for _ in range(steps):
        _step(atoms)
    growth = _objects_within(calc) - before
    assert growth < steps, f"{growth} objects more after {steps} geometries"


def check_unobservable_models_are_refused(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Say what to do when the forward pass cannot be observed, and remember no result."""
    for times, remedy in ((0, "eager"), (2, "layer")):
        calc, atoms = make(), rattled(make_atoms())
        atoms.calc = calc
        with replaced(calc.encoder, "listen", _repeated(calc.encoder, times)):
            message = ""
            try:
                atoms.get_potential_energy()
            except CaptureError as error:
                message = str(error)
        assert remedy in message, f"{times} captures in one calculation: {message or 'no error'}"
        assert not calc.results, "results are kept although the set-up cannot work"
        atoms.get_potential_energy()
        assert calc.diagnosis is not None, "once the model can be observed, it is not"


def _objects_within(root: object) -> int:
    """Count what an object keeps alive, less plain numbers and strings.

    Counted from the object on, because other threads and earlier garbage change the number in
    the whole process. Classes, modules and the globals of functions belong to the program.
    """
    found: dict[int, object] = {}
    waiting: list[object] = [root]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, type | ModuleType | CodeType | FrameType) or id(thing) in found:
            continue
        if isinstance(thing, str | bytes | Number):  # what histories of bounded length are made of
            continue
        found[id(thing)] = thing
        if isinstance(thing, FunctionType):
            waiting += [thing.__closure__, thing.__defaults__, thing.__dict__]
        else:
            waiting += gc.get_referents(thing)
    return len(found)


def _repeated(encoder: Encoder, times: int) -> Callable[..., Any]:
    listen = encoder.listen

    def replacement(receive: Callable[[Any], None]) -> Any:
        def repeat(array: Any) -> None:
            for _ in range(times):
                receive(array)

        return listen(repeat)

    return replacement


def _step(atoms: Atoms) -> None:
    atoms.positions[0, 0] += 1e-3
    atoms.get_forces()
