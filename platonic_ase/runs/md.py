"""Molecular dynamics under watch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase import units

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.runs.record import RunResult, record_run

if TYPE_CHECKING:
    from ase import Atoms

Ensemble = Literal["nve", "nvt", "npt"]


def run_md(
    atoms: Atoms,
    calculator: PlatonicCalculator,
    *,
    temperature: float,
    steps: int,
    timestep: float = 2.0,
    ensemble: Ensemble = "nvt",
    pressure: float = 0.0,
    trajectory: str | os.PathLike[str] | None = None,
    trajectory_interval: int = 10,
    report: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    progress: bool = True,
) -> RunResult:
    """Run molecular dynamics, with velocities drawn at the temperature unless there are some.

    Parameters
    ----------
    atoms : Atoms
        Changed in place.
    calculator : PlatonicCalculator
        Attached to the atoms and to the dynamics; closed at the end.
    temperature : float
        In K.
    steps : int
    timestep : float
        In fs.
    ensemble : {"nve", "nvt", "npt"}
        Velocity Verlet; the Bussi–Donadio–Parrinello thermostat (J. Chem. Phys. 126, 014101
        (2007)); or Nosé–Hoover chains with the isotropic barostat of Martyna, Tobias and Klein
        (J. Chem. Phys. 101, 4177 (1994)).
    pressure : float
        In GPa, for ``"npt"``.
    trajectory : path-like, optional
        ASE trajectory; one of an earlier run is kept aside.
    trajectory_interval : int
        Steps between frames.
    report : path-like, optional
        HTML report, made from the calculator's log.
    seed : int, optional
        Of velocities and thermostat.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    RunResult

    Notes
    -----
    On Ctrl-C the trajectory, log and report of what ran so far are completed, and the result says
    ``"interrupted"``.
    """
    from ase.md.velocitydistribution import Stationary, thermalize_momenta

    rng = np.random.default_rng(seed)
    atoms.calc = calculator
    if temperature > 0 and not np.any(atoms.get_momenta()):
        thermalize_momenta(atoms, temperature, rng=rng)
        if len(atoms) > 1:
            Stationary(atoms)
    dynamics = _dynamics(atoms, ensemble, temperature, timestep * units.fs, pressure, rng)

    def start() -> str:
        dynamics.run(steps)
        return "finished"

    return record_run(
        start,
        dynamics,
        atoms,
        calculator,
        steps=steps,
        label=f"{ensemble.upper()} {temperature:g} K",
        trajectory=trajectory,
        trajectory_interval=trajectory_interval,
        report=report,
        progress=progress,
        provenance={
            "ensemble": ensemble,
            "temperature_K": temperature,
            "timestep_fs": timestep,
            "pressure_GPa": pressure if ensemble == "npt" else None,
            "seed": seed,
        },
    )


def _dynamics(
    atoms: Atoms,
    ensemble: Ensemble,
    temperature: float,
    timestep: float,
    pressure: float,
    rng: np.random.Generator,
) -> Any:
    if ensemble == "nve":
        from ase.md.verlet import VelocityVerlet

        return VelocityVerlet(atoms, timestep)
    if ensemble == "nvt":
        from ase.md.bussi import Bussi

        return Bussi(atoms, timestep, temperature, taut=100 * units.fs, rng=rng)
    if ensemble == "npt":
        from ase.md.nose_hoover_chain import IsotropicMTKNPT

        return IsotropicMTKNPT(
            atoms,
            timestep,
            temperature_K=temperature,
            pressure_au=pressure * units.GPa,
            tdamp=100 * timestep,
            pdamp=1000 * timestep,
        )
    raise ValueError(f"ensemble = {ensemble!r}; 'nve', 'nvt' or 'npt' is needed")
