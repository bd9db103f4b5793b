"""Estimated correction of phonons, beside the model's own result and never instead of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.phonons.correction import CorrectionEstimate
from platonic_ase.phonons.crystal import DisplacedCrystal
from platonic_ase.phonons.estimate import (
    OWN_DISPLACEMENTS,
    displaced_within,
    why_unlike,
)
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.phonons.spectrum import Spectrum, compute_spectrum

if TYPE_CHECKING:
    from platonic_ase.phonons.risk import PhononRisk
    from platonic_ase.phonons.universal import UniversalRisk

WHAT = "Estimated correction, not the model's result"
BOUNDS = ("low", "mid", "high")


@dataclass(frozen=True)
class CorrectedPhonons:
    """Phonons after the estimated correction.

    Attributes
    ----------
    estimate : CorrectionEstimate
        The factor, or why there is none.
    spectra : mapping of str to Spectrum
        With the lower bound, the estimate and the upper bound of the factor: ``"low"``, ``"mid"``,
        ``"high"``. Empty without a factor.
    polar : bool
        Whether they have a non-analytical term, which the factor leaves as it is.
    """

    estimate: CorrectionEstimate
    spectra: Mapping[str, Spectrum] = field(default_factory=dict)
    polar: bool = False

    def describe(self) -> str:
        """One sentence."""
        if self.estimate.factor is None or self.estimate.interval is None:
            return f"No correction is offered: {self.estimate.reason}."
        low, high = self.estimate.interval
        term = ", but for the non-analytical term, which stays" if self.polar else ""
        return (
            f"{WHAT}: all frequencies times {self.estimate.factor:.2f} (90 %: {low:.2f} to "
            f"{high:.2f}){term}"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary, apart from arrays."""
        found: dict[str, Any] = {"what": WHAT, **self.estimate.to_dict()}
        if not self.spectra:
            return found
        first = self.spectra["mid"]
        return {
            **found,
            "frequency_quantiles_THz": self._each("quantiles"),
            "mean_frequency_THz": self._each("mean"),
            "thermal": {
                "temperature_K": first.temperatures,
                "free_energy_kJ_mol": self._each("free_energy"),
                "entropy_J_K_mol": self._each("entropy"),
                "heat_capacity_J_K_mol": self._each("heat_capacity"),
            },
        }

    def _each(self, name: str) -> dict[str, Any]:
        return {bound: getattr(spectrum, name) for bound, spectrum in self.spectra.items()}


def estimate_correction(
    crystal: DisplacedCrystal | None,
    features: DisplacementFeatures | None,
    pack: PhononRisk | UniversalRisk | None,
) -> CorrectionEstimate:
    """The factor of one crystal, or why there is none."""
    if pack is None:
        return CorrectionEstimate(reason="there is no phonon pack for this model")
    if crystal is None or features is None:
        return CorrectionEstimate(reason="the displacements could not be assessed")
    if not displaced_within(crystal, OWN_DISPLACEMENTS):
        low, high = OWN_DISPLACEMENTS
        return CorrectionEstimate(
            reason=f"it is calibrated for displacements of {low} to {high} Å only"
        )
    return pack.correct(features, crystal.atoms.numbers, why_unlike(crystal, features))


def correct_phonons(
    phonon: Any,
    estimate: CorrectionEstimate,
    mesh: Sequence[int],
    openly: Sequence[bool] | np.ndarray = (False,) * 3,
) -> CorrectedPhonons:
    """Spectra of the corrected force constants; the phonopy object is left as it is.

    Parameters
    ----------
    phonon : phonopy.Phonopy
        With force constants.
    estimate : CorrectionEstimate
    mesh, openly : sequence of 3 int, sequence of bool
        See :func:`~platonic_ase.phonons.spectrum.compute_spectrum`.
    """
    if estimate.factor is None or estimate.interval is None:
        return CorrectedPhonons(estimate)
    factors = (estimate.interval[0], estimate.factor, estimate.interval[1])
    return CorrectedPhonons(
        estimate,
        {
            bound: compute_spectrum(corrected_phonopy(phonon, factor), mesh, openly)
            for bound, factor in zip(BOUNDS, factors, strict=True)
        },
        polar=phonon.nac_params is not None,
    )


def corrected_phonopy(phonon: Any, factor: float) -> Any:
    """A copy of a Phonopy object whose force constants are corrected.

    A non-analytical term stays as it is: it comes from Born charges, not from the model.
    """
    corrected = phonon.replicate()
    corrected.nac_params = phonon.nac_params
    corrected.force_constants = scale_force_constants(phonon.force_constants, factor)
    return corrected


def scale_force_constants(force_constants: np.ndarray, factor: float) -> np.ndarray:
    r"""Force constants that multiply every frequency by ``factor``: :math:`f^2 \Phi`.

    One factor for all pairs keeps the acoustic sum rule, permutation symmetry and the space group.

    Parameters
    ----------
    force_constants : ndarray
        eV/Å².
    factor : float
        Positive.

    Raises
    ------
    ValueError
        If the factor is not positive.
    """
    if not factor > 0:
        raise ValueError(f"factor = {factor}; a positive number is needed")
    return np.asarray(force_constants) * factor**2
