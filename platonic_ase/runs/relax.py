"""Relaxation under watch."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from ase import units

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.errors import SettingError
from platonic_ase.monitor.symmetry.orbits import symmetry_dataset
from platonic_ase.runs.record import RunResult, record_run, try_report
from platonic_ase.stability.saddle import SaddleCheck, check_saddle, saddle_signal

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
    curvature: bool = True,
    follow: bool = False,
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
    curvature : bool
        Whether to look, once converged, if symmetry has kept the structure on a saddle point: with
        some ten to twenty more passes of the bare model, see
        :func:`~platonic_ase.stability.saddle.check_saddle`. One is a warning.
    follow : bool
        Whether to leave a saddle point along the softest mode and to relax on, as a run of its
        own; the atoms become those of the smallest cell that holds the mode.
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
    if follow and (fix_symmetry or not curvature):
        raise SettingError(
            "follow leaves the symmetry along a mode of negative curvature: it needs curvature, "
            "and a symmetry that is not fixed"
        )

    def relax(
        report: str | os.PathLike[str] | None, append: bool = False, why: str = ""
    ) -> tuple[RunResult, SaddleCheck | None]:
        atoms.calc = calculator
        if fix_symmetry:
            atoms.set_constraint([*atoms.constraints, FixSymmetry(atoms)])
        target: Any = atoms
        if cell:
            target = FrechetCellFilter(atoms, scalar_pressure=pressure * units.GPa)
        dynamics = getattr(ase.optimize, optimizer)(target, logfile=None)
        before = _State.of(atoms, calculator.watch.symmetric)
        saddle: SaddleCheck | None = None

        def start() -> str:
            nonlocal saddle
            before.energy = atoms.get_potential_energy()  # of the geometry that comes first anyway
            if not dynamics.run(fmax=fmax, steps=steps):
                return "not converged"
            if curvature and calculator.stopped_by is None:
                saddle = check_saddle(atoms, calculator)
                if saddle.found:
                    calculator.report(saddle_signal(saddle, atoms))
            return "converged"

        result = record_run(
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
            append=append,
            outcome=lambda: why + before.compared_with(atoms) + _unseen(saddle),
        )
        return result, saddle

    result, saddle = relax(None if follow else report)
    if not follow:
        return result
    if saddle is None or saddle.lower is None or result.ended != "converged":
        return replace(result, report=try_report(result.log, report, calculator.run_id))
    become(atoms, saddle.lower)
    return relax(report, append=True, why=f"left a saddle point towards {_goal(saddle)}; ")[0]


def become(atoms: Atoms, other: Atoms) -> None:
    """Turn an Atoms object into another structure, in place; constraints and arrays go.

    Parameters
    ----------
    atoms, other : Atoms
    """
    atoms.set_constraint()
    del atoms[list(range(len(atoms)))]
    for name in set(atoms.arrays) - {"numbers", "positions"}:
        del atoms.arrays[name]
    atoms.set_cell(other.cell)
    atoms.pbc = other.pbc
    atoms.extend(other)


def _unseen(saddle: SaddleCheck | None) -> str:
    """Why it is not known whether the structure is a saddle point."""
    if saddle is None or not saddle.why:
        return ""
    return f"; not looked at whether it is a saddle point: {saddle.why}"


def _goal(saddle: SaddleCheck) -> str:
    known = saddle.judgement
    return (known and known.subgroup) or "a larger cell"


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
