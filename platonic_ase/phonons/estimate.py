"""What is predicted of phonons before they are computed, and when that is worth a warning."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from platonic_ase.errors import PhononWarning
from platonic_ase.monitor.diagnosis import UNCALIBRATED, Signal
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.phonons.supercells import DisplacedCrystal

if TYPE_CHECKING:
    from ase import Atoms

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
        unreal = "" if risk.outside else " that are not real"  # which only the known kinds show
        signals.append(
            Signal(
                kind="imaginary_modes",
                level=imaginary / model.alarm_imaginary,
                value=imaginary,
                threshold=model.alarm_imaginary,
                unit="probability",
                message=(
                    f"imaginary phonon modes of {name}{unreal} are likely: probability "
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
