r"""Phonon risk for any model and any crystal.

Errors of a model on crystals that have known spectra foretell those on others: its own cases, and
to a lesser degree those of other models, are the points of a
:class:`~platonic_ase.phonons.process.ErrorProcess`, near which it is sharp.

Physics speaks of any model. What ln of the stiffness of a crystal would be in truth, :math:`h` with
standard deviation :math:`\sigma_h`, says a :class:`~platonic_ase.phonons.stiffness.StiffnessLaw`,
and what it is with the model, :math:`s`, say the displaced supercells. The logarithm of the model's
frequencies over the true ones, :math:`\delta`, follows from two sources, weighted with their
precision: this crystal, and what potentials are known for (:math:`\mu, \tau`):

.. math::

    \delta \sim N(m, v), \quad \frac1v = \frac{4}{(c\,\sigma_h)^2} + \frac{1}{\tau^2}, \quad
    m = v \left(\frac{4}{(c\,\sigma_h)^2}\,\frac{s - h}{2} + \frac{\mu}{\tau^2}\right),
    \qquad \epsilon = \sqrt{(1 - e^\delta)^2 + q^2}

with :math:`\epsilon` the relative error and q what no factor mends, drawn from the crystals of the
calibration. c, one for each law, is fixed so that crystals left out with their model, prototype and
anion scatter as stated. For a model without any case this is all, :math:`\mu, \tau` and q by its
force errors where they are known (:mod:`~platonic_ase.phonons.levels`); for one with cases, both
opinions are pooled (:mod:`~platonic_ase.phonons.opinions`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.cases import case_quantities, case_vector
from platonic_ase.phonons.chemistry import is_octet
from platonic_ase.phonons.correction import CorrectionEstimate
from platonic_ase.phonons.estimate import (
    ERROR_THRESHOLD,
    LOW_THRESHOLD,
    Z90,
    PhononRiskEstimate,
    kinds,
)
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.phonons.laws import LAWS, LAWS_ARRAYS, StiffnessLaws
from platonic_ase.phonons.levels import LEVELS, LEVELS_ARRAYS, LevelPrior
from platonic_ase.phonons.odds import IMAGINARY_ARRAYS, IMAGINARY_MODES, ImaginaryModes
from platonic_ase.phonons.opinions import USUAL, pooled, root_error
from platonic_ase.phonons.pack import PhononPack
from platonic_ase.phonons.possible import possible_errors, shortest_interval
from platonic_ase.phonons.process import PROCESS, PROCESS_ARRAYS, ErrorProcess
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.schema import (
    ArraySchema,
    PackSchema,
    entries,
    identity,
    mapping,
    number,
    optional,
    text,
)
from platonic_ase.space.stored import Stored

KIND = "universal_phonon_risk"
_POSITIVE, _PROBABILITY = number(0, 1e6, above=True), number(0, 1, above=True)
SCHEMA = PackSchema(
    arrays={
        "mismatches": ArraySchema(("n",), low=0, high=1e3),
        **LAWS_ARRAYS,
        **PROCESS_ARRAYS,
        **IMAGINARY_ARRAYS,
        **LEVELS_ARRAYS,
    },
    header={
        "name": text,
        "laws": LAWS,
        "pool_spreads": entries(_POSITIVE, _POSITIVE),
        "imaginary": optional(IMAGINARY_MODES),
        "levels": optional(LEVELS),
        "process": PROCESS,
        "model": text,
        "alarm_error": _PROBABILITY,
        "alarm_imaginary": _PROBABILITY,
        "identity": optional(identity),
        "provenance": mapping,
    },
)
_PARTS: dict[str, Any] = {"imaginary": ImaginaryModes, "levels": LevelPrior}
FEWEST = 5
"""Crystals of a model below which nothing is learnt from them."""
SURE = 1.0
"""Standard deviations from zero of ln of a factor, from which the factor is offered."""
ENOUGH = 100
"""Cases of a model below which no factor is offered: fifteen binaries do not tell enough of it."""


@dataclass(frozen=True)
class UniversalRisk(PhononPack, Stored):
    r"""A phonon risk that needs no calibration of the model, and is sharpened by a quick one.

    Attributes
    ----------
    name : str
        Shown wherever a risk is.
    laws : StiffnessLaws
    pool_spreads : tuple of 2 float
        By how much left-out octet binaries, and others, scatter more than law and process say
        together.
    mismatches : ndarray, shape (n,)
        q of the crystals of the calibration, sorted.
    process : ErrorProcess
    imaginary : ImaginaryModes or None
    levels : LevelPrior or None
    level : float or None
        Force level of a model in use without cases; not part of the file.
    model : str
        Fingerprint of the model in use; empty for any.
    alarm_error, alarm_imaginary : float
        Probabilities above which a warning is raised.
    identity : ModelIdentity or None
        The model, of a pack that a quick calibration sharpened.
    provenance : mapping
        Labels, their number and licence, scores on what was left out; JSON-safe.
    """

    kind: ClassVar[str] = KIND
    schema: ClassVar[PackSchema] = SCHEMA
    name: str
    laws: StiffnessLaws
    pool_spreads: tuple[float, float]
    mismatches: np.ndarray
    process: ErrorProcess
    imaginary: ImaginaryModes | None = None
    levels: LevelPrior | None = None
    level: float | None = None
    model: str = ""
    alarm_error: float = 0.5
    alarm_imaginary: float = 0.5
    identity: ModelIdentity | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.mismatches) < 1:
            raise SpaceFileError("a universal phonon pack needs at least one mismatch")
        if not min(self.pool_spreads) > 0:
            raise SpaceFileError(f"pool_spreads = {self.pool_spreads}; positive numbers are needed")

    @property
    def known(self) -> bool:
        """Whether there are cases of the model in use."""
        return self.process.knows(self.model)

    def predict(
        self, features: DisplacementFeatures, numbers: np.ndarray, unlike: tuple[str, ...] = ()
    ) -> PhononRiskEstimate:
        """See :class:`PhononPack`."""
        known, octet = case_quantities(features.to_dict(), numbers), is_octet(numbers)
        unlike = kinds(unlike)
        softening, probability = self._softening(known, octet, unlike), None
        if self.imaginary is not None:
            probability = self.imaginary.before(known["force_odds"], softening, octet)
        if not (self.known or unlike):
            return self._by_law(known, octet, probability)
        mean, deviation, outside = self._of_process(known, octet, unlike)
        root, sure = float(mean[0]), float(deviation[0])
        if not math.isfinite(root):
            return PhononRiskEstimate()
        if not unlike:
            law = root_error(*self.laws.softening(known, octet), self.mismatches)
            root, sure = pooled((root, sure), law)
            sure *= self.pool_spreads[0 if self._usual(known, octet) else 1]
        return PhononRiskEstimate.of_root(
            root,
            sure,
            self.name,
            probability_imaginary=probability,
            outside=outside,
        )

    def _by_law(
        self, known: Mapping[str, float], octet: bool, imaginary: float | None
    ) -> PhononRiskEstimate:
        usual, mismatches = USUAL, self.mismatches
        if self.levels is not None and self.level is not None:
            usual, mismatches = self.levels.at(self.level)
        mean, deviation = self.laws.softening(known, octet, usual)
        if not math.isfinite(mean):
            return PhononRiskEstimate()
        errors = possible_errors(mean, deviation, mismatches)
        return PhononRiskEstimate(
            relative_error=float(np.median(errors)),
            interval=shortest_interval(errors),
            probability_above_15_percent=float((errors > LOW_THRESHOLD).mean()),
            probability_above_25_percent=float((errors > ERROR_THRESHOLD).mean()),
            probability_imaginary=imaginary,
            calibration=self.name,
            outside=self.laws.of(octet).outside(known),
        )

    def _of_process(
        self, known: Mapping[str, float], octet: bool, unlike: tuple[str, ...]
    ) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """Both values of the process, their deviations, and why the crystal is outside."""
        if unlike:
            return *self.process.base(self.model), unlike
        vector = case_vector(known)
        mean, deviation = self.process(vector[None], self.model, [self._usual(known, octet)])
        return mean[0], deviation[0], self.process.outside(vector)

    def _usual(self, known: Mapping[str, float], octet: bool) -> bool:
        """Whether an octet binary like those of the calibration."""
        return octet and not self.laws.binaries.outside(known)

    def _softening(
        self, known: Mapping[str, float], octet: bool, unlike: tuple[str, ...]
    ) -> float | None:
        """What the law says of the model's frequencies; None of a crystal that it does not know."""
        return None if unlike else self.laws.of(octet).softening(known)[0]

    def probability_spurious(
        self,
        features: DisplacementFeatures,
        numbers: np.ndarray,
        lowest: float,
        unlike: tuple[str, ...] = (),
    ) -> float | None:
        """See :class:`PhononPack`."""
        known, octet = case_quantities(features.to_dict(), numbers), is_octet(numbers)
        softening = self._softening(known, octet, kinds(unlike))
        return None if self.imaginary is None else self.imaginary.after(lowest, softening)

    def correct(
        self, features: DisplacementFeatures, numbers: np.ndarray, unlike: tuple[str, ...] = ()
    ) -> CorrectionEstimate:
        """See :class:`PhononPack`; only for models of known cases, where it is sure enough."""
        if (cases := self.process.count(self.model)) < ENOUGH:
            return CorrectionEstimate(
                reason=f"the pack {self.name!r} has {cases} cases of this model, and {ENOUGH} are "
                "needed"
            )
        known, octet = case_quantities(features.to_dict(), numbers), is_octet(numbers)
        means, deviations, outside = self._of_process(known, octet, kinds(unlike))
        sure, doubt = Z90 * float(deviations[1]), SURE * float(deviations[1])
        return CorrectionEstimate.of_log(-float(means[1]), sure, self.name, outside, doubt=doubt)

    def for_model(self, identity: ModelIdentity, level: float | None = None) -> UniversalRisk:
        """For a model in use, whose cases the calibration may know, or else its force level."""
        if self.identity is None and self.process.knows(identity.fingerprint):
            return self._of(f"{self.name}; {identity.model} among them", identity.fingerprint)
        name = f"{self.name}; by the force errors at its first use"
        return self if level is None or self.known else self._of(name, level=level)

    def _of(self, name: str, model: str = "", level: float | None = None) -> UniversalRisk:
        process = self.process.taking(self.process.near(model)) if model else self.process
        pack = replace(self, name=name, model=model, process=process, level=level)
        object.__setattr__(pack, "_base", self)
        return pack

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """A copy names the file of the pack and the model, where the pack lies in a file."""
        base = self.__dict__.get("_base")
        if base is not None:
            return UniversalRisk._of, (base, self.name, self.model, self.level)
        return super().__reduce_ex__(protocol)

    def sharpened(
        self,
        identity: ModelIdentity,
        vectors: np.ndarray,
        relative_errors: Sequence[float] | np.ndarray,
        log_ratios: Sequence[float] | np.ndarray,
        crystals: Sequence[str],
    ) -> UniversalRisk:
        """With cases of a model, and bound to it.

        Parameters
        ----------
        identity : ModelIdentity
        vectors : ndarray, shape (n, 18), n at least 5
            See :func:`~platonic_ase.phonons.cases.case_vector`.
        relative_errors, log_ratios : sequence of float, length n
            Of the frequencies, and ln of them over the true ones.
        crystals : sequence of str, length n
            Names, such as ``"NaCl rocksalt"``.

        Raises
        ------
        ValueError
            With fewer than five cases.
        """
        if len(vectors) < FEWEST:
            raise ValueError(
                f"{len(vectors)} crystals; at least {FEWEST} are needed to learn of a model"
            )
        values = np.column_stack([np.sqrt(relative_errors), log_ratios])
        process = self.process.joined(identity.fingerprint, vectors, values, crystals)
        return replace(
            self,
            name=f"{self.name}; {identity.model} on {len(vectors)} more",
            process=process.taking(process.near(identity.fingerprint)),
            model=identity.fingerprint,
            identity=identity,
        )

    def stored(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See :class:`PhononPack`."""
        laws, arrays = self.laws.stored()
        process, cases = self.process.stored()
        arrays |= {**cases, "mismatches": np.asarray(self.mismatches, dtype=np.float64)}
        header: dict[str, Any] = {
            "name": self.name,
            "laws": laws,
            "pool_spreads": [*self.pool_spreads],
            **dict.fromkeys(_PARTS),
            "process": process,
            "model": self.model,
            "alarm_error": self.alarm_error,
            "alarm_imaginary": self.alarm_imaginary,
            "identity": None if self.identity is None else self.identity.to_dict(),
            "provenance": dict(self.provenance),
        }
        for name in _PARTS:
            if (part := getattr(self, name)) is not None:
                header[name], own = part.stored()
                arrays |= own
        return header, arrays

    @classmethod
    def from_stored(
        cls, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> UniversalRisk:
        """See :class:`PhononPack`."""
        identity = header["identity"]
        return cls(
            name=header["name"],
            laws=StiffnessLaws.read(header["laws"], arrays),
            pool_spreads=(float(header["pool_spreads"][0]), float(header["pool_spreads"][1])),
            mismatches=arrays["mismatches"],
            process=ErrorProcess.read(header["process"], arrays),
            model=header["model"],
            alarm_error=float(header["alarm_error"]),
            alarm_imaginary=float(header["alarm_imaginary"]),
            identity=None if identity is None else ModelIdentity.from_dict(identity),
            provenance=header["provenance"],
            **{name: _PARTS[name].read(header[name], arrays) for name in _PARTS if header[name]},
        )
