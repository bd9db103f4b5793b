"""What a potential gets wrong by construction: symmetry, force constants, energy conservation.

A potential that is not invariant under rotations tells symmetry-equivalent atoms apart, and one
that predicts forces directly, not as a gradient, gives asymmetric force constants and gains or
loses energy around a closed loop. None of that shows in one calculation; the audit makes the few
that do.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from platonic_ase.audit.conservation import (
    OTHER_STEPS,
    ForceConstantAsymmetry,
    LoopWork,
    closed_loop_work,
    force_constant_asymmetry,
)
from platonic_ase.audit.invariance import TRANSLATIONS, SymmetryError, symmetry_error
from platonic_ase.audit.laws import Departure, Law, check_laws, departures
from platonic_ase.models import Encoder, find_encoder

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator

ROTATIONS, POINTS, DISPLACED = 4, 16, 4
ROUGH_POINTS = 64
"""On the loop, where the surface may be rough: the trapezoidal rule converges slowly there."""


@dataclass(frozen=True)
class AuditReport:
    """What :func:`audit` found.

    Attributes
    ----------
    model, structure : str
        What was audited, on what.
    symmetry : SymmetryError
    force_constants : ForceConstantAsymmetry
    other_steps : tuple of ForceConstantAsymmetry
        At other steps, where they are not symmetric.
    loop : LoopWork
    laws : tuple of Law
        Which laws the model keeps.
    departures : tuple of Departure
        Every number beside what rounding explains of it.
    """

    model: str
    structure: str
    symmetry: SymmetryError
    force_constants: ForceConstantAsymmetry
    other_steps: tuple[ForceConstantAsymmetry, ...]
    loop: LoopWork
    laws: tuple[Law, ...]
    departures: tuple[Departure, ...]

    @property
    def broken(self) -> tuple[Law, ...]:
        """The laws that the model does not keep."""
        return tuple(law for law in self.laws if not law.holds)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.model} on {self.structure}"]
        for law in self.laws:
            lines.append(f"{law.name}: {'yes' if law.holds else 'NO'}")
            lines.extend(
                f"  {found.label:32s} {found.value:8.1e} {found.unit:8s} "
                f"(rounding {found.rounding:.0e})"
                for found in self.departures
                if found.law == law.name
            )
        return "\n".join([*lines, *(f"{law.meaning}" for law in self.broken)])


def audit(
    calculator: Any,
    atoms: Atoms,
    *,
    encoder: Encoder | None = None,
    seed: int = 0,
    progress: bool = False,
) -> AuditReport:
    """Measure what a potential gets wrong by construction, in some fifty calculations.

    Some fifty more where force constants are not symmetric, to find out why.

    Parameters
    ----------
    calculator : ase calculator
        One with an encoder.
    atoms : Atoms
        Near equilibrium, with sites that rotations relate: diamond Si, rutile.
    encoder : Encoder, optional
        Used instead of the one that the registry finds.
    seed : int
        Of rotations, translations, displacements and the loop.
    progress : bool
        Whether to show a progress bar on standard error.

    Returns
    -------
    AuditReport
        ``str`` of it is the report for a reader.
    """
    from tqdm.auto import tqdm

    encoder = encoder or find_encoder(calculator)
    displaced = range(min(DISPLACED, len(atoms)))
    total = 4 + ROTATIONS + TRANSLATIONS + 3 * len(displaced) + POINTS
    with tqdm(total=total, desc=f"auditing {encoder.identity.model}", disable=not progress) as bar:
        symmetry = symmetry_error(encoder, atoms, rotations=ROTATIONS, seed=seed, done=bar.update)
        constants = force_constant_asymmetry(
            calculator, atoms, displaced=displaced, done=bar.update
        )
        points = POINTS
        others: tuple[ForceConstantAsymmetry, ...] = ()
        if not constants.conservative:
            bar.total = total + 3 * len(displaced) * len(OTHER_STEPS)
            others = tuple(
                force_constant_asymmetry(
                    calculator, atoms, displaced=displaced, step=step, done=bar.update
                )
                for step in OTHER_STEPS
            )
            points = ROUGH_POINTS
            bar.total += points - POINTS
        loop = closed_loop_work(calculator, atoms, points=points, seed=seed, done=bar.update)
    found = departures(symmetry, constants, loop, len(atoms), others)
    return AuditReport(
        model=encoder.identity.model,
        structure=f"{atoms.get_chemical_formula()} ({len(atoms)} atoms)",
        symmetry=symmetry,
        force_constants=constants,
        other_steps=others,
        loop=loop,
        laws=check_laws(found),
        departures=found,
    )


def audit_run(
    calculator: PlatonicCalculator, atoms: Atoms, *, seed: int = 0, progress: bool = False
) -> AuditReport:
    """Audit the model of a run, before it; the result is kept in the run's log and report.

    Parameters
    ----------
    calculator : PlatonicCalculator
    atoms : Atoms
        Near equilibrium, with sites that rotations relate.
    seed : int
        Of rotations, translations, displacements and the loop.
    progress : bool
        Whether to show a progress bar on standard error.
    """
    report = audit(
        calculator.calculator, atoms, encoder=calculator.encoder, seed=seed, progress=progress
    )
    calculator.record("audit", report.to_dict())
    return report
