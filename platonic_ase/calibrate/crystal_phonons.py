"""Phonons of one crystal in a small supercell, by any calculator, and what its sites say."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.monitor.symmetry.orbits import symmetry_dataset
from platonic_ase.phonons.chemistry import formal_valences
from platonic_ase.phonons.crystal import DisplacedCrystal
from platonic_ase.phonons.features import LATENT
from platonic_ase.phonons.sites import Probe, SiteResponse
from platonic_ase.phonons.spectrum import commensurate_points, frequency_quantiles
from platonic_ase.phonons.structure import face_distances, to_ase
from platonic_ase.phonons.supercells import displacements, single_displacement

if TYPE_CHECKING:
    from ase import Atoms

DISPLACEMENT, FMAX, STEPS = 0.03, 0.01, 120
"""Å, eV/Å and most steps of the relaxation."""
WIDTH, AT_MOST, COST = 4.8, 64, 2000
"""Å of the supercell, its atoms, and atoms of all displaced supercells together."""
SITE = (
    "curvature", "bond", "coordination", "polarity", "radius", "stretch", "force_share",
    "neighbour_share",
)  # fmt: skip
LATENT_SITE = ("response", "locality", "spread", "participation")
SETTINGS = {"displacement_A": DISPLACEMENT, "fmax_eV_A": FMAX, "width_A": WIDTH}


def relax(atoms: Atoms, calculator: Any, *, flat: bool = False) -> int:
    """Relax positions and cell in place, the space group kept; the number of steps.

    Parameters
    ----------
    atoms : Atoms
    calculator : ase calculator
    flat : bool
        Whether the third cell vector stays.

    Raises
    ------
    RuntimeError
        If it does not converge.
    """
    from ase.constraints import FixSymmetry
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    atoms.calc = calculator
    atoms.set_constraint(FixSymmetry(atoms, symprec=1e-3))
    cell = FrechetCellFilter(atoms, mask=[1, 1, 0, 0, 0, 1] if flat else None)
    optimizer = BFGS(cell, logfile=None, maxstep=0.05)
    if not optimizer.run(fmax=FMAX, steps=STEPS):
        raise RuntimeError(f"the relaxation did not converge in {STEPS} steps")
    atoms.set_constraint()
    return int(optimizer.nsteps)


def small_supercell(atoms: Atoms, *, flat: bool = False) -> np.ndarray:
    """The smallest supercell that is wide enough, or the widest of at most :data:`AT_MOST` atoms.

    Parameters
    ----------
    atoms : Atoms
        Primitive cell.
    flat : bool
        Whether there is vacuum along the third cell vector, which is not repeated.

    Returns
    -------
    ndarray of int, shape (3, 3)
        In phonopy's convention.
    """
    found: list[tuple[bool, float, float, np.ndarray]] = []
    for base in (np.eye(3, dtype=int), _conventional(atoms)):
        lengths = np.linalg.norm(base @ atoms.cell.array, axis=1)
        for repeat in itertools.product(range(1, 6), repeat=3):
            if (flat and repeat[2] > 1) or any(
                abs(lengths[i] - lengths[j]) < 0.01 and repeat[i] != repeat[j]
                for i, j in ((0, 1), (0, 2), (1, 2))
            ):
                continue
            matrix = np.diag(repeat) @ base
            count = round(abs(float(np.linalg.det(matrix)))) * len(atoms)
            widths = face_distances(matrix @ atoms.cell.array)[: 2 if flat else 3]
            if count > AT_MOST and repeat != (1, 1, 1):
                continue
            enough = bool(widths.min() >= WIDTH)
            found.append((enough, -count if enough else widths.min(), widths.min(), matrix))
    return np.asarray(max(found, key=lambda each: each[:3])[3].T)


def _conventional(atoms: Atoms) -> np.ndarray:
    dataset = symmetry_dataset(
        (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), 1e-3
    )
    if dataset is not None:
        rows = np.linalg.inv(dataset.transformation_matrix).T
        whole = np.rint(rows).astype(int)
        if np.allclose(rows, whole, atol=1e-3) and abs(np.linalg.det(whole)) > 0.5:
            return np.asarray(whole)
    return np.eye(3, dtype=int)


def phonons(
    atoms: Atoms,
    calculator: Any,
    supercell: np.ndarray,
    *,
    flat: bool = False,
    displacement: float = DISPLACEMENT,
) -> dict[str, Any]:
    """Spectrum and features of a crystal at rest, JSON-safe.

    Parameters
    ----------
    atoms : Atoms
        Primitive cell, relaxed with this calculator.
    calculator : ase calculator
        Features of Platonic space need a PlatonicCalculator.
    supercell : ndarray of int, shape (3, 3)
    flat : bool
    displacement : float
        Å.

    Raises
    ------
    RuntimeError
        If the displaced supercells are too many.
    """
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = PhonopyAtoms(
        numbers=atoms.numbers,
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(),
    )
    phonon = Phonopy(cell, supercell_matrix=supercell, primitive_matrix=np.eye(3))
    phonon.generate_displacements(distance=displacement)
    displaced = phonon.supercells_with_displacements
    rest = to_ase(phonon.supercell)
    if len(displaced) * len(rest) > COST:
        raise RuntimeError(f"{len(displaced)} displaced supercells of {len(rest)} atoms")
    if hasattr(calculator, "platonic"):
        residual, platonic = _evaluate(rest, calculator)
    else:  # what is at rest is the primitive cell again and again
        residual, platonic = _repeated(atoms, phonon.supercell, calculator)
    crystal = DisplacedCrystal(rest.copy(), residual, platonic)
    forces = []
    for each in displaced:
        moved = to_ase(each)
        found, seen = _evaluate(moved, calculator)
        forces.append(found - residual)
        probe = single_displacement(displacements(moved, rest.positions))
        assert probe is not None
        crystal.add(Probe(*probe, found, seen))
    phonon.forces = np.array(forces)
    phonon.produce_force_constants(show_drift=False)
    phonon.symmetrize_force_constants(show_drift=False)
    points = 9 if len(atoms) <= 10 else 5
    phonon.run_mesh([points, points, 1 if flat else points], is_gamma_center=True)
    frequencies = np.array(phonon.mesh.frequencies)
    phonon.run_qpoints(commensurate_points(supercell))
    features = crystal.features().to_dict()
    if platonic.shape[1] == 1:
        features = {name: value for name, value in features.items() if name not in LATENT}
    return {
        "supercell_atoms": len(rest),
        "displaced": len(displaced),
        "quantiles": frequency_quantiles(frequencies, np.array(phonon.mesh.weights)).tolist(),
        "mean": float(np.average(frequencies.mean(axis=1), weights=phonon.mesh.weights)),
        "lowest": float(frequencies.min()),
        "lowest_commensurate": float(np.array(phonon.qpoints.frequencies).min()),
        "sites": _sites(crystal, latent=platonic.shape[1] > 1),
        "features": {name: value for name, value in features.items() if np.isfinite(value)},
    }


def _sites(crystal: DisplacedCrystal, latent: bool) -> dict[str, list[float]]:
    """What each orbit says, one list a quantity: means over the directions of its atoms."""
    orbits: dict[int, list[SiteResponse]] = {}
    for each in crystal.responses():
        orbits.setdefault(each.orbit, []).append(each)
    first = [group[0].atom for group in orbits.values()]
    found = {
        "number": crystal.atoms.numbers[first].tolist(),
        "share": [float(np.mean(crystal.orbits == orbit)) for orbit in orbits],
        "valence": formal_valences(crystal.atoms.numbers)[first].tolist(),
    }
    for name in SITE if not latent else (*SITE, *LATENT_SITE):
        found[name] = [
            float(np.mean([getattr(each, name) for each in group])) for group in orbits.values()
        ]
    return found


def _repeated(atoms: Atoms, supercell: Any, calculator: Any) -> tuple[np.ndarray, np.ndarray]:
    of_cell = [supercell.u2u_map[k] for k in supercell.s2u_map]
    forces, platonic = _evaluate(atoms, calculator)
    return forces[of_cell], platonic[of_cell]


def _evaluate(atoms: Atoms, calculator: Any) -> tuple[np.ndarray, np.ndarray]:
    atoms.calc = calculator
    forces = np.array(atoms.get_forces(), dtype=float)
    platonic = getattr(calculator, "platonic", None)
    return forces, np.zeros((len(atoms), 1)) if platonic is None else np.array(platonic)
