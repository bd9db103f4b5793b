r"""Phonon risk for any model and any crystal: stiffness against what the truth would have.

The curvature k of a displaced atom against the law of a lattice of charges is an excess
:math:`s = \ln k - \ln(v / d^3)`, whichever model gave it. What it would be in truth, :math:`h`
with standard deviation :math:`\sigma_h`, is the
:class:`~platonic_ase.phonons.stiffness.StiffnessLaw`. The logarithm :math:`\delta` of the model's
frequencies over the true ones then follows from two sources, weighted with their precision: this
crystal, and what is known of the model on others (its level :math:`\mu, \tau`):

.. math::

    \delta \sim N(m, v), \quad \frac1v = \frac{4}{(c\,\sigma_h)^2} + \frac{1}{\tau^2}, \quad
    m = v \left(\frac{4}{(c\,\sigma_h)^2}\,\frac{s - h}{2} + \frac{\mu}{\tau^2}\right),
    \qquad \epsilon = \sqrt{(1 - e^\delta)^2 + q^2}

with :math:`\epsilon` the relative error and q what no factor mends, drawn from the crystals of the
calibration. c is fixed so that crystals left out with their model, prototype and anion scatter as
stated. Where the law knows nothing of a crystal, :math:`\sigma_h` is large, and what is said is
what is known of the model: the base rate.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.chemistry import why_no_octet
from platonic_ase.phonons.correction import CorrectionEstimate
from platonic_ase.phonons.estimate import PhononRiskEstimate, require_same_model
from platonic_ase.phonons.features import DisplacementFeatures, require_known
from platonic_ase.phonons.linear import PART, LinearPart, part_arrays
from platonic_ase.phonons.possible import possible_errors, shortest_interval
from platonic_ase.phonons.stiffness import LAW, LAW_ARRAYS, StiffnessLaw
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.schema import (
    ArraySchema,
    PackSchema,
    entries,
    identity,
    mapping,
    mapping_of,
    number,
    optional,
    text,
    whole,
)

KIND = "universal_phonon_risk"
THRESHOLDS = (0.15, 0.25)
_POSITIVE, _PROBABILITY = number(0, 1e6, above=True), number(0, 1, above=True)
_LEVEL = entries(number(-5, 5), number(0, 10, above=True), whole(0, 10_000_000))
SCHEMA = PackSchema(
    arrays={
        "mismatches": ArraySchema(("n",), low=0, high=1e3),
        **LAW_ARRAYS,
        **part_arrays("imaginary"),
    },
    header={
        "name": text,
        "law": LAW,
        "spread": entries(_POSITIVE, _POSITIVE),
        "imaginary": optional(PART),
        "base_imaginary": number(0, 1),
        "levels": mapping_of(_LEVEL),
        "level": _LEVEL,
        "alarm_error": _PROBABILITY,
        "alarm_imaginary": _PROBABILITY,
        "identity": optional(identity),
        "provenance": mapping,
    },
)
_CONTRADICTION = 3.0


@dataclass(frozen=True)
class Level:
    r"""What is known of a model from crystals with true spectra.

    Attributes
    ----------
    offset, spread : float
        Mean μ and standard deviation τ of ln of its frequencies over the true ones.
    crystals : int
        How many; 0 where nothing is known of the model, and the level is that of potentials.
    """

    offset: float
    spread: float
    crystals: int = 0

    @classmethod
    def measured(cls, log_ratios: np.ndarray) -> Level:
        """From ln of a model's frequencies over the true ones, shape (n,), n at least 5."""
        n = len(log_ratios)
        if n < 5:
            raise ValueError(f"{n} crystals; at least 5 are needed for the level of a model")
        spread = math.sqrt(float(np.var(log_ratios, ddof=1)) * (1 + 1 / n))
        return cls(float(np.mean(log_ratios)), max(spread, 0.01), n)


UNKNOWN = Level(-0.05, 0.25)
"""A model of which nothing is known: somewhat soft, anything from 0.6 to 1.4 of the truth. A
choice, not a fit: five architectures are too few to learn it from."""


