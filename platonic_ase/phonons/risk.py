r"""Phonon risk: from displacement features to the probability that phonons are wrong.

The square root of the relative error is linear in standardised features x (ridge regression) with
normal residuals, the odds of a spurious imaginary mode are log-linear in them:

.. math::

    \sqrt{\epsilon} = \mu + \sigma \xi, \quad \mu = b_0 + b \cdot x, \qquad
    P(\epsilon > t) = \Phi\!\left(\frac{\mu - \sqrt{t}}{\sigma}\right), \qquad
    P_{imag} = \frac{1}{1 + e^{-(c_0 + c \cdot x)}}

with :math:`\epsilon` the Wasserstein-1 distance of the model's phonon spectrum to the true one
over the mean true frequency. :math:`\sigma` comes from crystals that were left out of the fit.
The factor that mends the frequencies is :mod:`~platonic_ase.phonons.correction`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.chemistry import why_no_octet
from platonic_ase.phonons.correction import CorrectionEstimate, FrequencyFactor
from platonic_ase.phonons.estimate import (
    PhononRiskEstimate,
    probability_above,
)
from platonic_ase.phonons.features import LATENT, DisplacementFeatures, require_known
from platonic_ase.phonons.linear import PART, LinearPart, part_arrays
from platonic_ase.phonons.pack import PhononPack
from platonic_ase.phonons.universal import UniversalRisk
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.schema import (
    PackSchema,
    boolean,
    identity,
    list_of,
    mapping,
    mapping_of,
    number,
    optional,
    text,
    whole,
)

KIND = "phonon_risk"
_PROBABILITY = number(0, 1, above=True)
SCHEMA = PackSchema(
    arrays=part_arrays("error", "imaginary", "factor"),
    header={
        "name": text,
        "sigma": number(0, above=True),
        "identity": optional(identity),
        "anchors": text,
        "alarm_error": _PROBABILITY,
        "alarm_imaginary": _PROBABILITY,
        "worst_third": optional(number(0)),
        "half_width": optional(number(0, above=True)),
        "octet": boolean,
        "element_counts": list_of(whole(1, 118)),
        "provenance": mapping,
        "parts": mapping_of(PART),
    },
)


@dataclass(frozen=True)
class PhononRisk(PhononPack):
    """A calibration: predicts phonon errors of one model on crystals like those of its fit.

    Attributes
    ----------
    name : str
        Shown wherever a risk is; says which model and which labels.
    error : LinearPart
        Of the square root of the relative error.
    sigma : float
        Standard deviation of that root on crystals left out.
    imaginary : LinearPart or None
        Log-odds of an imaginary mode; None where no training crystal had one.
    factor : FrequencyFactor or None
        What the frequencies have to be multiplied by.
    worst_third : float or None
        Relative error above which a third of the crystals of the calibration lie.
    identity : ModelIdentity or None
        The model; None where it was not recorded.
    anchors_digest : str
        The anchors in use, where a feature depends on them; else empty.
    alarm_error, alarm_imaginary : float
        Probabilities above which a warning is raised.
    octet : bool
        Whether the crystals of the calibration are all octet binaries such as NaCl or GaN: the risk
        of any other is an extrapolation, and no correction is offered.
    beyond : UniversalRisk or None
        What is said of crystals that are unlike those of the calibration, or displaced by other
        lengths; not part of the file.
    element_counts : tuple of int
        How many elements the crystals of the calibration have; empty where that was not recorded.
    provenance : mapping
        Labels, their number and licence, scores on what was left out; JSON-safe.
    """

    kind: ClassVar[str] = KIND
    schema: ClassVar[PackSchema] = SCHEMA
    name: str
    error: LinearPart
    sigma: float
    imaginary: LinearPart | None = None
    factor: FrequencyFactor | None = None
    worst_third: float | None = None
    identity: ModelIdentity | None = None
    anchors_digest: str = ""
    alarm_error: float = 0.5
    alarm_imaginary: float = 0.5
    octet: bool = False
    element_counts: tuple[int, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    beyond: UniversalRisk | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise SpaceFileError(f"sigma = {self.sigma}; a positive number is needed")
        for name in ("alarm_error", "alarm_imaginary"):
            if not 0 < getattr(self, name) <= 1:
                raise SpaceFileError(f"{name} = {getattr(self, name)}; a probability is needed")
        require_known(name for part in self._parts().values() for name in part.features)
        if self.is_latent and not self.anchors_digest:
            raise SpaceFileError(
                f"the pack {self.name!r} uses Platonic features but does not say of which anchors"
            )

    @property
    def is_latent(self) -> bool:
        """Whether a feature depends on the anchors."""
        return any(LATENT & set(part.features) for part in self._parts().values())

    def _parts(self) -> dict[str, LinearPart]:
        parts = {
            "error": self.error,
            "imaginary": self.imaginary,
            "factor": None if self.factor is None else self.factor.part,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def predict(
        self, features: DisplacementFeatures, numbers: np.ndarray, unlike: tuple[str, ...] = ()
    ) -> PhononRiskEstimate:
        """See :class:`PhononPack`; what :attr:`beyond` says of a crystal that is unlike."""
        outside = self._outside(features.to_dict(), numbers, unlike)
        if outside:
            if self.beyond is None:
                return PhononRiskEstimate(outside=outside)
            return self.beyond.predict(features, numbers, unlike)
        return self.inside(features)

    def inside(self, features: DisplacementFeatures) -> PhononRiskEstimate:
        """Risks of a crystal that is like those of the calibration.

        Parameters
        ----------
        features : DisplacementFeatures
        """
        values = features.to_dict()
        mean = self.error(values)
        if not math.isfinite(mean):
            return PhononRiskEstimate()
        odds = math.nan if self.imaginary is None else self.imaginary(values)
        return PhononRiskEstimate.of_root(
            mean,
            self.sigma,
            self.name,
            probability_worst_third=(
                None
                if self.worst_third is None
                else probability_above(mean, self.sigma, self.worst_third)
            ),
            probability_imaginary=_probability(odds),
        )

    def correct(
        self, features: DisplacementFeatures, numbers: np.ndarray, unlike: tuple[str, ...] = ()
    ) -> CorrectionEstimate:
        """See :class:`PhononPack`; what :attr:`beyond` says of a crystal that is unlike."""
        chemistry = why_no_octet(numbers) if self.octet else ""
        if chemistry and self.beyond is not None:
            return self.beyond.correct(features, numbers, unlike)
        if self.factor is None:
            return CorrectionEstimate(reason=f"the pack {self.name!r} holds no correction")
        if chemistry:
            return CorrectionEstimate(reason=f"{chemistry}, unlike all crystals of the calibration")
        values = features.to_dict()
        return self.factor.estimate(values, self.name, self._outside(values, numbers, unlike))

    def probability_spurious(
        self,
        features: DisplacementFeatures,
        numbers: np.ndarray,
        lowest: float,
        unlike: tuple[str, ...] = (),
    ) -> float | None:
        """See :class:`PhononPack`; what :attr:`beyond` says."""
        if self.beyond is None:
            return None
        return self.beyond.probability_spurious(features, numbers, lowest, unlike)

    def _outside(
        self, values: Mapping[str, float], numbers: np.ndarray, unlike: tuple[str, ...]
    ) -> tuple[str, ...]:
        outside = unlike + self.error.outside(values)
        if self.octet and why_no_octet(numbers):
            outside += ("chemistry",)
        if self.element_counts and round(values["n_elements"]) not in self.element_counts:
            outside += ("n_elements",)
        return outside

    def stored(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See :class:`PhononPack`."""
        arrays: dict[str, np.ndarray] = {}
        header: dict[str, Any] = {
            "name": self.name,
            "sigma": self.sigma,
            "identity": None if self.identity is None else self.identity.to_dict(),
            "anchors": self.anchors_digest,
            "alarm_error": self.alarm_error,
            "alarm_imaginary": self.alarm_imaginary,
            "worst_third": self.worst_third,
            "half_width": None if self.factor is None else self.factor.half_width,
            "octet": self.octet,
            "element_counts": list(self.element_counts),
            "provenance": dict(self.provenance),
            "parts": {},
        }
        for name, part in self._parts().items():
            header["parts"][name], stored = part.stored(name)
            arrays |= stored
        return header, arrays

    @classmethod
    def from_stored(cls, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> PhononRisk:
        """See :class:`PhononPack`."""
        parts = {
            name: LinearPart.read(name, described, arrays)
            for name, described in header["parts"].items()
        }
        identity, half_width = header["identity"], header["half_width"]
        return cls(
            name=header["name"],
            error=parts["error"],
            sigma=header["sigma"],
            imaginary=parts.get("imaginary"),
            factor=None if half_width is None else FrequencyFactor(parts["factor"], half_width),
            worst_third=header["worst_third"],
            identity=None if identity is None else ModelIdentity.from_dict(identity),
            anchors_digest=header["anchors"],
            alarm_error=header["alarm_error"],
            alarm_imaginary=header["alarm_imaginary"],
            octet=header["octet"],
            element_counts=tuple(header["element_counts"]),
            provenance=header["provenance"],
        )


def _probability(odds: float) -> float | None:
    return 1 / (1 + math.exp(-odds)) if math.isfinite(odds) else None
