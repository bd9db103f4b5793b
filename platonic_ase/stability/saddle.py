"""Has a relaxation ended on a saddle point? A symmetric structure keeps symmetric forces for ever.

Forces of a symmetric structure have its symmetry, so that no optimiser leaves it, even where the
energy falls along a displacement that breaks it. A few displaced supercells tell, as in a forecast.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import StructureError, SymmetryWarning
from platonic_ase.monitor.diagnosis import Signal
from platonic_ase.phonons.breaking import find_symmetry_risk
from platonic_ase.phonons.crystal import crystal_key
from platonic_ase.phonons.instability import (
    Judgement,
    follow_soft_modes,
    full_force_constants,
    judge,
)
from platonic_ase.phonons.structure import to_ase
from platonic_ase.stability.run import displaced_cells, doubled, primitive, require_symmetry

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator

MOST_PASSES = 16
"""Displaced supercells that are affordable after a relaxation; ten more follow the soft modes."""
_DISPLACEMENT = 0.03


@dataclass(frozen=True)
class SaddleCheck:
    """What the curvature around a relaxed structure says.

    Attributes
    ----------
    judgement : Judgement or None
        None where it was not looked at.
    why : str
        Why not, where symmetry might keep the structure on a saddle point; ``relax`` says it.
    passes : int
        Forward passes that were spent.
    supercell : tuple of int
        Multiples of the primitive cell that was looked at.
    lower : Atoms or None
        On a saddle point: the structure displaced by 0.1 Å along the softest mode, in the smallest
        cell that holds it.
    """

    judgement: Judgement | None = None
    why: str = ""
    passes: int = 0
    supercell: tuple[int, int, int] = (1, 1, 1)
    lower: Atoms | None = None

    @property
    def found(self) -> bool:
        """Whether the structure is a saddle point."""
        return self.judgement is not None and self.judgement.breaks


def check_saddle(
    atoms: Atoms, calculator: PlatonicCalculator, most_passes: int = MOST_PASSES
) -> SaddleCheck:
    """Look at the curvature around a relaxed structure with some ten passes of the bare model.

    The primitive cell is doubled along each axis where that has at most 100 atoms, so that modes
    of the middles and corners of the zone's boundary are seen as well; those of other wave vectors,
    and strains, are not.

    Parameters
    ----------
    atoms : Atoms
        Left as it is.
    calculator : PlatonicCalculator
        The model inside is asked; its latest result is put back.
    most_passes : int
        Displaced supercells that may be computed; of a crystal that needs more, nothing is said.
    """
    if not atoms.pbc.all() or atoms.cell.rank < 3:
        return SaddleCheck(why="it is no crystal")
    if any(type(each).__name__ != "FixSymmetry" for each in atoms.constraints):
        return SaddleCheck(why="some of it is held by constraints")
    try:
        require_symmetry(atoms)
    except StructureError:
        return SaddleCheck()  # nothing keeps it on a saddle point
    try:
        cell = primitive(atoms)
        multiples = doubled(cell)
        phonon = displaced_cells(cell, multiples, _DISPLACEMENT)
        cells = phonon.supercells_with_displacements
        if len(cells) > most_passes:
            why = f"it would take {len(cells)} displaced supercells, more than {most_passes}"
            return SaddleCheck(why=why)
        rest = to_ase(phonon.supercell)
        with _aside(calculator) as bare:
            forces = np.array([bare.get_forces(each) for each in (rest, *map(to_ase, cells))])
            phonon.forces = forces[1:] - forces[0]
            phonon.produce_force_constants(show_drift=False)
            phonon.symmetrize_force_constants(show_drift=False)
            ways = follow_soft_modes(rest, full_force_constants(phonon), calculator)
    except StructureError as error:
        return SaddleCheck(why=str(error))
    judgement = judge(ways, find_symmetry_risk(calculator.encoder.identity))
    lower = None
    if judgement is not None and judgement.breaks:
        displaced = rest.copy()
        displaced.positions += ways[0].displacements
        lower = primitive(displaced)
    return SaddleCheck(judgement, "", len(forces) + 1 + len(ways), multiples, lower)


def saddle_signal(check: SaddleCheck, atoms: Atoms) -> Signal:
    """Warning of a relaxation that ended on a saddle point.

    Parameters
    ----------
    check : SaddleCheck
        That found one.
    atoms : Atoms
        The relaxed structure.
    """
    assert check.judgement is not None
    found, lower = check.judgement, check.lower
    return Signal(
        kind="saddle_point",
        level=1.0 if check.found else 0.0,
        value=found.curvature,
        threshold=0.0,
        unit="eV/Å²",
        message=(
            "the relaxation ended on a saddle point, where symmetry keeps it: along the softest "
            f"mode, towards {found.subgroup or 'a larger cell'}, the energy falls "
            f"({found.curvature:.2g} eV/Å²; {found.sure}; {check.passes} passes in "
            f"{'x'.join(map(str, check.supercell))} primitive cells)."
        ),
        advice=(
            "Follow the mode and relax on (follow=True, --follow) in "
            f"{0 if lower is None else len(lower)} atoms, or keep the symmetric structure."
        ),
        category=SymmetryWarning,
        group=crystal_key(atoms),
    )


@contextmanager
def _aside(calculator: PlatonicCalculator) -> Iterator[Any]:
    """The bare calculator; what it computed last is put back, so that nothing is computed again."""
    bare = calculator.calculator
    kept = {name: vars(bare)[name] for name in ("atoms", "results") if name in vars(bare)}
    try:
        yield bare
    finally:
        vars(bare).update(kept)
