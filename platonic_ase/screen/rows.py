"""What a row says of a structure, and its JSON form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.monitor.symmetry.orbits import symmetry_dataset

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator
    from platonic_ase.screen.sources import Entry
    from platonic_ase.screen.tasks import Outcome

SYMPREC = 0.01
"""Å: tolerance of the space groups in the rows."""
NOT_COMPARED = ("seconds", "node")
"""What differs from run to run."""
_DIGITS = 5  # of the mean Platonic coordinates: for maps and selections


def failed_row(entry: Entry, error: str) -> dict[str, Any]:
    """Row of a structure that was not computed.

    Parameters
    ----------
    entry : Entry
    error : str
    """
    row: dict[str, Any] = {
        "id": entry.index,
        "name": entry.name,
        "digest": entry.digest,
        "error": error,
        "structure": None,
    }
    if entry.atoms is not None:
        row["formula"] = entry.atoms.get_chemical_formula("metal")
        row["n_atoms"] = len(entry.atoms)
        row["structure"] = structure_of(entry.atoms)
    safe: dict[str, Any] = json_safe(row)
    return safe


def describe(entry: Entry, calculator: PlatonicCalculator, outcome: Outcome) -> dict[str, Any]:
    """Row of a structure that was computed.

    Parameters
    ----------
    entry : Entry
    calculator : PlatonicCalculator
        That watched this structure alone.
    outcome : Outcome
    """
    assert entry.atoms is not None
    summary = calculator.summary()
    diagnosis = calculator.diagnosis
    forces = outcome.forces
    missing = _not_covered(entry.atoms, calculator)
    before = space_group(entry.atoms)
    return {
        "id": entry.index,
        "name": entry.name,
        "digest": entry.digest,
        "error": None,
        "formula": entry.atoms.get_chemical_formula("metal"),
        "n_atoms": len(outcome.atoms),
        "space_group": before,
        "space_group_after": space_group(outcome.atoms) if outcome.steps else before,
        "energy": outcome.energy,
        "largest_force": None if forces is None else float(np.linalg.norm(forces, axis=1).max()),
        "steps": outcome.steps,
        "ended": outcome.ended,
        "worst": dict(summary.worst),
        "risks": {
            **({} if diagnosis is None else diagnosis.risks),
            **_force_risk(calculator, summary.worst),
            **outcome.risks,
        },
        "events": dict(summary.raised),
        "covered": not missing and not outcome.outside,
        "not_covered": [*missing, *outcome.outside],
        "switched_off": dict(summary.switched_off),
        "found": outcome.found,
        "info": {k: v for k, v in entry.atoms.info.items() if isinstance(v, (str, int, float))},
        "platonic": (
            None
            if calculator.platonic is None
            else calculator.platonic.mean(axis=0, dtype=np.float64).round(_DIGITS).tolist()
        ),
    }


def _force_risk(calculator: PlatonicCalculator, worst: Mapping[str, float]) -> dict[str, Any]:
    """Bound of the largest force error (eV/Å) and its level, where there is a calibration."""
    if calculator.force_bound is None or "force_error_bound" not in worst:
        return {}
    return {
        "force_error_bound": worst["force_error_bound"],
        "force_error_level": calculator.force_bound.level,
    }


def _not_covered(atoms: Atoms, calculator: PlatonicCalculator) -> list[str]:
    """Which calibrations are missing, or lack an element of the structure."""
    numbers = set(atoms.numbers.tolist())
    missing = []
    for name, known in (("reference", calculator.reference), ("forces", calculator.force_bound)):
        if known is None:
            missing.append(f"{name}: uncalibrated")
        elif unseen := sorted(numbers - {int(z) for z in known.elements}):
            missing.append(f"{name}: no {', '.join(chemical_symbols[z] for z in unseen)}")
    return missing


def space_group(atoms: Atoms) -> str | None:
    """Symbol and number, such as ``"Fm-3m (225)"``; None for what is no crystal.

    Parameters
    ----------
    atoms : Atoms
    """
    if not atoms.pbc.all() or atoms.cell.rank < 3:
        return None
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    dataset = symmetry_dataset(cell, SYMPREC)
    return None if dataset is None else f"{dataset.international} ({dataset.number})"


def structure_of(atoms: Atoms) -> dict[str, Any]:
    """Numbers, positions (Å), cell (Å) and pbc, with all digits.

    Parameters
    ----------
    atoms : Atoms
    """
    return {
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.tolist(),
        "cell": atoms.cell.array.tolist(),
        "pbc": atoms.pbc.tolist(),
    }


def json_safe(value: Any) -> Any:
    """Replace arrays, numbers of numpy and numbers that are not finite; all digits are kept.

    Parameters
    ----------
    value : object
    """
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return json_safe(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return str(value)
