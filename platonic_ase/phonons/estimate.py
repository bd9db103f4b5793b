"""What is predicted of phonons before they are computed, and when that is worth a warning."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from platonic_ase.errors import PhononWarning
from platonic_ase.monitor.diagnosis import UNCALIBRATED, Signal
from platonic_ase.phonons.chemistry import is_octet
from platonic_ase.phonons.crystal import DisplacedCrystal
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.phonons.kinds import why_no_bulk

OWN_DISPLACEMENTS = (0.02, 0.045)
"""Displacements, Å, at which the pack of a single model holds: it is made at 0.03 Å, and the
curvature that it reads depends on the displacement (CHGNet 0.3.0 on NaCl: 0.48 eV/Å² at 0.01 Å,
1.08 at 0.03 Å)."""
CALIBRATED_DISPLACEMENTS = (0.005, 0.05)
"""Displacements, Å, at which a risk is given at all."""
DISPLACEMENT = "displacement"
LOW_THRESHOLD, ERROR_THRESHOLD = 0.15, 0.25
Z90 = 1.6448536269514722
"""Half width of the central 90 % of a normal distribution."""
_ROUNDING = 1e-4


@dataclass(frozen=True)
class PhononRiskEstimate:
    """What is predicted of phonons before they are computed.

    Attributes
    ----------
    relative_error : float or None
        Predicted Wasserstein-1 distance to the true spectrum over the mean true frequency.
    interval : tuple of float, or None
        Where it lies with probability 0.9.
    probability_above_15_percent, probability_above_25_percent : float or None
        That the relative error exceeds 0.15, and 0.25.
    probability_worst_third : float or None
        That it is among the largest third of this model's errors in the calibration.
    probability_imaginary : float or None
        That the spectrum has a spurious imaginary mode.
    calibration : str
        Which pack says so; ``"uncalibrated"``, and None for all numbers, without one.
    outside : tuple of str
        In what the crystal is unlike those of that pack: features, ``"chemistry"`` where its
        bonds are of another kind, ``"layers"`` and the like, ``"displacement"``. The numbers then
        are wide, or the base rate, or there are none.
    """

    relative_error: float | None = None
    interval: tuple[float, float] | None = None
    probability_above_15_percent: float | None = None
    probability_above_25_percent: float | None = None
    probability_worst_third: float | None = None
    probability_imaginary: float | None = None
    calibration: str = UNCALIBRATED
    outside: tuple[str, ...] = ()

    @classmethod
    def of_root(
        cls, mean: float, deviation: float, calibration: str, **others: Any
    ) -> PhononRiskEstimate:
        """Where the square root of the relative error is normal.

        Parameters
        ----------
        mean, deviation : float
            Of the square root.
        calibration : str
            Which pack says so.
        **others
            Further attributes.
        """
        low, high = mean - Z90 * deviation, mean + Z90 * deviation
        return cls(
            relative_error=max(mean, 0.0) ** 2,
            interval=(max(low, 0.0) ** 2, max(high, 0.0) ** 2),
            probability_above_15_percent=probability_above(mean, deviation, LOW_THRESHOLD),
            probability_above_25_percent=probability_above(mean, deviation, ERROR_THRESHOLD),
            calibration=calibration,
            **others,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return asdict(self)

    def to_risks(self) -> dict[str, float | str]:
        """As the risks of a diagnosis."""
        values = {
            "phonon_relative_error": self.relative_error,
            "phonon_probability_above_15_percent": self.probability_above_15_percent,
            "phonon_probability_above_25_percent": self.probability_above_25_percent,
            "phonon_probability_imaginary": self.probability_imaginary,
        }
        return {name: UNCALIBRATED if v is None else v for name, v in values.items()}


def probability_above(mean: float, deviation: float, threshold: float) -> float:
    r"""P(error > t) where the root of the error is normal, :math:`\Phi((\mu-\sqrt t)/\sigma)`."""
    return 0.5 * math.erfc(-(mean - math.sqrt(threshold)) / (deviation * math.sqrt(2)))


class PhononRiskModel(Protocol):
    """What turns features into risks, such as a phonon pack of the calibration."""

    @property
    def alarm_error(self) -> float:
        """Probability of a large error from which a warning is raised."""

    @property
    def alarm_imaginary(self) -> float:
        """Probability of an imaginary mode from which a warning is raised."""

    def predict(
        self, features: DisplacementFeatures, numbers: np.ndarray, unlike: tuple[str, ...] = ()
    ) -> PhononRiskEstimate:
        """Risks of one crystal, which may be unlike all of the calibration for some reason."""

    def probability_spurious(
        self,
        features: DisplacementFeatures,
        numbers: np.ndarray,
        lowest: float,
        unlike: tuple[str, ...] = (),
    ) -> float | None:
        """That imaginary modes, the lowest of which is given in THz, are the model's own."""


