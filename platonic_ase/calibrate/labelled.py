"""Structures with the forces that they were computed with, from files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.calibrate.force_table import GROUP_REMEDY
from platonic_ase.crystals.groups import group_of
from platonic_ase.errors import CalibrationError
from platonic_ase.runs.replay import read_frames

if TYPE_CHECKING:
    from ase import Atoms

_USUAL = ("forces", "force", "REF_forces", "DFT_forces", "dft_forces", "ref_forces")


@dataclass(frozen=True)
class LabelledFrames:
    """Structures and their labels.

    Attributes
    ----------
    structures : tuple of Atoms
    forces : tuple of ndarray, shape (n_atoms, 3), or None
        Of each structure, eV/Å; None where it has none.
    """

    structures: tuple[Atoms, ...]
    forces: tuple[np.ndarray | None, ...]

    @property
    def labelled(self) -> list[int]:
        """Indices of the structures that have forces."""
        return [k for k, found in enumerate(self.forces) if found is not None]


def read_labelled(
    paths: Sequence[str | os.PathLike[str]], forces_key: str | None = None
) -> LabelledFrames:
    """Read structures with forces.

    Parameters
    ----------
    paths : sequence of path-like
        Anything that ``ase.io.read`` reads, such as extxyz.
    forces_key : str, optional
        Name of the per-atom array with the forces; by default those that ASE reads as results,
        else an array of a usual name.

    Raises
    ------
    StructureError
        If a file is missing or broken.
    CalibrationError
        If there is no structure, or forces are not finite or have a wrong shape.
    """
    structures = [atoms for path in paths for atoms in read_frames(path)]
    if not structures:
        raise CalibrationError(f"{', '.join(map(str, paths))}: no structures to calibrate with")
    return LabelledFrames(
        tuple(structures),
        tuple(labelled_forces(a, forces_key, f"frame {k}") for k, a in enumerate(structures)),
    )


def labelled_forces(
    atoms: Atoms, forces_key: str | None = None, name: str = "the structure"
) -> np.ndarray | None:
    """Forces that a structure was read with, shape (n_atoms, 3), eV/Å; None without.

    Parameters
    ----------
    atoms : Atoms
    forces_key : str, optional
        See :func:`read_labelled`.
    name : str
        Of the structure, in errors.

    Raises
    ------
    CalibrationError
        If they are not finite or have a wrong shape.
    """
    results = {} if atoms.calc is None else atoms.calc.results
    found = None
    if forces_key is not None:
        found = results.get(forces_key, atoms.arrays.get(forces_key))
    else:
        for key in _USUAL:
            found = results.get(key, atoms.arrays.get(key)) if found is None else found
    if found is None:
        return None
    forces = np.asarray(found, dtype=np.float64)
    if forces.shape != (len(atoms), 3) or not np.isfinite(forces).all():
        raise CalibrationError(
            f"{name} ({atoms.get_chemical_formula()}) has forces of shape {forces.shape}, "
            f"{np.count_nonzero(~np.isfinite(forces))} of them not finite; finite ones of shape "
            f"({len(atoms)}, 3) are needed. Mend the file, or leave the frame out."
        )
    return forces


def require_enough(
    frames: LabelledFrames, fewest: int, *, fewest_groups: int = 5, taught: bool = False
) -> None:
    """Refuse frames of which too few have forces, or that are of too few compounds.

    Parameters
    ----------
    frames : LabelledFrames
    fewest, fewest_groups : int
        Frames, and compounds, that are needed.
    taught : bool
        Whether a teacher's forces stand for the truth where no frame has any.

    Raises
    ------
    CalibrationError
    """
    total = len(frames.structures)
    used = frames.labelled or (list(range(total)) if taught else [])
    if not used:
        names = {key for atoms in frames.structures for key in atoms.arrays}
        others = ", ".join(sorted(names - {"numbers", "positions"})) or "none"
        raise CalibrationError(
            f"none of {total} frames has forces; per-atom arrays by other names: {others}. Name "
            "the one with the forces (--forces-key), or a better model whose forces stand for the "
            "truth (--teacher)."
        )
    if len(used) < fewest:
        what = "have forces" if frames.labelled else "can be taught"
        raise CalibrationError(
            f"{len(used)} of {total} frames {what}; at least {fewest} are needed for a bound. "
            "Add frames."
        )
    groups = {group_of(frames.structures[k]) for k in used}
    if len(groups) < fewest_groups:
        raise CalibrationError(
            f"the frames are of {len(groups)} compounds ({', '.join(sorted(groups))}); at least "
            f"{fewest_groups} are needed, to leave some out. {GROUP_REMEDY}"
        )
