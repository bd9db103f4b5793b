"""Before the phonons: a relaxed crystal and a supercell that is large enough."""

from __future__ import annotations

import itertools
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units

from platonic_ase.errors import StructureError
from platonic_ase.monitor.symmetry.orbits import symmetry_dataset
from platonic_ase.phonons.layers import open_directions, strain_mask

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator
    from platonic_ase.report.display import RunDisplay

MIN_LENGTH = 10.0
"""Å: supercells are at least this wide, so that a displaced atom does not meet its images."""
MAX_ATOMS = 200
_SYMPREC = 1e-3


@dataclass(frozen=True)
class Relaxation:
    """How the crystal came to rest.

    Attributes
    ----------
    done : bool
        Whether a relaxation was asked for.
    converged : bool or None
        None without relaxation.
    steps : int
    max_force : float
        Largest residual force, eV/Å.
    pressure : float or None
        GPa, positive under compression; None where the model gives no stress, and for layers.
    space_group, space_group_before : str
        International symbol and number.
    """

    done: bool
    converged: bool | None
    steps: int
    max_force: float
    pressure: float | None
    space_group: str
    space_group_before: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return asdict(self)


def relax_crystal(
    atoms: Atoms,
    calculator: PlatonicCalculator,
    *,
    relax: bool = True,
    fmax: float = 1e-3,
    steps: int = 500,
    display: RunDisplay | None = None,
) -> Relaxation:
    """Relax positions and cell with the space group kept; or only look at what is left.

    Of a layer or a chain, the cell is relaxed along its periodic directions only.

    Parameters
    ----------
    atoms : Atoms
        Changed in place; its constraints are removed.
    calculator : PlatonicCalculator
    relax : bool
        False: one forward pass for residual force and pressure.
    fmax : float
        Convergence, eV/Å (stress times volume for the cell).
    steps : int
        At most.
    display : RunDisplay, optional
        Where progress is shown.
    """
    from ase.constraints import FixSymmetry
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    before = space_group(atoms)
    openly = open_directions(atoms)
    atoms.set_constraint()
    atoms.calc = calculator
    converged, done = None, 0
    if relax:
        atoms.set_constraint(FixSymmetry(atoms, symprec=_SYMPREC))
        # a step of the cell is a strain: small ones, or a bad start collapses
        optimizer = BFGS(
            FrechetCellFilter(atoms, mask=strain_mask(atoms, openly)), logfile=None, maxstep=0.05
        )
        calculator.attach(optimizer)
        if display is not None:
            display.begin(f"relaxation to {fmax:g} eV/Å", steps)
            optimizer.attach(lambda: display.update(optimizer.nsteps))
        converged = bool(optimizer.run(fmax=fmax, steps=steps))
        done = int(optimizer.nsteps)
        atoms.set_constraint()
    forces = atoms.get_forces()
    stress = atoms.calc.results.get("stress")
    pressure = None
    if stress is not None and not openly.any():  # a layer has none along its normal
        stress = np.asarray(stress)
        trace = stress[:3].sum() if stress.shape == (6,) else np.trace(stress)
        pressure = float(-trace / 3 / units.GPa)
    return Relaxation(
        done=relax,
        converged=converged,
        steps=done,
        max_force=float(np.linalg.norm(forces, axis=1).max()),
        pressure=pressure,
        space_group=space_group(atoms),
        space_group_before=before,
    )


def space_group(atoms: Atoms, symprec: float = _SYMPREC) -> str:
    """International symbol and number, such as ``"Fm-3m (225)"``; ``"unknown"`` if none is found.

    Parameters
    ----------
    atoms : Atoms
    symprec : float
        Å.
    """
    dataset = _symmetry(atoms, symprec)
    return "unknown" if dataset is None else f"{dataset.international} ({dataset.number})"


