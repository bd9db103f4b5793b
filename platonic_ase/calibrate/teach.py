r"""Phonon labels of a teacher, and the errors of its pupils against them; resumable.

::

    python -m platonic_ase.calibrate.teach nequix-mp-1-pft work --weights FILE
    python -m platonic_ase.calibrate.teach chgnet-0.3.0,7net-0 work --teacher work/nequix-mp-1-pft
    python -m platonic_ase.calibrate.teach_table work/nequix-mp-1-pft work/chgnet-0.3.0 -o FILE

The teacher relaxes the crystals of :mod:`~platonic_ase.calibrate.candidates` with their space group
kept and computes phonons in small supercells. A pupil starts from the teacher's minimum, relaxes
by itself, and is displaced in the same supercell. Each crystal is one JSON file: a killed run goes
on with the same command, and pupils follow while the teacher is at work.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.calibrate.candidates import FLAT, Candidate, candidates
from platonic_ase.calibrate.compute_crystals import read_crystal, write_crystal
from platonic_ase.monitor.symmetry.orbits import symmetry_dataset
from platonic_ase.phonons.crystal import DisplacedCrystal
from platonic_ase.phonons.features import LATENT
from platonic_ase.phonons.sites import Probe
from platonic_ase.phonons.spectrum import IMAGINARY, commensurate_points, frequency_quantiles
from platonic_ase.phonons.structure import face_distances, space_group, to_ase
from platonic_ase.phonons.supercells import displacements, single_displacement

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger("platonic_ase")

DISPLACEMENT, FMAX, STEPS = 0.03, 0.01, 120
"""Å, eV/Å and most steps of the relaxation."""
WIDTH, AT_MOST, COST = 4.8, 64, 2000
"""Å of the supercell, its atoms, and atoms of all displaced supercells together."""
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
    residual, platonic = _evaluate(rest, calculator)
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
        "features": {name: value for name, value in features.items() if np.isfinite(value)},
    }


def compute(
    candidate: Candidate, calculator: Any, teacher: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One crystal by one model, JSON-safe.

    Parameters
    ----------
    candidate : Candidate
    calculator : ase calculator
    teacher : mapping, optional
        What the teacher's run found of the same crystal: where to start, and which supercell.

    Raises
    ------
    RuntimeError
        If the relaxation does not converge, or another space group comes out.
    """
    started = time.monotonic()
    flat = candidate.prototype in FLAT
    atoms = candidate.build()
    if teacher is not None:
        atoms.set_cell(teacher["cell"])
        atoms.set_scaled_positions(teacher["scaled_positions"])
    before = space_group(atoms)
    bare = calculator.calculator if isinstance(calculator, PlatonicCalculator) else calculator
    steps = relax(atoms, bare, flat=flat)
    if space_group(atoms) != before:
        raise RuntimeError(f"relaxed from {before} to {space_group(atoms)}")
    supercell = small_supercell(atoms, flat=flat)
    if teacher is not None:
        supercell = np.array(teacher["supercell"])
    return {
        "formula": candidate.formula,
        "prototype": candidate.prototype,
        "space_group": before,
        "atoms": len(atoms),
        "numbers": atoms.numbers.tolist(),
        "cell": atoms.cell.array.tolist(),
        "scaled_positions": atoms.get_scaled_positions().tolist(),
        "supercell": supercell.tolist(),
        "steps": steps,
        **phonons(atoms, calculator, supercell, flat=flat),
        "seconds": round(time.monotonic() - started, 2),
    }


def teach(
    calculators: Mapping[str, Any],
    folder: Path,
    *,
    teacher: Path | None = None,
    follow: float = 0.0,
) -> None:
    """Compute all crystals, one file each; an interrupted run goes on.

    Parameters
    ----------
    calculators : mapping of str to ase calculator
        By the name of the folder within ``folder`` that each writes to.
    folder : Path
    teacher : Path, optional
        Folder of the teacher's files; without, these models are teachers. Crystals that the
        teacher finds unstable are left out.
    follow : float
        Seconds to wait for a file of the teacher that is not there yet.
    """
    for name in calculators:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for candidate in candidates():
        known = None
        if teacher is not None:
            known = _of_teacher(teacher / f"{candidate.key}.json", follow)
            if known is None or not stable(known):
                continue
        for name, calculator in calculators.items():
            made = {"model": name, "settings": SETTINGS}
            path = folder / name / f"{candidate.key}.json"
            if read_crystal(path, made) is not None:
                continue
            stored: dict[str, Any]
            try:
                stored = {**made, "crystal": compute(candidate, calculator, known)}
            except (ArithmeticError, RuntimeError, ValueError) as error:
                stored = {**made, "failed": f"{type(error).__name__}: {error}"}
            write_crystal(path, stored)
            said = stored.get("failed") or _said(stored["crystal"])
            logger.info("%s %s: %s", name, candidate.key, said)


def stable(crystal: Mapping[str, Any]) -> bool:
    """Whether a computed crystal has no imaginary mode, on the mesh and where its cell is exact."""
    return bool(min(crystal["lowest"], crystal["lowest_commensurate"]) >= IMAGINARY)


def _said(crystal: Mapping[str, Any]) -> str:
    return (
        f"{crystal['supercell_atoms']} atoms, {crystal['displaced']} displaced, "
        f"{crystal['steps']} steps, {crystal['lowest']:.2f} to {crystal['quantiles'][-1]:.2f} THz, "
        f"{crystal['seconds']} s"
    )


def _of_teacher(path: Path, follow: float) -> dict[str, Any] | None:
    waited = 0.0
    while not path.exists() and waited < follow:
        time.sleep(5)
        waited += 5
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found.get("crystal")


def _evaluate(atoms: Atoms, calculator: Any) -> tuple[np.ndarray, np.ndarray]:
    atoms.calc = calculator
    forces = np.array(atoms.get_forces(), dtype=float)
    platonic = getattr(calculator, "platonic", None)
    return forces, np.zeros((len(atoms), 1)) if platonic is None else np.array(platonic)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m platonic_ase.calibrate.teach``."""
    from platonic_ase.models import load_calculator

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", help="names, with commas between")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--follow", type=float, default=0.0)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    calculators: dict[str, Any] = {}
    for name in given.models.split(","):
        bare = load_calculator(name, device="cpu", model_path=given.weights)
        calculators[name] = bare
        if given.teacher is not None:
            calculators[name] = PlatonicCalculator(
                bare, on_warning="ignore", diagnostics=[], reference=None, phonon_risk=None,
                force_bound=None,
            )  # fmt: skip
    teach(calculators, given.folder, teacher=given.teacher, follow=given.follow)


if __name__ == "__main__":
    main()
