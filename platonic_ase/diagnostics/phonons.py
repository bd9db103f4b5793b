"""Displacement response: do displaced supercells foretell that phonons will be wrong?"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from platonic_ase.diagnostics.base import Diagnostic, Finding, Frame, Signal
from platonic_ase.diagnostics.displacement import DisplacementFeatures, Probe, response
from platonic_ase.diagnostics.supercells import (
    SAME_PLACE,
    DisplacedCrystal,
    displacements,
    few_displacements,
    infer_ideal,
    single_displacement,
)
from platonic_ase.errors import PhononWarning

if TYPE_CHECKING:
    from ase import Atoms

UNCALIBRATED = "uncalibrated"

CALIBRATED_DISPLACEMENTS = (0.02, 0.045)
"""Displacements, Å, at which a risk is given: it is calibrated at 0.03 Å, and the curvature that it
reads depends on the displacement (CHGNet 0.3.0 on NaCl: 0.48 eV/Å² at 0.01 Å, 1.08 at 0.03 Å)."""


@dataclass(frozen=True)
class PhononRiskEstimate:
    """What is predicted of phonons before they are computed.

    Attributes
    ----------
    relative_error : float or None
        Predicted Wasserstein-1 distance to the true spectrum over the mean true frequency.
    interval : tuple of float, or None
        Where it lies with probability 0.9.
    probability_above_25_percent : float or None
        That the relative error exceeds 0.25.
    probability_worst_third : float or None
        That it is among the largest third of this model's errors in the calibration.
    probability_imaginary : float or None
        That the spectrum has a spurious imaginary mode.
    rank : float or None
        Share of the crystals of the calibration with a smaller predicted error, where the pack was
        made from other models and says no more.
    calibration : str
        Which pack says so; ``"uncalibrated"``, and None for all numbers, without one.
    outside : tuple of str
        Features in which the crystal is unlike all those of the calibration, and ``"chemistry"``
        where its bonds are of another kind: an extrapolation.
    """

    relative_error: float | None = None
    interval: tuple[float, float] | None = None
    probability_above_25_percent: float | None = None
    probability_worst_third: float | None = None
    probability_imaginary: float | None = None
    rank: float | None = None
    calibration: str = UNCALIBRATED
    outside: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return asdict(self)

    def to_risks(self) -> dict[str, float | str]:
        """As the risks of a diagnosis."""
        values = {
            "phonon_relative_error": self.relative_error,
            "phonon_probability_above_25_percent": self.probability_above_25_percent,
            "phonon_probability_imaginary": self.probability_imaginary,
        }
        risks = {name: UNCALIBRATED if v is None else v for name, v in values.items()}
        if self.rank is not None:
            risks["phonon_error_rank"] = self.rank
        return risks


class PhononRiskModel(Protocol):
    """What turns features into risks, such as a phonon pack of the calibration."""

    @property
    def alarm_error(self) -> float:
        """Probability of a large error from which a warning is raised."""

    @property
    def alarm_imaginary(self) -> float:
        """Probability of an imaginary mode from which a warning is raised."""

    @property
    def alarm_rank(self) -> float:
        """Rank from which a warning is raised, where there is no probability."""

    def predict(self, features: DisplacementFeatures, numbers: np.ndarray) -> PhononRiskEstimate:
        """Risks of one crystal."""


def estimate(
    crystal: DisplacedCrystal, features: DisplacementFeatures, model: PhononRiskModel | None
) -> PhononRiskEstimate:
    """Risks of one crystal; uncalibrated without a model, or at another displacement."""
    if model is None:
        return PhononRiskEstimate()
    if not calibrated_displacements(crystal):
        return PhononRiskEstimate(outside=("displacement",))
    return model.predict(features, crystal.atoms.numbers)


def calibrated_displacements(crystal: DisplacedCrystal) -> bool:
    """Whether all displacements are of the size for which risks are calibrated."""
    low, high = CALIBRATED_DISPLACEMENTS
    return all(low <= np.linalg.norm(probe.displacement) <= high for probe in crystal.probes)


def phonon_signals(
    crystal: DisplacedCrystal, risk: PhononRiskEstimate, model: PhononRiskModel | None
) -> tuple[Signal, ...]:
    """Signals of the risks, one alarm each per crystal; none without a calibration.

    Parameters
    ----------
    crystal : DisplacedCrystal
    risk : PhononRiskEstimate
    model : PhononRiskModel or None
        Knows the alarm levels.
    """
    if model is None:
        return ()
    group = crystal_key(crystal.atoms)
    name = crystal.atoms.get_chemical_formula("metal", empirical=True)
    softest = sorted(crystal.responses(), key=lambda each: each.restoring)
    atoms = tuple(dict.fromkeys(each.atom for each in softest))
    calibration = f"calibration: {risk.calibration}{', extrapolated' if risk.outside else ''}"
    signals = []
    error, imaginary = risk.probability_above_25_percent, risk.probability_imaginary
    if error is not None and risk.relative_error is not None:
        signals.append(
            Signal(
                kind="phonon_error",
                level=error / model.alarm_error,
                value=error,
                threshold=model.alarm_error,
                unit="probability",
                message=(
                    f"the phonons of {name} are likely to be wrong: predicted error "
                    f"{100 * risk.relative_error:.0f} % of the mean frequency, probability "
                    f"{error:.2f} that it exceeds 25 % ({calibration})."
                ),
                advice=(
                    "Compare the forces of one displaced supercell with DFT, or use a second "
                    "model, before trusting frequencies and thermal properties."
                ),
                atoms=atoms,
                category=PhononWarning,
                group=group,
            )
        )
    if risk.rank is not None:
        signals.append(
            Signal(
                kind="phonon_error",
                level=risk.rank / model.alarm_rank,
                value=risk.rank,
                threshold=model.alarm_rank,
                unit="rank",
                message=(
                    f"the phonons of {name} are suspect: they stand above {100 * risk.rank:.0f} % "
                    "of the crystals of the calibration, which was made with other models "
                    f"({risk.calibration})."
                ),
                advice=(
                    "How large the error is cannot be said. Compare the forces of one displaced "
                    "supercell with DFT, or calibrate this model."
                ),
                atoms=atoms,
                category=PhononWarning,
                group=group,
            )
        )
    if imaginary is not None:
        signals.append(
            Signal(
                kind="imaginary_modes",
                level=imaginary / model.alarm_imaginary,
                value=imaginary,
                threshold=model.alarm_imaginary,
                unit="probability",
                message=(
                    f"imaginary phonon modes of {name} that are not real are likely: probability "
                    f"{imaginary:.2f} ({calibration})."
                ),
                advice=(
                    "Do not read an instability into them before DFT forces of a displaced "
                    "supercell confirm it."
                ),
                atoms=atoms,
                category=PhononWarning,
                group=group,
            )
        )
    return tuple(signals)


def crystal_key(atoms: Atoms) -> str:
    """Name of a supercell, the same for all displaced copies of it."""
    digest = hashlib.blake2b(np.ascontiguousarray(atoms.numbers).tobytes(), digest_size=8)
    digest.update(np.round(atoms.cell.array, 3).tobytes())
    return f"{atoms.get_chemical_formula('metal')}-{digest.hexdigest()}"


@dataclass
class _Memory:
    crystals: list[DisplacedCrystal] = field(default_factory=list)


class DisplacementResponse(Diagnostic):
    """Watches finite displacements: one atom moved by 0.005 to 0.1 Å from a supercell at rest.

    Where a few atoms move at once, their response is recorded, and the risk is
    ``"uncalibrated"``.

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
                    crystal.forces, crystal.platonic = forces, frame.platonic.copy()
                    crystal.inferred = False
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
            signals=phonon_signals(crystal, risk, self.risk) if crystal.complete else (),
        )

    def _several(
        self, frame: Frame, crystal: DisplacedCrystal, few: np.ndarray, shifts: np.ndarray
    ) -> Finding:
        """A few atoms moved at once: what each answers to which is not known, hence no risk."""
        return Finding(
            self.name,
            scalars={"displaced_atoms": float(len(few))},
            per_atom={
                "displacement_response": response(
                    frame.platonic, crystal.platonic, np.linalg.norm(shifts[few], axis=1)
                )
            },
            risks=PhononRiskEstimate().to_risks(),
        )


def _farthest_twins(atoms: Atoms, moved: int, twins: np.ndarray) -> np.ndarray:
    """Of each atom, the translation-equivalent one farthest from the moved atom."""
    distances = atoms.get_distances(moved, np.arange(len(atoms)), mic=True)
    candidates = np.vstack([np.arange(len(atoms)), twins])
    return np.asarray(candidates[distances[candidates].argmax(axis=0), np.arange(len(atoms))])
