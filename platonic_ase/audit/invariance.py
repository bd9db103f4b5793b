"""Is a potential invariant? Rotated copies, and atoms that symmetry makes equivalent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import all_changes

from platonic_ase.models import Encoder, find_encoder
from platonic_ase.models.embed import to_numpy
from platonic_ase.monitor.symmetry.orbits import find_orbits

if TYPE_CHECKING:
    from ase import Atoms

INVARIANT = 1e-3
"""Relative change of embeddings below which single precision explains it."""


EQUIVARIANT = 1e-2
"""Change of forces, relative to their root mean square, below which they turn with the crystal."""
SAME_ENERGY = 1e-3
"""Change of the energy, eV/atom, below which it hardly matters."""
TRANSLATIONS = 3
"""Translated copies, which show what rounding alone changes."""


@dataclass(frozen=True)
class Rounding:
    """Change over translated copies, or the resolution of the model's numbers where it is more.

    Attributes
    ----------
    embeddings : float
        Relative to the rms length of an embedding.
    energy : float
        In eV/atom.
    forces : float
        In eV/Å.
    """

    embeddings: float
    energy: float
    forces: float


@dataclass(frozen=True)
class SymmetryError:
    """How much embeddings, energy and forces change where they should not.

    Changes of embeddings are the largest of an atom, relative to the rms length of an embedding.

    Attributes
    ----------
    rotation, inversion, permutation, translation : float
        Change of embeddings over rotated copies, the inverted copy, reordered atoms, translated
        copies.
    energy : float
        Largest change of the energy over rotated copies, eV/atom.
    forces : float
        Largest difference between the forces on a rotated copy and the rotated forces, eV/Å.
    sites : mapping of str to float
        Largest difference between the embeddings of two symmetry-equivalent atoms of the
        structure as given, per orbit of more than one atom, such as ``"O (4 atoms)"``.
    forces_rms : float
        Root mean square of the components of the forces that were compared, eV/Å.
    rounding : Rounding
        What of it rounding alone explains.
    """

    rotation: float
    inversion: float
    permutation: float
    translation: float
    energy: float
    forces: float
    forces_rms: float
    rounding: Rounding
    sites: Mapping[str, float] = field(default_factory=dict)

    @property
    def invariant(self) -> bool:
        """Whether rotations change embeddings by no more than single precision explains."""
        return self.rotation < INVARIANT

    @property
    def equivariant(self) -> bool:
        """Whether forces turn with the crystal."""
        return self.forces < EQUIVARIANT * self.forces_rms


def symmetry_error(
    potential: Any,
    atoms: Atoms,
    *,
    rotations: int = 4,
    seed: int = 0,
    done: Callable[[], object] = lambda: None,
) -> SymmetryError:
    """Compare a structure with copies that are the same to physics, and its equivalent atoms.

    Copies are rotated, translated, inverted and reordered, of the structure rattled by 0.05 Å,
    since in the ideal one forces vanish by symmetry.

    Parameters
    ----------
    potential : Encoder or ase calculator
    atoms : Atoms
        As symmetric as the question asks: equivalent atoms are compared as they stand. Sites that
        rotations relate (diamond Si, O in rutile) tell more than those that translations do.
    rotations : int
        How many random rotations.
    seed : int
        Of rotations, translations and order.
    done : callable
        Called after each of the 4 + 3 + ``rotations`` calculations.
    """
    encoder = potential if isinstance(potential, Encoder) else find_encoder(potential)
    rng = np.random.default_rng(seed)
    with encoder.many() as reader:

        def evaluate(structure: Atoms) -> _Evaluation:
            found = _evaluate(reader, structure)
            done()
            return found

        sites = _site_differences(atoms, evaluate(atoms).embeddings)
        atoms = _rattled(atoms, rng)
        base = evaluate(atoms)
        turns = [_random_rotation(rng) for _ in range(rotations)]
        turned = [evaluate(_rotated(atoms, turn)).relative_to(base, turn) for turn in turns]
        mirror = atoms.copy()
        mirror.positions *= -1  # every lattice is its own inverse, so that the cell can stay
        inverted = evaluate(mirror).embeddings
        order = rng.permutation(len(atoms))
        permuted = evaluate(atoms[order]).embeddings
        shifts = rng.uniform(-2, 2, size=(TRANSLATIONS, 3))
        shifted = [evaluate(_shifted(atoms, shift)).relative_to(base) for shift in shifts]
    rotation = np.max(turned, axis=0)
    translation = np.max(shifted, axis=0)
    resolution = float(np.finfo(base.embeddings_dtype).eps)
    return SymmetryError(
        rotation=float(rotation[0]),
        inversion=_change(base.embeddings, inverted),
        permutation=_change(base.embeddings[order], permuted),
        translation=float(translation[0]),
        energy=float(rotation[1]),
        forces=float(rotation[2]),
        forces_rms=float(np.sqrt((base.forces**2).mean())),
        sites=sites,
        rounding=Rounding(
            embeddings=max(resolution, float(translation[0])),
            energy=max(resolution * abs(base.energy) / len(atoms), float(translation[1])),
            forces=max(resolution * float(np.abs(base.forces).max()), float(translation[2])),
        ),
    )


@dataclass(frozen=True)
class _Evaluation:
    """One calculation: embeddings, energy (eV) and forces (eV/Å)."""

    embeddings: np.ndarray
    embeddings_dtype: np.dtype[Any]
    energy: float
    forces: np.ndarray

    def relative_to(
        self, base: _Evaluation, turn: np.ndarray | None = None
    ) -> tuple[float, float, float]:
        """Changes of embeddings (relative), energy (eV/atom) and forces (eV/Å)."""
        expected = base.forces if turn is None else base.forces @ turn.T
        return (
            _change(base.embeddings, self.embeddings),
            abs(self.energy - base.energy) / len(expected),
            float(np.abs(self.forces - expected).max()),
        )


def _evaluate(encoder: Encoder, atoms: Atoms) -> _Evaluation:
    calculator = encoder.calculator
    calculator.reset()
    with encoder.capture() as capture:
        calculator.calculate(atoms, ["energy", "forces"], all_changes)
    embeddings = to_numpy(capture.take(len(atoms)))
    return _Evaluation(
        embeddings=embeddings.astype(float),
        embeddings_dtype=embeddings.dtype,
        energy=float(calculator.results["energy"]),
        forces=np.array(calculator.results["forces"], dtype=float),
    )


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


def _shifted(atoms: Atoms, shift: np.ndarray) -> Atoms:
    atoms = atoms.copy()
    atoms.positions += shift
    return atoms


def _random_rotation(rng: np.random.Generator) -> np.ndarray:
    """Uniformly distributed rotation matrix, by way of a unit quaternion."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_quat(rng.normal(size=4)).as_matrix())
