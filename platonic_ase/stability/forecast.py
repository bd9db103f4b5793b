"""Will a symmetric structure break? What is forecast from its softest ways out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from platonic_ase.errors import SymmetryWarning
from platonic_ase.monitor.diagnosis import UNCALIBRATED, Signal
from platonic_ase.phonons.instability import Judgement, SoftDirection

UNIVERSAL_SAID = " (by the universal calibration: this model has none of its own)"


@dataclass(frozen=True)
class SymmetryForecast:
    """Whether a structure is going to keep its space group.

    Attributes
    ----------
    space_group : str
        Of the symmetric structure.
    directions : tuple of SoftDirection
        Lowest κ first.
    judgement : Judgement or None
        Of the softest of them.
    unheld : str
        Wave vectors that the supercell does not hold, and one that does; empty where it holds all.
    """

    space_group: str
    directions: tuple[SoftDirection, ...] = ()
    judgement: Judgement | None = None
    unheld: str = ""

    @property
    def probability(self) -> float | None:
        """That it breaks when rattled and relaxed with this model; None where uncalibrated."""
        return None if self.judgement is None else self.judgement.probability

    @property
    def threshold(self) -> float:
        """Probability from which on a warning is raised."""
        return 0.5 if self.judgement is None else self.judgement.threshold

    @property
    def calibration(self) -> str:
        """Which one, or ``"uncalibrated"``."""
        return UNCALIBRATED if self.judgement is None else self.judgement.calibration

    @property
    def leading(self) -> SoftDirection | None:
        """The direction with the lowest curvature."""
        return self.directions[0] if self.directions else None

    @property
    def breaks(self) -> bool | None:
        """Whether the probability has reached the threshold; None where uncalibrated."""
        if self.judgement is None or self.judgement.probability is None:
            return None
        return self.judgement.breaks

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return {
            "space_group": self.space_group,
            "probability_of_breaking": self.probability,
            "threshold": self.threshold,
            "calibration": self.calibration,
            "curvature_eV_per_A2": None if self.leading is None else self.leading.curvature,
            "heads_for": None if self.leading is None else self.leading.subgroup,
            "judgement": None if self.judgement is None else self.judgement.to_dict(),
            "unheld": self.unheld,
            "directions": [each.to_dict() for each in self.directions],
        }

    def __str__(self) -> str:
        """What a user wants to read."""
        way = self.leading
        if way is None:
            return f"{self.space_group}: no forecast"
        said = (
            f"curvature {way.curvature:.2g} eV/Å² along the softest way out "
            f"({way.eigenvalue:.2g} in the harmonic limit)"
        )
        goal = f"{way.orbit}, towards {way.subgroup or 'a larger cell'}"
        if self.unheld:
            goal += f". Not seen: {self.unheld}"
        if self.probability is None or self.judgement is None:
            return f"{self.space_group}, uncalibrated: {said}; {goal}"
        verdict = "breaks" if self.breaks else "stays"
        whose = UNIVERSAL_SAID if self.judgement.universal else ""
        return (
            f"{self.space_group} {verdict}: probability of breaking {self.probability:.2f}{whose}; "
            f"{said}; {goal}"
        )


def forecast_signal(forecast: SymmetryForecast) -> Signal:
    """Warning of a calibrated forecast."""
    way = forecast.leading
    probability = float("nan") if forecast.probability is None else forecast.probability
    message = ""
    if way is not None and forecast.probability is not None:
        pooled = forecast.judgement is not None and forecast.judgement.universal
        message = (
            f"{forecast.space_group} is going to break, with probability {probability:.2f}"
            f"{UNIVERSAL_SAID if pooled else ''}: the "
            f"softest way out changes the energy by {way.energy:.2g} meV per atom "
            f"({way.curvature:.2g} eV/Å²) and moves {way.orbit}, towards "
            f"{way.subgroup or 'a larger cell'}."
        )
    return Signal(
        kind="symmetry_forecast",
        level=probability / forecast.threshold,
        value=probability,
        threshold=forecast.threshold,
        unit="probability",
        message=message,
        advice=(
            "Relax a rattled supercell to find the lower phase, or keep the symmetry with "
            "ase.constraints.FixSymmetry."
        ),
        atoms=() if way is None else way.atoms,
        category=SymmetryWarning,
        group="forecast",
    )
