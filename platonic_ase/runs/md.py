"""Molecular dynamics under watch."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase import units

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.errors import SettingError, StructureError
from platonic_ase.outputs import show_path
from platonic_ase.runs.record import RunResult, record_run

if TYPE_CHECKING:
    from ase import Atoms

Ensemble = Literal["nve", "nvt", "npt"]
Thermostat = Literal["bussi", "langevin", "nose-hoover"]


def run_md(
    atoms: Atoms,
    calculator: PlatonicCalculator,
    *,
    temperature: float,
    steps: int,
    timestep: float = 2.0,
    ensemble: Ensemble = "nvt",
    pressure: float = 0.0,
    thermostat: Thermostat = "bussi",
    friction: float = 10.0,
    trajectory: str | os.PathLike[str] | None = None,
    trajectory_interval: int = 10,
    append: bool = False,
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
        Velocity Verlet; a thermostat; or Nosé–Hoover chains with the isotropic barostat of Martyna,
        Tobias and Klein (J. Chem. Phys. 101, 4177 (1994)).
    pressure : float
        In GPa, for ``"npt"``.
    thermostat : {"bussi", "langevin", "nose-hoover"}
        Of ``"nvt"``: stochastic rescaling of Bussi, Donadio and Parrinello (J. Chem. Phys. 126,
        014101 (2007)), Langevin dynamics, or Nosé–Hoover chains.
    friction : float
        Of ``"nvt"``, in 1/ps: the friction of Langevin dynamics, and one over the relaxation time
        of the other thermostats.
    trajectory : path-like, optional
        ``.traj``, or ``.xyz`` or ``.h5`` with what was seen of every atom in each frame; one of
        an earlier run is kept aside.
    trajectory_interval : int
        Steps between frames.
    append : bool
        Whether the trajectory is that of the run that goes on here; see :func:`last_frame`.
    report : path-like, optional
        HTML report, made from the calculator's log.
    seed : int, optional
        Of velocities and thermostat.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    RunResult

    Raises
    ------
    SettingError
        For a temperature, time step, friction or pressure that no run can have.
    OutputError
        If a file would be written over something else; nothing has been computed then.

    Notes
    -----
    On Ctrl-C the trajectory, log and report of what ran so far are completed, and the result says
    ``"interrupted"``.
    """
    from ase.md.velocitydistribution import Stationary, thermalize_momenta

    check_settings(temperature, timestep, friction, pressure, ensemble)
    rng = np.random.default_rng(seed)
    atoms.calc = calculator
    if temperature > 0 and not np.any(atoms.get_momenta()):
        thermalize_momenta(atoms, temperature, rng=rng)
        if len(atoms) > 1:
            Stationary(atoms)
    dynamics = _dynamics(
        atoms, ensemble, temperature, timestep * units.fs, pressure, rng, thermostat, friction
    )

    late: list[float] = []

    def measure() -> None:
        if 2 * dynamics.nsteps > steps:
            late.append(atoms.get_temperature())

    def start() -> str:
        dynamics.run(steps)
        return "finished"

    def outcome() -> str:
        if not late:
            return ""
        asked = "" if ensemble == "nve" else f" ({temperature:g} K asked for)"
        return f"mean temperature {np.mean(late):.0f} K in the second half{asked}"

    dynamics.attach(measure)
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
        append=append,
        outcome=outcome,
    )


def last_frame(trajectory: str | os.PathLike[str]) -> Atoms:
    """The structure, with its velocities, at which a trajectory ended: where a restart begins.

    A thermostat's own state is not in a trajectory: random numbers are drawn anew, and Nosé–Hoover
    chains begin at rest.

    Parameters
    ----------
    trajectory : path-like

    Raises
    ------
    StructureError
        If it cannot be read, or holds no velocities.
    """
    from platonic_ase.structures import read_structure

    atoms = read_structure(Path(trajectory))
    if not atoms.has("momenta"):
        raise StructureError(
            f"{show_path(trajectory)} holds no velocities; only the trajectory of molecular "
            "dynamics can be gone on with"
        )
    atoms.calc = None
    return atoms


def check_settings(
    temperature: float, timestep: float, friction: float, pressure: float, ensemble: str
) -> None:
    """Refuse settings that no run can have.

    Parameters
    ----------
    temperature, timestep, friction, pressure, ensemble
        See :func:`run_md`.

    Raises
    ------
    SettingError
    """
    if (
        not math.isfinite(temperature)
        or temperature < 0
        or (temperature == 0 and ensemble != "nve")
    ):
        raise SettingError(
            f"temperature = {temperature:g} K; a positive one is needed (0 in 'nve' draws no "
            "velocities)"
        )
    for name, value, unit in (("timestep", timestep, "fs"), ("friction", friction, "1/ps")):
        if not (math.isfinite(value) and value > 0):
            raise SettingError(f"{name} = {value:g} {unit}; a positive number is needed")
    if not math.isfinite(pressure):
        raise SettingError(f"pressure = {pressure:g} GPa; a finite number is needed")


def _dynamics(
    atoms: Atoms,
    ensemble: Ensemble,
    temperature: float,
    timestep: float,
    pressure: float,
    rng: np.random.Generator,
    thermostat: Thermostat = "bussi",
    friction: float = 10.0,
) -> Any:
    if ensemble == "nve":
        from ase.md.verlet import VelocityVerlet

        return VelocityVerlet(atoms, timestep)
    if ensemble == "nvt":
        return _thermostatted(atoms, temperature, timestep, rng, thermostat, friction)
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
    raise SettingError(f"ensemble = {ensemble!r}; 'nve', 'nvt' or 'npt' is needed")


def _thermostatted(
    atoms: Atoms,
    temperature: float,
    timestep: float,
    rng: np.random.Generator,
    thermostat: Thermostat,
    friction: float,
) -> Any:
    relaxation = 1000 * units.fs / friction
    if thermostat == "bussi":
        from ase.md.bussi import Bussi

        return Bussi(atoms, timestep, temperature, taut=relaxation, rng=rng)
    if thermostat == "langevin":
        from ase.md.langevin import Langevin

        return Langevin(
            atoms, timestep, temperature_K=temperature, friction=1 / relaxation, rng=rng
        )
    if thermostat == "nose-hoover":
        from ase.md.nose_hoover_chain import NoseHooverChainNVT

        return NoseHooverChainNVT(atoms, timestep, temperature, tdamp=relaxation)
    raise SettingError(
        f"thermostat = {thermostat!r}; 'bussi', 'langevin' or 'nose-hoover' is needed"
    )
