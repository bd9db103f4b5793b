"""What can be done with each structure: one short function a task."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import ScreenError
from platonic_ase.monitor import (
    Diagnostic,
    ForceBoundModel,
    ForceErrorBound,
    ManifoldDistance,
    OrbitSplitting,
    PhysicalCompanions,
)

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator


@dataclass(frozen=True)
class Outcome:
    """What a task leaves.

    Attributes
    ----------
    atoms : Atoms
        The structure at the end.
    ended : str
        Why it ended.
    steps : int
        Steps made; 0 where the structure is the given one.
    energy : float or None
        eV.
    forces : ndarray, shape (n_atoms, 3), or None
        eV/Å.
    stress : ndarray, shape (6,) or (3, 3), or None
        eV/Å³, ASE's sign.
    risks : mapping
        Beside those of the diagnostics.
    outside : tuple of str
        In what the structure is unlike those of the calibration of these risks.
    found : mapping
        What else the task found, JSON-safe.
    """

    atoms: Atoms
    ended: str
    steps: int = 0
    energy: float | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    risks: dict[str, Any] = field(default_factory=dict)
    outside: tuple[str, ...] = ()
    found: dict[str, Any] = field(default_factory=dict)


TaskFunction = Callable[["Atoms", "PlatonicCalculator", dict[str, Any], "Path | None"], Outcome]


def single_point_diagnostics(bound: ForceBoundModel | None) -> tuple[Diagnostic, ...]:
    """What is watched where each structure is one geometry: alarms need not last.

    Parameters
    ----------
    bound : ForceBoundModel or None
    """
    return (
        ManifoldDistance(persistence=1),
        ForceErrorBound(bound, persistence=1),
        OrbitSplitting(),
        PhysicalCompanions(),
    )


def single_point(
    atoms: Atoms, calculator: PlatonicCalculator, options: dict[str, Any], trajectory: Path | None
) -> Outcome:
    """Energy, forces and diagnostics of the structure as it is."""
    atoms.calc = calculator
    energy = float(atoms.get_potential_energy())
    return _outcome(atoms, calculator, "finished", 0, energy)


def relax(
    atoms: Atoms, calculator: PlatonicCalculator, options: dict[str, Any], trajectory: Path | None
) -> Outcome:
    """Relaxation; see :func:`~platonic_ase.runs.relax.run_relaxation`."""
    from platonic_ase.runs.relax import run_relaxation

    result = run_relaxation(
        atoms, calculator, curvature=False, trajectory=trajectory, progress=False, **options
    )
    return _outcome(atoms, calculator, result.ended, result.steps)


def molecular_dynamics(
    atoms: Atoms, calculator: PlatonicCalculator, options: dict[str, Any], trajectory: Path | None
) -> Outcome:
    """Molecular dynamics; see :func:`~platonic_ase.runs.md.run_md`."""
    from platonic_ase.runs.md import run_md

    options = {"temperature": 300.0, "steps": 500, "seed": 0, **options}
    result = run_md(atoms, calculator, trajectory=trajectory, progress=False, **options)
    return _outcome(atoms, calculator, result.ended, result.steps)


def phonon(
    atoms: Atoms, calculator: PlatonicCalculator, options: dict[str, Any], trajectory: Path | None
) -> Outcome:
    """Phonons and the risk that they are wrong; see :func:`~platonic_ase.phonons.run_phonon`."""
    from platonic_ase.phonons import run_phonon

    result = run_phonon(atoms, calculator, progress=False, **options)
    spectrum = result.spectrum
    found: dict[str, Any] = {"residual_force": result.residual_force}
    if spectrum is not None:
        found |= {
            "mean_frequency_THz": spectrum.mean,
            "lowest_frequency_THz": spectrum.lowest,
            "highest_frequency_THz": float(spectrum.quantiles[-1]),
            "imaginary_share": spectrum.imaginary_share,
        }
    risks = {**result.risk.to_risks(), "phonon_error_interval": result.risk.interval}
    return Outcome(
        result.atoms,
        result.ended,
        result.steps,
        risks=risks,
        outside=result.risk.outside,
        found=found,
    )


def forecast(
    atoms: Atoms, calculator: PlatonicCalculator, options: dict[str, Any], trajectory: Path | None
) -> Outcome:
    """Whether the symmetry breaks; see :func:`~platonic_ase.stability.run.run_forecast`."""
    from platonic_ase.monitor.diagnosis import UNCALIBRATED
    from platonic_ase.stability.run import run_forecast

    result = run_forecast(atoms, calculator, progress=False, **options)
    said = result.forecast
    risk = UNCALIBRATED if said.probability is None else said.probability
    leading = said.leading
    found = (
        {}
        if leading is None
        else {"curvature_eV_A2": leading.curvature, "heads_for": leading.subgroup}
    )
    return Outcome(result.atoms, "finished", 1, risks={"symmetry_breaking": risk}, found=found)


def audit_model(
    atoms: Atoms, calculator: PlatonicCalculator, options: dict[str, Any], trajectory: Path | None
) -> Outcome:
    """Which laws the model does not keep; see :func:`~platonic_ase.audit.audit`."""
    from platonic_ase.audit import audit

    report = audit(calculator.calculator, atoms, encoder=calculator.encoder, **options)
    found = {
        "broken_laws": [law.name for law in report.broken],
        "departures": {each.label: each.value for each in report.departures},
    }
    return Outcome(atoms, "finished", 0, found=found)


TASK_FUNCTIONS: dict[str, TaskFunction] = {
    "singlepoint": single_point,
    "relax": relax,
    "md": molecular_dynamics,
    "phonon": phonon,
    "forecast": forecast,
    "audit": audit_model,
}


def _outcome(
    atoms: Atoms,
    calculator: PlatonicCalculator,
    ended: str,
    steps: int,
    energy: float | None = None,
) -> Outcome:
    """Energy and forces that the calculator has; nothing is computed anew."""
    results = calculator.results
    if energy is None and results.get("energy") is not None:
        energy = float(results["energy"])
    forces, stress = (
        None if results.get(name) is None else np.asarray(results[name])
        for name in ("forces", "stress")
    )
    return Outcome(atoms, ended, steps, energy, forces, stress)


_NOT_OPTIONS = {
    *("atoms", "calculator", "encoder", "trajectory", "report", "json", "params", "store"),
    *("corrected_params", "progress"),
}


def check_options(task: str, options: Mapping[str, Any]) -> None:
    """Refuse what a task does not take, before anything is computed.

    Parameters
    ----------
    task : str
    options : mapping

    Raises
    ------
    ScreenError
        Names what the task takes.
    """
    allowed = [name for name in _parameters(task) if name not in _NOT_OPTIONS]
    unknown = [name for name in options if name not in allowed]
    if unknown:
        takes = f"it takes {', '.join(allowed)}" if allowed else "it takes none"
        raise ScreenError(f"the task {task!r} has no option {', '.join(unknown)}; {takes}")


def _parameters(task: str) -> list[str]:
    from platonic_ase.audit import audit
    from platonic_ase.phonons import run_phonon
    from platonic_ase.runs.md import run_md
    from platonic_ase.runs.relax import run_relaxation
    from platonic_ase.stability.run import run_forecast

    functions: dict[str, Callable[..., Any]] = {
        "relax": run_relaxation,
        "md": run_md,
        "phonon": run_phonon,
        "forecast": run_forecast,
        "audit": audit,
    }
    return list(inspect.signature(functions[task]).parameters) if task in functions else []
