r"""Correction of phonons: one factor for the frequencies of a crystal.

A potential that is too soft is too soft everywhere, to first order: all force constants of a
crystal are multiplied by :math:`f^2`, which keeps the acoustic sum rule, permutation symmetry and
the space group exactly, and multiplies every frequency by f. :math:`\ln f` is linear in the
displacement features, and known within a half width that 90 % of the crystals left out of the fit
stay inside (split-conformal over groups).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.linear import LinearPart, fit_ridge, predict_left_out

COVERAGE = 0.9


@dataclass(frozen=True)
class CorrectionEstimate:
    """An estimate of what the frequencies of a model have to be multiplied by.

    Attributes
    ----------
    factor : float or None
        None where no correction is offered.
    interval : tuple of float, or None
        Where the best factor lies with probability 0.9.
    calibration : str
        Which pack says so; empty without a factor.
    reason : str
        Why there is none; empty with a factor.
    """

    factor: float | None = None
    interval: tuple[float, float] | None = None
    calibration: str = ""
    reason: str = ""

    @classmethod
    def of_log(
        cls,
        log_factor: float,
        half_width: float,
        name: str,
        outside: Sequence[str] = (),
        *,
        doubt: float = 0.0,
    ) -> CorrectionEstimate:
        """Of ln of the factor, if it is known and sure enough.

        Parameters
        ----------
        log_factor, half_width : float
            ln of the factor lies within with probability 0.9.
        name : str
            Of the pack.
        outside : sequence of str
            In what the crystal is unlike those of the calibration.
        doubt : float
            No factor is offered whose logarithm is nearer to zero.
        """
        if not math.isfinite(log_factor):
            reason = "a feature could not be computed"
        elif outside:
            reason = f"the crystal is unlike those of the calibration in {', '.join(outside)}"
        elif abs(log_factor) < doubt:
            reason = (
                f"the factor is not known well enough: {math.exp(log_factor):.2f}, from "
                f"{math.exp(log_factor - doubt):.2f} to {math.exp(log_factor + doubt):.2f}"
            )
        else:
            low, high = math.exp(log_factor - half_width), math.exp(log_factor + half_width)
            return cls(math.exp(log_factor), (low, high), calibration=name)
        return cls(reason=reason)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return asdict(self)


@dataclass(frozen=True)
class FrequencyFactor:
    """The part of a pack that predicts the factor.

    Attributes
    ----------
    part : LinearPart
        Of ln f.
    half_width : float
        Of ln f: 90 % of the crystals left out of the fit lie within.
    """

    part: LinearPart
    half_width: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.half_width) and self.half_width > 0):
            raise SpaceFileError(f"half width = {self.half_width}; a positive number is needed")

    def estimate(
        self,
        features: Mapping[str, float],
        name: str,
        outside: Sequence[str] = (),
    ) -> CorrectionEstimate:
        """The factor of one crystal.

        Parameters
        ----------
        features : mapping of str to float
        name : str
            Of the pack.
        outside : sequence of str
            Features in which the crystal is unlike those of the calibration.
        """
        outside = [*dict.fromkeys([*outside, *self.part.outside(features)])]
        return CorrectionEstimate.of_log(self.part(features), self.half_width, name, outside)


def fit_factor(
    names: Sequence[str],
    x: np.ndarray,
    log_factors: np.ndarray,
    groups: np.ndarray,
    penalty: float,
) -> FrequencyFactor:
    """Fit the factor to crystals whose best factor is known.

    Parameters
    ----------
    names, x, groups, penalty
        See :func:`~platonic_ase.phonons.linear.predict_left_out`.
    log_factors : ndarray, shape (n,)
        See :func:`~platonic_ase.phonons.spectra.best_log_factor`.
    """
    left_out = predict_left_out(names, x, log_factors, groups, penalty)
    return FrequencyFactor(
        fit_ridge(names, x, log_factors, penalty),
        conformal_half_width(np.abs(log_factors - left_out)),
    )


def conformal_half_width(residuals: np.ndarray, coverage: float = COVERAGE) -> float:
    r"""The :math:`\lceil (n+1)\,c \rceil`-th smallest residual.

    A new one is below it with probability c. With fewer than c / (1 - c) residuals, the largest.
    """
    rank = min(math.ceil((len(residuals) + 1) * coverage), len(residuals))
    return float(np.sort(residuals)[rank - 1])
