r"""Phonon risk: from displacement features to the probability that phonons are wrong.

The square root of the relative error is linear in standardised features x (ridge regression) with
normal residuals, the odds of a spurious imaginary mode are log-linear in them:

.. math::

    \sqrt{\epsilon} = \mu + \sigma \xi, \quad \mu = b_0 + b \cdot x, \qquad
    P(\epsilon > t) = \Phi\!\left(\frac{\mu - \sqrt{t}}{\sigma}\right), \qquad
    P_{imag} = \frac{1}{1 + e^{-(c_0 + c \cdot x)}}

with :math:`\epsilon` the Wasserstein-1 distance of the model's phonon spectrum to the true one
over the mean true frequency. :math:`\sigma` comes from crystals that were left out of the fit.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.diagnostics.displacement import FEATURES, LATENT, DisplacementFeatures
from platonic_ase.diagnostics.phonons import PhononRiskEstimate
from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.identity import ModelIdentity

KIND = "phonon_risk"
ERROR_THRESHOLD = 0.25
_Z90 = 1.6448536269514722  # half width of the central 90 % of a normal distribution
_CLIP = 4.0  # standard deviations: a linear model must not extrapolate far


@dataclass(frozen=True)
class LinearPart:
    """A linear function of standardised features.

    Attributes
    ----------
    features : tuple of str
        Names, of :data:`~platonic_ase.diagnostics.displacement.FEATURES`.
    mean, scale : ndarray, shape (n_features,)
        Standardisation; standardised values are clipped at four.
    coefficients : ndarray, shape (n_features,)
    intercept : float
    """

    features: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    intercept: float

    def __post_init__(self) -> None:
        unknown = sorted(set(self.features) - set(FEATURES))
        if unknown:
            raise SpaceFileError(
                f"unknown features {', '.join(unknown)}; this version of platonic_ase computes "
                f"{', '.join(FEATURES)}"
            )
        n = len(self.features)
        for name in ("mean", "scale", "coefficients"):
            shape = getattr(self, name).shape
            if shape != (n,):
                raise SpaceFileError(f"{name} has shape {shape}; ({n},) is needed")
        if not (self.scale > 0).all():
            raise SpaceFileError(f"scales have to be positive; got {self.scale.tolist()}")

    def __call__(self, features: Mapping[str, float]) -> float:
        """Value for one crystal; NaN where a feature is missing."""
        x = np.array([features[name] for name in self.features])
        return float(self.coefficients @ self.standardise(x) + self.intercept)

    def outside(self, features: Mapping[str, float]) -> tuple[str, ...]:
        """Features more than three standard deviations from the mean of the calibration."""
        return tuple(
            name
            for name, mean, scale in zip(self.features, self.mean, self.scale, strict=True)
            if abs(features[name] - mean) > 3 * scale
        )

    def standardise(self, x: np.ndarray) -> np.ndarray:
        """Standardised and clipped features, same shape."""
        return np.asarray(np.clip((x - self.mean) / self.scale, -_CLIP, _CLIP))


@dataclass(frozen=True)
class PhononRisk:
    """A calibration: predicts phonon errors of one model, or of any (``identity`` None).

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
    identity : ModelIdentity or None
        The model; None for a universal pack.
    anchors_digest : str
        The anchors in use, where a feature depends on them; else empty.
    alarm_error, alarm_imaginary : float
        Probabilities above which a warning is raised.
    element_counts : tuple of int
        How many elements the crystals of the calibration have; empty where that was not recorded.
    provenance : mapping
        Labels, their number and licence, scores on what was left out; JSON-safe.
    """

    name: str
    error: LinearPart
    sigma: float
    imaginary: LinearPart | None = None
    identity: ModelIdentity | None = None
    anchors_digest: str = ""
    alarm_error: float = 0.5
    alarm_imaginary: float = 0.5
    element_counts: tuple[int, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise SpaceFileError(f"sigma = {self.sigma}; a positive number is needed")
        for name in ("alarm_error", "alarm_imaginary"):
            if not 0 < getattr(self, name) <= 1:
                raise SpaceFileError(f"{name} = {getattr(self, name)}; a probability is needed")
        if self.is_latent and not self.anchors_digest:
            raise SpaceFileError(
                f"the pack {self.name!r} uses Platonic features but does not say of which anchors"
            )

    @property
    def is_latent(self) -> bool:
        """Whether a feature depends on the anchors."""
        parts = [self.error] if self.imaginary is None else [self.error, self.imaginary]
        return any(LATENT & set(part.features) for part in parts)

    def predict(self, features: DisplacementFeatures) -> PhononRiskEstimate:
        """Risks of one crystal.

        Parameters
        ----------
        features : DisplacementFeatures

        Returns
        -------
        PhononRiskEstimate
            Uncalibrated where a feature that is needed is missing (NaN).
        """
        values = features.to_dict()
        mean = self.error(values)
        if not math.isfinite(mean):
            return PhononRiskEstimate()
        odds = math.nan if self.imaginary is None else self.imaginary(values)
        return PhononRiskEstimate(
            relative_error=max(mean, 0.0) ** 2,
            interval=(
                max(mean - _Z90 * self.sigma, 0.0) ** 2,
                max(mean + _Z90 * self.sigma, 0.0) ** 2,
            ),
            probability_above_25_percent=probability_above(mean, self.sigma, ERROR_THRESHOLD),
            probability_imaginary=1 / (1 + math.exp(-odds)) if math.isfinite(odds) else None,
            calibration=self.name,
            outside=self._outside(values),
        )

    def _outside(self, values: Mapping[str, float]) -> tuple[str, ...]:
        outside = self.error.outside(values)
        if self.element_counts and round(values["n_elements"]) not in self.element_counts:
            outside += ("n_elements",)
        return outside

    def require(self, anchors: AnchorSet) -> None:
        """Refuse a model, or anchors, that the pack was not made with.

        Raises
        ------
        ModelMismatchError
        """
        differences = [] if self.identity is None else self.identity.differences(anchors.identity)
        if self.anchors_digest and self.anchors_digest != anchors.digest:
            differences.append(f"anchors {self.anchors_digest} against {anchors.digest}")
        if differences:
            raise ModelMismatchError(
                f"the phonon pack {self.name!r} belongs to another model: "
                + "; ".join(differences)
                + " (pack against model in use). Use the pack of this model."
            )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a safetensors file with a JSON header."""
        arrays: dict[str, np.ndarray] = {}
        header: dict[str, Any] = {
            "name": self.name,
            "sigma": self.sigma,
            "identity": None if self.identity is None else self.identity.to_dict(),
            "anchors": self.anchors_digest,
            "alarm_error": self.alarm_error,
            "alarm_imaginary": self.alarm_imaginary,
            "element_counts": list(self.element_counts),
            "provenance": dict(self.provenance),
            "parts": {},
        }
        for name, part in (("error", self.error), ("imaginary", self.imaginary)):
            if part is None:
                continue
            header["parts"][name] = {
                "features": list(part.features),
                "intercept": part.intercept,
            }
            for array in ("mean", "scale", "coefficients"):
                arrays[f"{name}.{array}"] = np.asarray(getattr(part, array), dtype=np.float64)
        return write_arrays(path, KIND, arrays, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PhononRisk:
        """Read a file of :meth:`save`.

        Raises
        ------
        SpaceFileError
            If the file is missing, truncated, malformed or holds values that are not finite.
        """
        arrays, header = read_arrays(path, KIND)
        try:
            parts = {
                name: LinearPart(
                    features=tuple(described["features"]),
                    mean=arrays[f"{name}.mean"],
                    scale=arrays[f"{name}.scale"],
                    coefficients=arrays[f"{name}.coefficients"],
                    intercept=float(described["intercept"]),
                )
                for name, described in header["parts"].items()
            }
            identity = header["identity"]
            return cls(
                name=header["name"],
                error=parts["error"],
                sigma=header["sigma"],
                imaginary=parts.get("imaginary"),
                identity=None if identity is None else ModelIdentity.from_dict(identity),
                anchors_digest=header["anchors"],
                alarm_error=header["alarm_error"],
                alarm_imaginary=header["alarm_imaginary"],
                element_counts=tuple(header["element_counts"]),
                provenance=header["provenance"],
            )
        except (KeyError, TypeError) as error:
            raise SpaceFileError(f"{path} is incomplete ({error}); make it anew") from error

    def for_model(self, identity: ModelIdentity, anchors_digest: str = "") -> PhononRisk:
        """The same pack, bound to a model."""
        return replace(self, identity=identity, anchors_digest=anchors_digest)


def probability_above(mean: float, sigma: float, threshold: float) -> float:
    r"""P(error > t) where the root of the error is normal, :math:`\Phi((\mu-\sqrt t)/\sigma)`."""
    return 0.5 * math.erfc(-(mean - math.sqrt(threshold)) / (sigma * math.sqrt(2)))


def fit_phonon_risk(
    name: str,
    crystals: Sequence[DisplacementFeatures],
    relative_errors: Sequence[float],
    groups: Sequence[str],
    *,
    imaginary: Sequence[bool] | None = None,
    error_features: Sequence[str],
    imaginary_features: Sequence[str] = ("force_odds",),
    penalty: float = 3.0,
    identity: ModelIdentity | None = None,
    anchors_digest: str = "",
    provenance: Mapping[str, Any] | None = None,
) -> PhononRisk:
    """Calibrate the risk on crystals whose phonon errors are known.

    Parameters
    ----------
    name : str
        Of the pack.
    crystals : sequence of DisplacementFeatures, length n
    relative_errors : sequence of float, length n
        Wasserstein-1 distance over mean true frequency.
    groups : sequence of str, length n
        Crystals of one group (one anion, say) are left out together for ``sigma``.
    imaginary : sequence of bool, length n, optional
        Whether the model's spectrum has a spurious imaginary mode.
    error_features, imaginary_features : sequence of str
        Which features each part uses.
    penalty : float
        Ridge penalty, in units of crystals.
    identity, anchors_digest, provenance
        See :class:`PhononRisk`.

    Raises
    ------
    ValueError
        With fewer than three groups, or lengths that differ.
    """
    n = len(crystals)
    if not n == len(relative_errors) == len(groups) == (n if imaginary is None else len(imaginary)):
        raise ValueError(
            f"{n} crystals with {len(relative_errors)} errors and {len(groups)} groups: as many "
            "of each are needed"
        )
    labels = np.array(groups)
    if len(set(groups)) < 3:
        raise ValueError(f"{len(set(groups))} groups; at least 3 are needed to leave one out")
    values = [crystal.to_dict() for crystal in crystals]
    x = np.array([[each[f] for f in error_features] for each in values])
    y = np.sqrt(np.asarray(relative_errors, dtype=float))
    left_out = np.empty(n)
    for group in np.unique(labels):
        test = labels == group
        part = _ridge(tuple(error_features), x[~test], y[~test], penalty)
        left_out[test] = part.standardise(x[test]) @ part.coefficients + part.intercept
    modes = None
    if imaginary is not None and 0 < sum(imaginary) < n:
        modes = _logistic(
            tuple(imaginary_features),
            np.array([[each[f] for f in imaginary_features] for each in values]),
            np.array(imaginary, dtype=bool),
        )
    return PhononRisk(
        name=name,
        error=_ridge(tuple(error_features), x, y, penalty),
        sigma=max(float(np.sqrt(((y - left_out) ** 2).mean())), 1e-3),
        imaginary=modes,
        identity=identity,
        anchors_digest=anchors_digest,
        element_counts=tuple(sorted({round(each["n_elements"]) for each in values})),
        provenance={"crystals": n, "groups": len(set(groups)), **(provenance or {})},
    )


def _standardisation(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.mean(axis=0), x.std(axis=0) + 1e-9


def _ridge(names: tuple[str, ...], x: np.ndarray, y: np.ndarray, penalty: float) -> LinearPart:
    mean, scale = _standardisation(x)
    z = np.clip((x - mean) / scale, -_CLIP, _CLIP)
    centre = z.mean(axis=0)
    a = z - centre
    b = np.linalg.solve(a.T @ a + penalty * np.eye(len(names)), a.T @ (y - y.mean()))
    return LinearPart(names, mean, scale, b, float(y.mean() - centre @ b))


def _logistic(names: tuple[str, ...], x: np.ndarray, y: np.ndarray) -> LinearPart:
    from sklearn.linear_model import LogisticRegression

    mean, scale = _standardisation(x)
    z = np.clip((x - mean) / scale, -_CLIP, _CLIP)
    model = LogisticRegression(C=1.0).fit(z, y)
    return LinearPart(names, mean, scale, model.coef_[0], float(model.intercept_[0]))
