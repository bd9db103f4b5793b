"""Is a potential invariant? Rotated copies, and atoms that symmetry makes equivalent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import all_changes

from platonic_ase.calibration.embed import to_numpy
from platonic_ase.diagnostics.orbits import find_orbits
from platonic_ase.encoders import Encoder, find_encoder

if TYPE_CHECKING:
    from ase import Atoms

INVARIANT = 1e-3
"""Relative change of embeddings below which single precision explains it."""


@dataclass(frozen=True)
class SymmetryError:
    """How much embeddings, energy and forces change where they should not.

    Changes of embeddings are the largest of an atom, relative to the rms length of an embedding.

    Attributes
    ----------
    rotation, inversion, permutation : float
        Change of embeddings over rotated copies, the inverted copy, reordered atoms.
    energy : float
        Largest change of the energy over rotated copies, eV/atom.
    forces : float
        Largest difference between the forces on a rotated copy and the rotated forces, eV/Å.
    sites : mapping of str to float
        Largest difference between the embeddings of two symmetry-equivalent atoms of the
        structure as given, per orbit of more than one atom, such as ``"O (4 atoms)"``.
    """

    rotation: float
    inversion: float
    permutation: float
    energy: float
    forces: float
    sites: Mapping[str, float] = field(default_factory=dict)

    @property
    def invariant(self) -> bool:
        """Whether rotations change embeddings by no more than single precision explains."""
        return self.rotation < INVARIANT


def symmetry_error(
    potential: Any, atoms: Atoms, *, rotations: int = 4, seed: int = 0
) -> SymmetryError:
    """Compare a structure with rotated, inverted and reordered copies, and its equivalent atoms.

    Parameters
    ----------
    potential : Encoder or ase calculator
    atoms : Atoms
        As symmetric as the question asks: equivalent atoms are compared as they stand. Sites that
        rotations relate (diamond Si, O in rutile) tell more than those that translations do.
    rotations : int
        How many random rotations.
    seed : int
        Of rotations and order.
    """
    encoder = potential if isinstance(potential, Encoder) else find_encoder(potential)
    rng = np.random.default_rng(seed)
    with encoder.many() as reader:
        sites = _site_differences(atoms, _evaluate(reader, atoms)[0])
        atoms = _rattled(atoms, rng)  # in the ideal structure forces vanish by symmetry
        base, energy, forces = _evaluate(reader, atoms)
        changes, energies, differences = [], [], []
        for _ in range(rotations):
            turn = _random_rotation(rng)
            turned, turned_energy, turned_forces = _evaluate(reader, _rotated(atoms, turn))
            changes.append(_change(base, turned))
            energies.append(abs(turned_energy - energy) / len(atoms))
            differences.append(float(np.abs(turned_forces - forces @ turn.T).max()))
        mirror = atoms.copy()
        mirror.positions *= -1  # every lattice is its own inverse, so that the cell can stay
        inverted = _evaluate(reader, mirror)[0]
        order = rng.permutation(len(atoms))
        permuted = _evaluate(reader, atoms[order])[0]
    return SymmetryError(
        rotation=max(changes),
        inversion=_change(base, inverted),
        permutation=_change(base[order], permuted),
        energy=max(energies),
        forces=max(differences),
        sites=sites,
    )


def _evaluate(encoder: Encoder, atoms: Atoms) -> tuple[np.ndarray, float, np.ndarray]:
    """Embeddings, energy (eV) and forces (eV/Å) from one calculation."""
    calculator = encoder.calculator
    calculator.reset()
    with encoder.capture() as capture:
        calculator.calculate(atoms, ["energy", "forces"], all_changes)
    embeddings = to_numpy(capture.take(len(atoms))).astype(float)
    forces = np.array(calculator.results["forces"], dtype=float)
    return embeddings, float(calculator.results["energy"]), forces


def _change(one: np.ndarray, other: np.ndarray) -> float:
    scale = np.sqrt((one**2).sum(axis=1).mean())
    return float(np.linalg.norm(one - other, axis=1).max() / scale)


def _site_differences(atoms: Atoms, embeddings: np.ndarray) -> dict[str, float]:
    orbits = find_orbits(atoms)
    found: dict[str, float] = {}
    if orbits is None:
        return found
    for orbit in orbits.watched:
        members = np.flatnonzero(orbits.labels == orbit)
        base = f"{atoms.symbols[int(members[0])]} ({len(members)} atoms)"
        label = base if base not in found else f"{base} at {members[0]}"
        rows = embeddings[members]
        found[label] = max(_change(rows, np.tile(row, (len(rows), 1))) for row in rows)
    return found


def _rattled(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    atoms = atoms.copy()
    atoms.positions += rng.normal(scale=0.05, size=(len(atoms), 3))
    return atoms


def _rotated(atoms: Atoms, rotation: np.ndarray) -> Atoms:
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell.array @ rotation.T)
    atoms.positions = atoms.positions @ rotation.T
    return atoms


def _random_rotation(rng: np.random.Generator) -> np.ndarray:
    """Uniformly distributed rotation matrix, by way of a unit quaternion."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_quat(rng.normal(size=4)).as_matrix())
