"""Relaxation under watch."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from ase import units

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.errors import SettingError
from platonic_ase.monitor.symmetry.orbits import symmetry_dataset
from platonic_ase.runs.record import RunResult, record_run

if TYPE_CHECKING:
    from ase import Atoms

_MOST_ATOMS = 1000  # whose space group is looked for at the end
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

    before = _State.of(atoms, calculator.watch.symmetric)

    def start() -> str:
        before.energy = atoms.get_potential_energy()  # of the geometry that comes first anyway
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
        outcome=lambda: before.compared_with(atoms),
    )


@dataclass
class _State:
    volume: float
    space_group: str | None
    energy: float = math.nan

    @classmethod
    def of(cls, atoms: Atoms, ideal: Atoms | None) -> Self:
        return cls(float(atoms.cell.volume), _space_group(atoms if ideal is None else ideal))

    def compared_with(self, atoms: Atoms) -> str:
        """Energy, force, volume and space group of what has become of it."""
        energy = atoms.get_potential_energy()
        force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
        said = [
            f"energy {energy:.4f} eV ({energy - self.energy:+.4f})",
            f"largest force {force:.3g} eV/Å",
        ]
        if self.volume > 0 and abs(atoms.cell.volume / self.volume - 1) > 1e-6:
            said.append(f"volume {100 * (atoms.cell.volume / self.volume - 1):+.2f} %")
        after = _space_group(atoms)
        if self.space_group is not None and after is not None:
            same = after == self.space_group
            said.append(f"still {after}" if same else f"{self.space_group} has become {after}")
        return ", ".join(said)


def _space_group(atoms: Atoms) -> str | None:
    """Within a hundredth of an ångström; None for molecules and for large structures."""
    if not all(atoms.pbc) or len(atoms) > _MOST_ATOMS:
        return None
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    found = symmetry_dataset(cell, 0.01)
    return None if found is None else f"{found.international} ({found.number})"
