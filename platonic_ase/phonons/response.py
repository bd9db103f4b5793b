"""Displacement response: do displaced supercells foretell that phonons will be wrong?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.monitor.diagnosis import UNCALIBRATED, Diagnostic, Finding
from platonic_ase.monitor.frame import Frame
from platonic_ase.phonons.crystal import DisplacedCrystal
from platonic_ase.phonons.estimate import (
    CALIBRATED_DISPLACEMENTS,
    DISPLACEMENT,
    PhononRiskEstimate,
    PhononRiskModel,
    estimate,
    phonon_signals,
)
from platonic_ase.phonons.sites import Probe, response
from platonic_ase.phonons.supercells import (
    SAME_PLACE,
    displacements,
    few_displacements,
    infer_ideal,
    single_displacement,
)

if TYPE_CHECKING:
    from ase import Atoms


_ALIKE = 0.01
"""Lengths of displacements that were made on purpose differ by this share at most."""


@dataclass
class _Memory:
    crystals: list[DisplacedCrystal] = field(default_factory=list)


class DisplacementResponse(Diagnostic):
    """Watches finite displacements: one atom moved by 0.005 to 0.1 Å from a supercell at rest.

    Where a few atoms move at once, as in the pairs of phono3py, their response is recorded, and
    the risk is that of the single displacements seen before; ``"uncalibrated"`` without any.

    The supercell at rest is one seen before, in the same or another Atoms object; without one, a
    displaced supercell gives itself away by the lattice of its other atoms. Features of all
    displaced copies of one crystal add up, in whatever loop they are made, and the risk of what
    was seen so far is in each diagnosis. The warning waits until an atom of every orbit has
    moved.

    Parameters
    ----------
    risk : PhononRiskModel, optional
        Calibration; risks are ``"uncalibrated"`` without one.
    smallest : int
        Structures with fewer atoms are no supercells.
    largest : int
        Structures with more atoms are not looked at.
    quiet : float
        Largest force, eV/Å, in what is taken for a supercell at rest where it has no lattice
        translations that prove it.
    remember : int
        How many crystals are remembered.
    """

    name = "displacement"
    shared = True

    def __init__(
        self,
        risk: PhononRiskModel | None = None,
        *,
        smallest: int = 8,
        largest: int = 2000,
        quiet: float = 0.05,
        remember: int = 4,
    ) -> None:
        self.risk = risk
        self.smallest = smallest
        self.largest = largest
        self.quiet = quiet
        self.remember = remember

    def start(self, reference: Atoms) -> _Memory:
        """No crystals yet."""
        return _Memory()

    def examine(self, frame: Frame, state: _Memory) -> Finding:
        """Look for a displaced supercell, and add it to those of its crystal."""
        n = len(frame.atoms)
        forces = frame.results.get("forces")
        if frame.moving or forces is None or not self.smallest <= n <= self.largest:
            return Finding(self.name)
        forces = np.asarray(forces, dtype=float)
        for crystal in reversed(state.crystals):
            if not crystal.matches(frame.atoms):
                continue
            shifts = displacements(frame.atoms, crystal.atoms.positions)
            moved = single_displacement(shifts)
            if moved is not None:
                return self._displaced(frame, crystal, Probe(*moved, forces, frame.platonic))
            few = few_displacements(shifts)
            if few is not None and not crystal.inferred:
                return self._several(frame, crystal, few, shifts)
            if np.abs(shifts).max() <= SAME_PLACE:
                if crystal.inferred:
                    crystal.calculated(forces, frame.platonic.copy())
                return Finding(self.name)
        return self._unknown(frame, forces, state)

    def _unknown(self, frame: Frame, forces: np.ndarray, state: _Memory) -> Finding:
        """A structure that belongs to no crystal seen so far: a new one, or nothing of the kind."""
        ideal = infer_ideal(frame.atoms, forces) if frame.index == 0 else None
        at_rest = float(np.linalg.norm(forces, axis=1).max()) <= self.quiet
        if ideal is None and not at_rest:
            return Finding(self.name)
        # positions that relax in a cell: the last are those at rest
        state.crystals = [
            known for known in state.crystals if known.probes or not known.matches(frame.atoms)
        ][1 - self.remember :]
        if ideal is None or ideal.moved < 0:
            crystal = DisplacedCrystal(frame.atoms.copy(), forces, frame.platonic.copy())
            state.crystals.append(crystal)
            return Finding(self.name)
        atoms = frame.atoms.copy()
        atoms.positions = ideal.positions
        crystal = DisplacedCrystal(
            atoms,
            np.zeros_like(forces),
            frame.platonic[_farthest_twins(atoms, ideal.moved, ideal.twins)],
            inferred=True,
        )
        state.crystals.append(crystal)
        probe = Probe(ideal.moved, ideal.displacement, forces, frame.platonic)
        return self._displaced(frame, crystal, probe)

    def _displaced(self, frame: Frame, crystal: DisplacedCrystal, probe: Probe) -> Finding:
        crystal.add(
            Probe(probe.atom, probe.displacement.copy(), probe.forces, probe.platonic.copy())
        )
        features = crystal.features(frame.reference)
        risk = estimate(crystal, features, self.risk)
        return Finding(
            self.name,
            scalars={
                "displaced_supercells": float(len(crystal.probes)),
                "restoring_force_per_response": features.restoring,
                "softest_curvature": features.softest_curvature,
                "displacement_locality": features.locality,
            },
            per_atom={
                "displacement_response": response(
                    probe.platonic, crystal.platonic, probe.displacement
                )
            },
            risks=risk.to_risks(),
            notice=self._notice(risk, crystal),
            signals=phonon_signals(crystal, risk, self.risk) if crystal.complete else (),
        )

    def _several(
        self, frame: Frame, crystal: DisplacedCrystal, few: np.ndarray, shifts: np.ndarray
    ) -> Finding:
        """A few atoms moved at once: what each answers to which is not known."""
        lengths = np.linalg.norm(shifts[few], axis=1)
        alike = bool(np.ptp(lengths) <= _ALIKE * lengths.max())  # made, not relaxed
        risk = PhononRiskEstimate()
        if crystal.probes:  # pairs of phono3py: what the first singles said still holds
            risk = estimate(crystal, crystal.features(frame.reference), self.risk)
        return Finding(
            self.name,
            scalars={"displaced_atoms": float(len(few))},
            per_atom={"displacement_response": response(frame.platonic, crystal.platonic, lengths)},
            risks=risk.to_risks() if crystal.probes or alike else {},
            notice=self._notice(risk, None) if alike else "",
        )

    def _notice(self, risk: PhononRiskEstimate, crystal: DisplacedCrystal | None) -> str:
        """Why nothing can be said of the phonons, though there is a calibration."""
        if self.risk is None or risk.calibration != UNCALIBRATED:
            return ""
        if crystal is None:
            why = "several atoms move at a time, and no single one did before"
        elif DISPLACEMENT in risk.outside:
            low, high = CALIBRATED_DISPLACEMENTS
            longest = crystal.lengths[1]
            why = f"displaced by up to {longest:.3g} Å; it is calibrated from {low} to {high} Å"
        else:
            unlike = ", ".join(risk.outside) or "a feature is missing"
            why = f"unlike all of the calibration: {unlike}"
        return f"No phonon risk is given of the displaced supercells seen here ({why})."


def _farthest_twins(atoms: Atoms, moved: int, twins: np.ndarray) -> np.ndarray:
    """Of each atom, the translation-equivalent one farthest from the moved atom."""
    distances = atoms.get_distances(moved, np.arange(len(atoms)), mic=True)
    candidates = np.vstack([np.arange(len(atoms)), twins])
    return np.asarray(candidates[distances[candidates].argmax(axis=0), np.arange(len(atoms))])