@dataclass(frozen=True)
class UniversalRisk:
    r"""A phonon risk that needs no calibration of the model, and is sharpened by a quick one.

    Attributes
    ----------
    name : str
        Shown wherever a risk is.
    law : StiffnessLaw
    spread_octet, spread_other : float
        c, for octet binaries and for all other crystals.
    mismatches : ndarray, shape (n,)
        q of the crystals of the calibration, sorted.
    imaginary : LinearPart or None
        Log-odds of a spurious imaginary mode.
    base_imaginary : float
        Share of crystals with one.
    levels : mapping of str to Level
        Of models of the calibration, by their fingerprint.
    level : Level
        Of the model in use.
    alarm_error, alarm_imaginary : float
        Probabilities above which a warning is raised.
    identity : ModelIdentity or None
        The model, of a pack that a quick calibration sharpened.
    provenance : mapping
        Labels, their number and licence, scores on what was left out; JSON-safe.
    """

    name: str
    law: StiffnessLaw
    spread_octet: float
    spread_other: float
    mismatches: np.ndarray
    imaginary: LinearPart | None = None
    base_imaginary: float = 0.0
    levels: Mapping[str, Level] = field(default_factory=dict)
    level: Level = UNKNOWN
    alarm_error: float = 0.5
    alarm_imaginary: float = 0.5
    identity: ModelIdentity | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.mismatches) < 1:
            raise SpaceFileError("a universal phonon pack needs at least one mismatch")
        for name in ("spread_octet", "spread_other"):
            if not getattr(self, name) > 0:
                raise SpaceFileError(f"{name} = {getattr(self, name)}; a positive number is needed")
        require_known(self.law.features)
        require_known(() if self.imaginary is None else self.imaginary.features)

    def softening(
        self, values: Mapping[str, float], numbers: np.ndarray, unlike: tuple[str, ...] = ()
    ) -> tuple[float, float]:
        r"""Mean and standard deviation of :math:`\delta`; NaN where a feature is missing.

        Parameters
        ----------
        values : mapping of str to float
            Features by name.
        numbers : ndarray of int, shape (n_atoms,)
        unlike : tuple of str
            Why the law says nothing of the crystal at all; empty where it may.
        """
        prior = 1 / self.level.spread**2
        if unlike:
            return self.level.offset, self.level.spread
        true, deviation = self.law(values)
        precision = 4 / (self._spread(numbers) * deviation) ** 2
        variance = 1 / (precision + prior)
        own = (values["stiffness_excess"] - true) / 2
        # sources that contradict each other are less sure than they say (Birge's ratio)
        gap = abs(own - self.level.offset) / math.sqrt(1 / precision + 1 / prior)
        wide = math.sqrt(variance) * max(1.0, gap / _CONTRADICTION)
        return variance * (precision * own + prior * self.level.offset), wide

    def predict(
        self, features: DisplacementFeatures, numbers: np.ndarray, unlike: tuple[str, ...] = ()
    ) -> PhononRiskEstimate:
        """Risks of one crystal.

        Parameters
        ----------
        features : DisplacementFeatures
        numbers : ndarray of int, shape (n_atoms,)
            Atomic numbers of the crystal.
        unlike : tuple of str
            Why the crystal is unlike all of the calibration, such as ``"layers"``.

        Returns
        -------
        PhononRiskEstimate
            Uncalibrated where a feature that is needed is missing (NaN).
        """
        values = features.to_dict()
        mean, deviation = self.softening(values, numbers, unlike)
        if not math.isfinite(mean):
            return PhononRiskEstimate()
        errors = possible_errors(mean, deviation, self.mismatches)
        return PhononRiskEstimate(
            relative_error=float(np.median(errors)),
            interval=shortest_interval(errors),
            probability_above_15_percent=float((errors > THRESHOLDS[0]).mean()),
            probability_above_25_percent=float((errors > THRESHOLDS[1]).mean()),
            probability_imaginary=self._imaginary(values, unlike),
            calibration=self.name,
            outside=unlike + self.law.outside(values),
        )

    def _imaginary(self, values: Mapping[str, float], unlike: tuple[str, ...]) -> float | None:
        if self.imaginary is None or not math.isfinite(odds := self.imaginary(values)):
            return None
        known = 0.0 if unlike else (self.law.noise / self.law(values)[1]) ** 2
        return known / (1 + math.exp(-odds)) + (1 - known) * self.base_imaginary

    def _spread(self, numbers: np.ndarray) -> float:
        return self.spread_other if why_no_octet(numbers) else self.spread_octet

    def correct(
        self, features: DisplacementFeatures, numbers: np.ndarray, unlike: tuple[str, ...] = ()
    ) -> CorrectionEstimate:
        """None: a factor is offered by the packs of single models only."""
        why = f"; the crystal is unlike all of it: {', '.join(unlike)}" if unlike else ""
        return CorrectionEstimate(reason=f"the pack {self.name!r} holds no correction{why}")

    def require(self, anchors: AnchorSet) -> None:
        """Refuse a model that a sharpened pack was not made for.

        Raises
        ------
        ModelMismatchError
        """
        require_same_model(self.name, self.identity, anchors)

    def for_model(self, identity: ModelIdentity) -> UniversalRisk:
        """With the level of a model, where the calibration knows it."""
        level = self.levels.get(identity.fingerprint)
        if level is None or self.level.crystals:
            return self
        return replace(
            self, name=f"{self.name}; level of {identity.model} known", level=level, levels={}
        )

    def sharpened(self, identity: ModelIdentity, log_ratios: np.ndarray) -> UniversalRisk:
        """With a level measured on crystals with true spectra, and bound to the model.

        Parameters
        ----------
        identity : ModelIdentity
        log_ratios : ndarray, shape (n,)
            ln of the model's frequencies over the true ones.
        """
        return replace(
            self,
            name=f"{self.name}; level of {identity.model} from {len(log_ratios)} crystals",
            level=Level.measured(log_ratios),
            levels={},
            identity=identity,
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a safetensors file with a JSON header."""
        law, arrays = self.law.stored()
        arrays["mismatches"] = np.asarray(self.mismatches, dtype=np.float64)
        header: dict[str, Any] = {
            "name": self.name,
            "law": law,
            "spread": [self.spread_octet, self.spread_other],
            "imaginary": None,
            "base_imaginary": self.base_imaginary,
            "levels": {key: _listed(level) for key, level in self.levels.items()},
            "level": _listed(self.level),
            "alarm_error": self.alarm_error,
            "alarm_imaginary": self.alarm_imaginary,
            "identity": None if self.identity is None else self.identity.to_dict(),
            "provenance": dict(self.provenance),
        }
        if self.imaginary is not None:
            header["imaginary"], stored = self.imaginary.stored("imaginary")
            arrays |= stored
        return write_arrays(path, KIND, arrays, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> UniversalRisk:
        """Read a file of :meth:`save`.

        Raises
        ------
        SpaceFileError
            If the file is missing, truncated, malformed or holds values that are not finite.
        """
        arrays, header = read_arrays(path, KIND, SCHEMA)
        try:
            modes, identity = header["imaginary"], header["identity"]
            return cls(
                name=header["name"],
                law=StiffnessLaw.read(header["law"], arrays),
                spread_octet=float(header["spread"][0]),
                spread_other=float(header["spread"][1]),
                mismatches=arrays["mismatches"],
                imaginary=(None if modes is None else LinearPart.read("imaginary", modes, arrays)),
                base_imaginary=float(header["base_imaginary"]),
                levels={key: Level(*level) for key, level in header["levels"].items()},
                level=Level(*header["level"]),
                alarm_error=float(header["alarm_error"]),
                alarm_imaginary=float(header["alarm_imaginary"]),
                identity=None if identity is None else ModelIdentity.from_dict(identity),
                provenance=header["provenance"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SpaceFileError(f"{path} is incomplete ({error}); make it anew") from error


def _listed(level: Level) -> list[float]:
    return [level.offset, level.spread, level.crystals]
