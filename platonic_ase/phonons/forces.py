"""Forces and embeddings of displaced supercells, from the same forward passes, kept on disk."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.monitor.history import geometry_key
from platonic_ase.phonons.crystal import DisplacedCrystal
from platonic_ase.phonons.sites import Probe
from platonic_ase.phonons.structure import Relaxation
from platonic_ase.phonons.supercells import (
    displacements,
    single_displacement,
)
from platonic_ase.space.files import read_arrays, write_arrays

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator
    from platonic_ase.report.display import RunDisplay

logger = logging.getLogger("platonic_ase")

KIND, _RELAXED = "phonon_forces", "phonon_relaxed"


@dataclass(frozen=True)
class Evaluated:
    """One supercell.

    Attributes
    ----------
    forces : ndarray, shape (n_atoms, 3)
        eV/Å.
    platonic : ndarray, shape (n_atoms, K), or None
        None where the diagnostics stopped.
    """

    forces: np.ndarray
    platonic: np.ndarray | None


class ForceStore:
    """Finished supercells in a folder, one safetensors file each, so that a run can be resumed.

    Parameters
    ----------
    folder : path-like or None
        None keeps nothing.
    calculator : PlatonicCalculator
        Results of another model or other anchors are not taken.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None, calculator: PlatonicCalculator
    ) -> None:
        self.folder = None if folder is None else Path(folder)
        self._model = {
            "identity": calculator.anchors.identity.to_dict(),
            "anchors": calculator.anchors.digest,
        }

    def load(self, atoms: Atoms) -> Evaluated | None:
        """Result of an earlier run for this very geometry, or None."""
        path = self._path(atoms)
        if path is None or not path.is_file():
            return None
        try:
            arrays, header = read_arrays(path, KIND)
            if {name: header[name] for name in self._model} != self._model:
                return None
            return Evaluated(arrays["forces"], arrays.get("platonic"))
        except (SpaceFileError, KeyError) as error:
            logger.warning("a stored result is not used: %s", error)
            return None

    def save(self, atoms: Atoms, result: Evaluated) -> None:
        """Keep a result."""
        path = self._path(atoms)
        if path is None:
            return
        arrays = {"forces": result.forces}
        if result.platonic is not None:
            arrays["platonic"] = result.platonic
        write_arrays(path, KIND, arrays, self._model)

    def load_relaxed(self, atoms: Atoms, settings: Mapping[str, Any]) -> Relaxation | None:
        """Take over what an earlier run relaxed from this structure; changes it in place.

        Parameters
        ----------
        atoms : Atoms
        settings : mapping
            Of the relaxation; others do not count.
        """
        path = self._path(atoms, "relaxed-")
        if path is None or not path.is_file():
            return None
        try:
            arrays, header = read_arrays(path, _RELAXED)
            if {name: header[name] for name in self._model} != self._model:
                return None
            if header["settings"] != dict(settings):
                return None
            relaxation = Relaxation(**header["relaxation"])
            atoms.set_cell(arrays["cell"])
            atoms.positions = arrays["positions"]
            return relaxation
        except (SpaceFileError, KeyError, TypeError, ValueError) as error:
            logger.warning("a stored relaxation is not used: %s", error)
            return None

    def save_relaxed(
        self, before: Atoms, after: Atoms, relaxation: Relaxation, settings: Mapping[str, Any]
    ) -> None:
        """Keep a relaxed structure under the one that it came from."""
        path = self._path(before, "relaxed-")
        if path is not None:
            write_arrays(
                path,
                _RELAXED,
                {"cell": after.cell.array, "positions": after.positions},
                {
                    **self._model,
                    "settings": dict(settings),
                    "relaxation": relaxation.to_dict(),
                },
            )

    def clear(self) -> None:
        """Remove the folder: all of it is in the results now."""
        if self.folder is not None and self.folder.is_dir():
            shutil.rmtree(self.folder)

    def _path(self, atoms: Atoms, prefix: str = "") -> Path | None:
        if self.folder is None:
            return None
        return self.folder / f"{prefix}{geometry_key(atoms).hex()}.safetensors"


def evaluate_supercells(
    rest: Atoms,
    displaced: Sequence[Atoms],
    calculator: PlatonicCalculator,
    store: ForceStore,
    *,
    display: RunDisplay | None = None,
) -> tuple[np.ndarray, np.ndarray, DisplacedCrystal | None, int]:
    """Evaluate the supercell at rest and its displaced copies.

    Parameters
    ----------
    rest : Atoms
    displaced : sequence of Atoms, length m
    calculator : PlatonicCalculator
    store : ForceStore
        Saved to after each; nothing that is there is calculated again.
    display : RunDisplay, optional
        Where progress is shown.

    Returns
    -------
    residual : ndarray, shape (n_atoms, 3)
        Forces at rest, eV/Å.
    forces : ndarray, shape (m, n_atoms, 3)
        Forces of the displaced copies, eV/Å.
    crystal : DisplacedCrystal or None
        What the displacements say; None where more than one atom moves at a time, or the
        diagnostics stopped.
    resumed : int
        How many supercells came from the store.
    """
    crystal: DisplacedCrystal | None = None
    residual: Any = None
    forces, resumed = [], 0
    interval, calculator.interval = calculator.interval, 1
    if display is not None:
        display.begin("displaced supercells", 1 + len(displaced))
    try:
        for count, atoms in enumerate([rest, *displaced]):
            if display is not None:
                display.update(count)
            result = store.load(atoms)
            if result is None:
                result = _evaluate(atoms, calculator)
                store.save(atoms, result)
            else:
                resumed += 1
            if residual is None:
                residual = result.forces
                if result.platonic is not None:
                    crystal = DisplacedCrystal(rest.copy(), result.forces, result.platonic)
                continue
            forces.append(result.forces)
            if crystal is not None:
                crystal = _add(crystal, atoms, result)
    finally:
        calculator.interval = interval
    return residual, np.array(forces), crystal, resumed


def _evaluate(atoms: Atoms, calculator: PlatonicCalculator) -> Evaluated:
    atoms.calc = calculator
    forces = np.array(atoms.get_forces(apply_constraint=False), dtype=float)
    seen = calculator.platonic
    return Evaluated(forces, None if seen is None else np.array(seen))


def _add(crystal: DisplacedCrystal, atoms: Atoms, result: Evaluated) -> DisplacedCrystal | None:
    moved = single_displacement(displacements(atoms, crystal.atoms.positions))
    if moved is None or result.platonic is None:
        return None
    crystal.add(Probe(*moved, result.forces, result.platonic))
    return crystal
