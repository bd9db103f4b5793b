"""All checks of a model, or the cheap ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ase.build import bulk

from platonic_ase.doctor.derivatives import check_forces, check_stress
from platonic_ase.doctor.frames import check_frames
from platonic_ase.doctor.report import Examination, Finding, Verdict
from platonic_ase.doctor.textbook import check_crystals

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

COMPRESSION, RATTLE = 0.96, 0.05
CANDIDATES = (("NaCl", "rocksalt", 5.64), ("Si", "diamond", 5.43), ("Cu", "fcc", 3.61))


def examine(
    calculator: Any, model: str = "", *, elements: frozenset[int] | None = None
) -> Examination:
    """Check derivatives, textbook crystals and labelled structures: some two hundred small cells.

    Parameters
    ----------
    calculator : ase calculator
        Any; it need not have an encoder. What it remembers is changed.
    model : str
        Name for the report.
    elements : frozenset of int, optional
        Atomic numbers that the model knows; all where it does not say.

    Returns
    -------
    Examination
    """
    start = time.perf_counter()
    findings = (
        *_derivatives(calculator, elements),
        *check_crystals(calculator, elements),
        check_frames(calculator, elements),
    )
    return Examination(model or _name(calculator), findings, time.perf_counter() - start)


def quick_look(
    calculator: Any,
    model: str = "",
    *,
    elements: frozenset[int] | None = None,
    forces_of: Callable[[Atoms], np.ndarray] | None = None,
) -> Examination:
    """The cheap part of :func:`examine`: derivatives and labelled frames, some 40 cells.

    Parameters
    ----------
    calculator, model, elements
        See :func:`examine`.
    forces_of : callable, optional
        Computes the forces of a labelled frame, eV/Å, in place of the calculator.
    """
    start = time.perf_counter()
    findings = (
        *_derivatives(calculator, elements, directions=1),
        check_frames(calculator, elements, forces_of),
    )
    return Examination(model or _name(calculator), findings, time.perf_counter() - start)


def _derivatives(
    calculator: Any, elements: frozenset[int] | None, directions: int = 3
) -> tuple[Finding, ...]:
    atoms = _stressed(elements)
    if atoms is None:
        skipped = (f"the model knows none of {', '.join(each[0] for each in CANDIDATES)}", "")
        return (Finding("derivatives of the energy", *skipped, Verdict.SKIPPED, "", {}),)
    return (
        check_forces(calculator, atoms, directions=directions),
        check_stress(calculator, atoms, directions=directions),
    )


def _stressed(elements: frozenset[int] | None) -> Atoms | None:
    """A compressed and rattled crystal of elements that the model knows."""
    for formula, structure, constant in CANDIDATES:
        atoms: Atoms = bulk(formula, structure, a=COMPRESSION * constant, cubic=True)
        if elements is None or elements >= set(atoms.numbers.tolist()):
            atoms.rattle(RATTLE, seed=0)
            return atoms
    return None


def _name(calculator: Any) -> str:
    return type(calculator).__name__