def choose_supercell(
    atoms: Atoms, min_length: float = MIN_LENGTH, max_atoms: int = MAX_ATOMS
) -> np.ndarray:
    """Smallest supercell that is wide enough in every direction.

    Multiples of the conventional cell, the same along axes of the same length, are compared by
    the distance between opposite faces. A layer or a chain is repeated along its periodic
    directions only.

    Parameters
    ----------
    atoms : Atoms
    min_length : float
        Wanted, Å.
    max_atoms : int
        Where no supercell of this size is wide enough, the widest is taken.

    Returns
    -------
    ndarray of int, shape (3, 3)
        In phonopy's convention: columns of cell vectors times this are those of the supercell.
    """
    openly = open_directions(atoms)
    conventional = np.eye(3, dtype=int) if openly.any() else _conventional(atoms)
    lengths = np.linalg.norm(conventional @ atoms.cell.array, axis=1)
    best: tuple[tuple[bool, float, float], np.ndarray] | None = None
    for repeat in itertools.product(range(1, 9), repeat=3):
        if (np.array(repeat)[openly] > 1).any() or any(
            abs(lengths[i] - lengths[j]) < 0.01
            and repeat[i] != repeat[j]
            and not (openly[i] or openly[j])
            for i, j in ((0, 1), (0, 2), (1, 2))
        ):
            continue
        matrix = np.diag(repeat) @ conventional  # rows
        count = round(abs(float(np.linalg.det(matrix)))) * len(atoms)
        width = float(face_distances(matrix @ atoms.cell.array)[~openly].min())
        if count > max_atoms and repeat != (1, 1, 1):
            continue
        enough = width >= min_length
        score = (enough, -count if enough else width, width)
        if best is None or score > best[0]:
            best = (score, matrix)
    assert best is not None
    return np.asarray(best[1].T)


def read_born(phonon: Any, path: str | os.PathLike[str]) -> Any:
    """Born charges and dielectric constants of a BORN file, made symmetric.

    Parameters
    ----------
    phonon : phonopy.Phonopy
    path : path-like
        In phonopy's format, of the symmetry-independent atoms of the primitive cell.

    Raises
    ------
    StructureError
        If the file cannot be read, or belongs to another cell.
    """
    from phonopy.file_IO import parse_BORN

    try:
        read = parse_BORN(phonon.primitive, filename=path)
        if read is None:
            raise ValueError("another number of atoms")
        return read
    except Exception as error:  # phonopy raises whatever its parser stumbles over
        raise StructureError(
            f"{path} is no BORN file of {phonon.primitive.formula} ({error}): a line with the "
            "conversion factor, nine numbers of the dielectric tensor, and nine numbers of the "
            "Born charge of each symmetry-independent atom are needed; 'phonopy-vasp-born' makes "
            "one"
        ) from error


def to_ase(cell: Any, pbc: Any = True) -> Atoms:
    """ASE structure of a phonopy cell, which knows no boundary conditions."""
    from ase import Atoms

    return Atoms(
        numbers=cell.numbers,
        positions=cell.positions,
        cell=cell.cell,
        masses=cell.masses,
        pbc=pbc,
    )


def face_distances(cell: np.ndarray) -> np.ndarray:
    """Distances between opposite faces of a cell, shape (3,), in the unit of the cell (rows)."""
    return np.asarray(1 / np.linalg.norm(np.linalg.inv(cell), axis=0))


def _conventional(atoms: Atoms) -> np.ndarray:
    """Conventional cell vectors in units of the cell's own, rows; unity where not integral."""
    dataset = _symmetry(atoms, _SYMPREC)
    if dataset is not None:
        rows = np.linalg.inv(dataset.transformation_matrix).T
        whole = np.rint(rows).astype(int)
        if np.allclose(rows, whole, atol=1e-3) and round(abs(float(np.linalg.det(whole)))) >= 1:
            return np.asarray(whole)
    return np.eye(3, dtype=int)


def _symmetry(atoms: Atoms, symprec: float) -> Any:
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    return symmetry_dataset(cell, symprec)