def estimate(
    crystal: DisplacedCrystal, features: DisplacementFeatures, model: PhononRiskModel | None
) -> PhononRiskEstimate:
    """Risks of one crystal; uncalibrated without a model, or at displacements of no calibration."""
    if model is None:
        return PhononRiskEstimate()
    if not displaced_within(crystal, CALIBRATED_DISPLACEMENTS):
        return PhononRiskEstimate(outside=(DISPLACEMENT,))
    return model.predict(features, crystal.atoms.numbers, why_unlike(crystal, features))


def estimate_spurious(
    crystal: DisplacedCrystal | None,
    features: DisplacementFeatures | None,
    model: PhononRiskModel | None,
    lowest: float,
) -> float | None:
    """Probability that the imaginary modes of a spectrum are spurious; None where nobody says.

    Parameters
    ----------
    crystal : DisplacedCrystal or None
    features : DisplacementFeatures or None
    model : PhononRiskModel or None
        Nobody says unless all three are known.
    lowest : float
        Lowest frequency, THz.
    """
    if crystal is None or features is None or model is None:
        return None
    if not displaced_within(crystal, CALIBRATED_DISPLACEMENTS):
        return None
    unlike = why_unlike(crystal, features)
    return model.probability_spurious(features, crystal.atoms.numbers, lowest, unlike)


def why_unlike(crystal: DisplacedCrystal, features: DisplacementFeatures) -> tuple[str, ...]:
    """Why the pack of a single model says nothing of a crystal; empty where it may.

    Parameters
    ----------
    crystal : DisplacedCrystal
    features : DisplacementFeatures
    """
    moved = () if displaced_within(crystal, OWN_DISPLACEMENTS) else (DISPLACEMENT,)
    return why_no_bulk(crystal.atoms.pbc, crystal.dimension, features) + moved


def kinds(unlike: tuple[str, ...]) -> tuple[str, ...]:
    """What puts a crystal outside of every calibration: not the length of its displacements."""
    return tuple(each for each in unlike if each != DISPLACEMENT)


def displaced_within(crystal: DisplacedCrystal, bounds: tuple[float, float]) -> bool:
    """Whether all displacements have a length, Å, within bounds."""
    shortest, longest = crystal.lengths
    return bounds[0] - _ROUNDING <= shortest and longest <= bounds[1] + _ROUNDING


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
    group = crystal.key
    name = crystal.formula
    error, imaginary = risk.probability_above_25_percent, risk.probability_imaginary
    atoms: tuple[int, ...] = ()
    if (error or 0) >= model.alarm_error or (imaginary or 0) >= model.alarm_imaginary:
        softest = sorted(crystal.responses(), key=lambda each: each.restoring)
        atoms = tuple(dict.fromkeys(each.atom for each in softest))
    unlike = f"; wide, since unlike it in {', '.join(risk.outside)}" if risk.outside else ""
    calibration = f"calibration {risk.calibration.partition(' (')[0]}{unlike}"
    signals = []
    if error is not None and risk.relative_error is not None:
        signals.append(
            Signal(
                kind="phonon_error",
                level=error / model.alarm_error,
                value=error,
                threshold=model.alarm_error,
                unit="probability",
                message=(
                    f"the phonons of {name} are likely to be wrong: by "
                    f"{100 * risk.relative_error:.0f} % of the mean frequency, and by more than "
                    f"25 % with probability {error:.2f} ({calibration})."
                ),
                advice=(
                    "Compare the forces of one displaced supercell with DFT or a second model "
                    "before you use them."
                ),
                atoms=atoms,
                category=PhononWarning,
                group=group,
            )
        )
    if imaginary is not None:
        # of other crystals some are real: perovskites, martensites
        sure = is_octet(crystal.atoms.numbers) and not risk.outside
        unreal = " that are not real" if sure else ""
        signals.append(
            Signal(
                kind="imaginary_modes",
                level=imaginary / model.alarm_imaginary,
                value=imaginary,
                threshold=model.alarm_imaginary,
                unit="probability",
                message=(
                    f"imaginary phonon modes of {name}{unreal} are likely, with probability "
                    f"{imaginary:.2f} ({calibration})."
                ),
                advice=(
                    "Read no instability into them before DFT forces of a displaced supercell "
                    "confirm it."
                ),
                atoms=atoms,
                category=PhononWarning,
                group=group,
            )
        )
    return tuple(signals)
