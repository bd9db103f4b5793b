r"""Phonon labels of a teacher, and the errors of its pupils against them; resumable.

::

    python -m platonic_ase.calibrate.teach nequix-mp-1-pft work --weights FILE
    python -m platonic_ase.calibrate.teach chgnet-0.3.0,7net-0 work --teacher work/nequix-mp-1-pft
    python -m platonic_ase.calibrate.teach_table work/nequix-mp-1-pft work/chgnet-0.3.0 -o FILE

With ``--unstable``, pupils are asked of the crystals that the teacher finds unstable, and of no
others: are the imaginary modes that a pupil shows real?

A pupil that comes later needs the table of the earlier ones only (``--teacher TABLE.json``, then
``teach_table TABLE.json work/NAME -o TABLE.json``): it starts from the ideal crystal.

The teacher relaxes the crystals of :mod:`~platonic_ase.calibrate.candidates` with their space group
kept and computes phonons in small supercells. A pupil starts from the teacher's minimum, relaxes
by itself, and is displaced in the same supercell. Each crystal is one JSON file: a killed run goes
on with the same command, and pupils follow while the teacher is at work.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.calibrate.candidates import FLAT, Candidate, candidates
from platonic_ase.calibrate.compute_crystals import read_crystal, write_crystal
from platonic_ase.calibrate.crystal_phonons import SETTINGS, phonons, relax, small_supercell
from platonic_ase.phonons.spectrum import IMAGINARY
from platonic_ase.phonons.structure import space_group
from platonic_ase.phonons.table import read_phonon_table
from platonic_ase.space.json_text import parse_json

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger("platonic_ase")


def compute(
    candidate: Candidate, calculator: Any, teacher: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One crystal by one model, JSON-safe.

    Parameters
    ----------
    candidate : Candidate
    calculator : ase calculator
    teacher : mapping, optional
        What the teacher's run found of the same crystal: where to start, and which supercell; or
        its number of atoms alone (``supercell_atoms``), as a table tells it.

    Raises
    ------
    RuntimeError
        If the relaxation does not converge, another space group comes out, or no supercell has
        the number of atoms of the teacher's.
    """
    started = time.monotonic()
    flat = candidate.prototype in FLAT
    atoms = candidate.build()
    if teacher is not None and "cell" in teacher:
        atoms.set_cell(teacher["cell"])
        atoms.set_scaled_positions(teacher["scaled_positions"])
    before = space_group(atoms)
    bare = calculator.calculator if isinstance(calculator, PlatonicCalculator) else calculator
    steps = relax(atoms, bare, flat=flat)
    if space_group(atoms) != before:
        raise RuntimeError(f"relaxed from {before} to {space_group(atoms)}")
    if teacher is None:
        supercell = small_supercell(atoms, flat=flat)
    elif "supercell" in teacher:
        supercell = np.array(teacher["supercell"])
    else:
        supercell = _supercell_of(atoms, teacher["supercell_atoms"], flat=flat)
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
    unstable: bool = False,
    follow: float = 0.0,
) -> None:
    """Compute all crystals, one file each; an interrupted run goes on.

    Parameters
    ----------
    calculators : mapping of str to ase calculator
        By the name of the folder within ``folder`` that each writes to.
    folder : Path
    teacher : Path, optional
        Folder of the teacher's files, or a table of its pupils; without, these models are
        teachers. Crystals that the teacher finds unstable are left out, and those that the
        table has of the same model.
    unstable : bool
        Instead, those that the teacher's files find unstable.
    follow : float
        Seconds to wait for a file of the teacher that is not there yet.
    """
    for name in calculators:
        (folder / name).mkdir(parents=True, exist_ok=True)
    told = None if teacher is None or teacher.is_dir() else _told(teacher)
    for candidate in candidates():
        known: Mapping[str, Any] | None = None
        finished: set[str] = set()
        if told is not None:
            known, finished = told.get((candidate.formula, candidate.prototype), (None, finished))
            if known is None:
                continue
        elif teacher is not None:
            known = _of_teacher(teacher / f"{candidate.key}.json", follow)
            if known is None or stable(known) == unstable:
                continue
        for name, calculator in calculators.items():
            if name in finished:
                continue
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
    """Whether a computed crystal has no imaginary mode where its supercell is exact.

    Between these wave vectors a small supercell interpolates; up to a sixteenth of the spectrum may
    be imaginary there.
    """
    return bool(min(crystal["lowest_commensurate"], crystal["quantiles"][1]) >= IMAGINARY)


def _told(table: Path) -> dict[tuple[str, str], tuple[dict[str, Any], set[str]]]:
    """Stable crystals of a table by formula and prototype: size of supercell, models it has."""
    known: dict[tuple[str, str], tuple[dict[str, Any], set[str]]] = {}
    for model, each in read_phonon_table(table).items():
        for row in each.rows:
            size = {"supercell_atoms": row.supercell_atoms}
            known.setdefault((row.formula, row.prototype), (size, set()))[1].add(model)
    return known


def _supercell_of(atoms: Atoms, count: int, *, flat: bool) -> np.ndarray:
    """The small supercell, of this lattice or of one up to 5 % larger or smaller, of so many atoms.

    Which supercell is wide enough hangs on a lattice constant, which differs among models.
    """
    for scale in (1.0, 0.99, 1.01, 0.97, 1.03, 0.95, 1.05):
        other = atoms.copy()
        other.set_cell(atoms.cell.array * scale, scale_atoms=True)
        supercell = small_supercell(other, flat=flat)
        if round(abs(float(np.linalg.det(supercell)))) * len(atoms) == count:
            return supercell
    raise RuntimeError(f"no small supercell has {count} atoms, as that of the teacher")


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
    found: dict[str, Any] = parse_json(path.read_bytes())
    return found.get("crystal")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m platonic_ase.calibrate.teach``."""
    from platonic_ase.models import load_calculator

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", help="names, with commas between")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--unstable", action="store_true", help="what the teacher finds unstable")
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
    teach(
        calculators,
        given.folder,
        teacher=given.teacher,
        unstable=given.unstable,
        follow=given.follow,
    )


if __name__ == "__main__":
    main()
