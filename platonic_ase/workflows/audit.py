"""What a potential gets wrong by construction: symmetry, force constants, energy conservation.

A potential that is not invariant under rotations tells symmetry-equivalent atoms apart, and one
that predicts forces directly, not as a gradient, gives asymmetric force constants and gains or
loses energy around a closed loop. None of that shows in one calculation; the audit makes the few
that do.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from platonic_ase.encoders import find_encoder
from platonic_ase.workflows.conservation import (
    ForceConstantAsymmetry,
    LoopWork,
    closed_loop_work,
    force_constant_asymmetry,
)
from platonic_ase.workflows.invariance import SymmetryError, symmetry_error

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class AuditReport:
    """What :func:`audit` found.

    Attributes
    ----------
    model, structure : str
        What was audited, on what.
    symmetry : SymmetryError
    force_constants : ForceConstantAsymmetry
    loop : LoopWork
    """

    model: str
    structure: str
    symmetry: SymmetryError
    force_constants: ForceConstantAsymmetry
    loop: LoopWork

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return asdict(self)

    def __str__(self) -> str:
        symmetry, constants, loop = self.symmetry, self.force_constants, self.loop
        sites = [f"  equivalent {k:17s} {v:9.1e}" for k, v in symmetry.sites.items()]
        lines = [
            f"{self.model} on {self.structure}",
            f"invariant under rotations: {'yes' if symmetry.invariant else 'NO'}",
            f"  embeddings, rotation         {symmetry.rotation:9.1e}",
            f"  embeddings, inversion        {symmetry.inversion:9.1e}",
            f"  embeddings, permutation      {symmetry.permutation:9.1e}",
            f"  energy, rotation             {symmetry.energy:9.1e} eV/atom",
            f"  forces, rotation             {symmetry.forces:9.1e} eV/Å",
            *sites,
            f"forces are a gradient: {'yes' if constants.conservative else 'NO'}",
            f"  asymmetry of force constants {constants.relative:9.1e}",
            f"  acoustic sum                 {constants.acoustic_sum:9.1e} eV/Å²",
            f"  work around a loop           {loop.work:9.1e} ± {loop.quadrature:.0e} eV",
        ]
        return "\n".join(lines)


def audit(calculator: Any, atoms: Atoms, *, seed: int = 0) -> AuditReport:
    """Measure what a potential gets wrong by construction, in some fifty calculations.

    Parameters
    ----------
    calculator : ase calculator
        One with an encoder.
    atoms : Atoms
        Near equilibrium, with sites that rotations relate: diamond Si, rutile.
    seed : int
        Of rotations, displacements and the loop.

    Returns
    -------
    AuditReport
        ``str`` of it is the report for a reader.
    """
    encoder = find_encoder(calculator)
    return AuditReport(
        model=encoder.identity.model,
        structure=f"{atoms.get_chemical_formula()} ({len(atoms)} atoms)",
        symmetry=symmetry_error(encoder, atoms, seed=seed),
        force_constants=force_constant_asymmetry(calculator, atoms),
        loop=closed_loop_work(calculator, atoms, seed=seed),
    )
