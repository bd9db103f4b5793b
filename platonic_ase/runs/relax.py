"""Relaxation under watch."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

from ase import units

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.errors import SettingError
from platonic_ase.runs.record import RunResult, record_run

if TYPE_CHECKING:
    from ase import Atoms

OPTIMIZERS = ("FIRE", "BFGS", "LBFGS", "BFGSLineSearch", "GoodOldQuasiNewton")


def run_relaxation(
    atoms: Atoms,
    calculator: PlatonicCalculator,
    *,
    fmax: float = 0.02,
    steps: int = 500,
    cell: bool = False,
    pressure: float = 0.0,
    fix_symmetry: bool = False,
    optimizer: str = "FIRE",
    trajectory: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> RunResult:
    """Relax positions, or cell too.

    Parameters
    ----------
    atoms : Atoms
        Changed in place.
    calculator : PlatonicCalculator
        Attached to the atoms and to the optimiser; closed at the end.
    fmax : float
        Convergence of the largest force, eV/Å (and stress times volume per atom, with the cell).
    steps : int
        At most.
    cell : bool
        Whether to relax the cell as well (``FrechetCellFilter``).
    pressure : float
        Hydrostatic, in GPa; with the cell only.
    fix_symmetry : bool
        Whether to keep the space group (``FixSymmetry``). The calculator sees raw forces, so that
        it still shows forces that break the symmetry.
    optimizer : str
        One of :data:`OPTIMIZERS`, from ``ase.optimize``.
    trajectory : path-like, optional
        ``.traj``, or ``.xyz`` or ``.h5`` with what was seen of every atom in each frame; one of
        an earlier run is kept aside.
    report : path-like, optional
        HTML report, made from the calculator's log.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    RunResult
        Ended ``"converged"``, ``"not converged"``, ``"interrupted"`` or by the event that stopped
        it.

    Raises
    ------
    SettingError
        For an unknown optimiser, a convergence that is not positive, a pressure on a fixed cell.
    OutputError
        If a file would be written over something else; nothing has been computed then.
    """
    import ase.optimize
    from ase.constraints import FixSymmetry
    from ase.filters import FrechetCellFilter

    if optimizer not in OPTIMIZERS:
        raise SettingError(f"optimizer = {optimizer!r}; one of {', '.join(OPTIMIZERS)} is needed")
    if not (math.isfinite(fmax) and fmax > 0):
        raise SettingError(f"fmax = {fmax:g} eV/Å; a positive number is needed")
    if not math.isfinite(pressure) or (pressure and not cell):
        raise SettingError(
            f"pressure = {pressure:g} GPa on a cell that is {'relaxed' if cell else 'fixed'}; a "
            "finite one is needed, and the cell has to be relaxed as well (cell=True, --cell)"
        )
    atoms.calc = calculator
    if fix_symmetry:
        atoms.set_constraint([*atoms.constraints, FixSymmetry(atoms)])
    target: Any = FrechetCellFilter(atoms, scalar_pressure=pressure * units.GPa) if cell else atoms
    dynamics = getattr(ase.optimize, optimizer)(target, logfile=None)

    def start() -> str:
        return "converged" if dynamics.run(fmax=fmax, steps=steps) else "not converged"

    return record_run(
        start,
        dynamics,
        atoms,
        calculator,
        steps=steps,
        label=f"{optimizer} to {fmax:g} eV/Å",
        trajectory=trajectory,
        trajectory_interval=1,
        report=report,
        progress=progress,
    )
