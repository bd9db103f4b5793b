"""Imaginary modes as motions: frames of one period, and how much each atom takes part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.phonons.spectrum import ImaginaryMode

if TYPE_CHECKING:
    from ase import Atoms

FRAMES = 16
AMPLITUDE = 0.35
"""Å: the largest displacement that is drawn."""
_MOST_CELLS = 4  # along an axis
_FEW_ATOMS = 8


def multiples(q: np.ndarray, most: int = _MOST_CELLS) -> list[int]:
    """Cells along each axis after which a wave repeats; two where it does not within ``most``.

    Parameters
    ----------
    q : ndarray, shape (3,)
        In reciprocal vectors of the cell.
    most : int
    """
    found = []
    for component in q:
        fits = [n for n in range(1, most + 1) if abs(component * n - round(component * n)) < 1e-3]
        found.append(fits[0] if fits else 2)
    return found


def _enough(repeats: list[int], n_atoms: int) -> list[int]:
    """Twice as many cells where there are few atoms: motion is seen against neighbours."""
    small = n_atoms * int(np.prod(repeats)) <= _FEW_ATOMS
    return [2 * n if small and n == 1 else n for n in repeats]


def mode_frames(phonon: Any, mode: ImaginaryMode) -> tuple[list[Atoms], np.ndarray]:
    """One period of a mode in the cells that it needs, seen as if it were a vibration.

    Parameters
    ----------
    phonon : phonopy.Phonopy
        With force constants.
    mode : ImaginaryMode

    Returns
    -------
    frames : list of Atoms
        :data:`FRAMES`.
    shares : ndarray, shape (n_atoms,)
        Of the squared eigenvector, of each atom of a frame; copies of an atom have its share.
    """
    from ase import Atoms

    q = np.array(mode.q)
    phonon.run_qpoints([q], with_eigenvectors=True)
    vector = np.array(phonon.qpoints.eigenvectors)[0][:, mode.band].reshape(-1, 3)
    cell = phonon.primitive
    atoms = Atoms(
        numbers=cell.numbers, cell=cell.cell, scaled_positions=cell.scaled_positions, pbc=True
    )
    repeats = _enough(multiples(q), len(atoms))
    rest = atoms.repeat(repeats)
    copies = len(rest) // len(atoms)
    # phonopy's waves have the phase of the place of each atom
    places = rest.positions @ np.linalg.inv(atoms.cell.array)
    phases = np.exp(2j * np.pi * places @ q)[:, None]
    waves = np.tile(vector / np.sqrt(cell.masses)[:, None], (copies, 1)) * phases
    # the phase of the whole is free: the largest excursion is seen at the start
    largest = waves.ravel()[np.abs(waves).argmax()]
    waves = waves * np.exp(-1j * np.angle(largest))
    waves *= AMPLITUDE / np.sqrt((np.abs(waves) ** 2).sum(axis=1)).max()
    frames = []
    for k in range(FRAMES):
        frame = rest.copy()
        frame.positions += (waves * np.exp(-2j * np.pi * k / FRAMES)).real
        frames.append(frame)
    return frames, np.tile((np.abs(vector) ** 2).sum(axis=1), copies)
