r"""The stiffness that a crystal would have in truth, from its structure, and how sure that is.

A Gaussian process over standardised features of the structure, learnt from crystals with known
spectra: near them its answer is sharp, far from all of them it follows a trend at most, and says by
its variance that it knows nothing.

.. math:: h(x) = \bar h + k_x^T (K + \sigma^2 I)^{-1} (h - \bar h), \qquad
    s^2(x) = \sigma^2 + k(x, x) - k_x^T (K + \sigma^2 I)^{-1} k_x

with :math:`k(x, x') = a^2 \exp(-\|x - x'\|^2 / 2 l^2) + b^2 x \cdot x'` (C. E.
Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning, 2006, eq. 2.25, 2.26).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.space.schema import ArraySchema, list_of, number, record, text

STRUCTURE_FEATURES = (
    "log_coordination", "bond_polarity", "log_valence", "log_bond", "mean_radius", "log_stretch",
)  # fmt: skip
"""What the structure alone decides."""
_AMPLITUDES, _NOISES = (0.3, 0.6, 1.2, 2.4), (0.1, 0.2, 0.3)
_LENGTHS = (0.7, 1.0, 1.5, 2.2, 3.3, 5.0)
_SLOPES = (0.0, 0.1, 0.2, 0.3)
_FAR = 3.0
_POSITIVE = number(0, 1e6, above=True)
LAW = record(
    features=list_of(text),
    amplitude=_POSITIVE,
    length=_POSITIVE,
    noise=_POSITIVE,
    slope=number(0, 1e6),
)
"""What the header of a stored law has to be."""
LAW_ARRAYS = {
    "law.mean": ArraySchema(("p",)),
    "law.scale": ArraySchema(("p",), low=1e-12),
    "law.points": ArraySchema(("m", "p"), low=-1e6, high=1e6),
    "law.values": ArraySchema(("m",), low=-1e3, high=1e3),
}
"""What its arrays have to be."""


@dataclass(frozen=True)
class StiffnessLaw:
    """The true stiffness excess of a crystal, predicted from its structure.

    Attributes
    ----------
    features : tuple of str, length p
    mean, scale : ndarray, shape (p,)
        Standardisation.
    points : ndarray, shape (n, p)
        Standardised features of the crystals that it was learnt from.
    values : ndarray, shape (n,)
        Their true stiffness excess.
    amplitude, length, noise, slope : float
        a, l (in standard deviations of the features), σ and b.
    """

    features: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    points: np.ndarray
    values: np.ndarray
    amplitude: float
    length: float
    noise: float
    slope: float = 0.0

    def __post_init__(self) -> None:
        n, p = len(self.values), len(self.features)
        if self.points.shape != (n, p) or self.mean.shape != (p,) or self.scale.shape != (p,):
            raise SpaceFileError(
                f"points of shape {self.points.shape} for {n} crystals with {p} features; "
                f"({n}, {p}) is needed"
            )
        if not (n and min(self.amplitude, self.length, self.noise) > 0 and (self.scale > 0).all()):
            raise SpaceFileError("a stiffness law needs crystals, and positive scales and sizes")
        covariance = _kernel(self.points, self.points, self.amplitude, self.length, self.slope)
        inverse = np.linalg.inv(covariance + self.noise**2 * np.eye(n))
        object.__setattr__(self, "_inverse", inverse)
        object.__setattr__(self, "_centre", float(self.values.mean()))

    def __call__(self, values: Mapping[str, float]) -> tuple[float, float]:
        """Stiffness excess of one crystal, and its standard deviation; NaN if a feature is."""
        x = (np.array([values[name] for name in self.features]) - self.mean) / self.scale
        near = _kernel(x[None], self.points, self.amplitude, self.length, self.slope)[0]
        inverse: np.ndarray = self._inverse  # type: ignore[attr-defined]
        centre: float = self._centre  # type: ignore[attr-defined]
        known = near @ inverse
        own = self.amplitude**2 + self.slope**2 * float(x @ x)
        variance = self.noise**2 + own - float(known @ near)
        predicted = centre + float(known @ (self.values - centre))
        return predicted, float(np.sqrt(max(variance, self.noise**2)))

    def stored(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header and arrays to write to a file."""
        arrays = {
            f"law.{name}": np.asarray(getattr(self, name), dtype=np.float64)
            for name in ("mean", "scale", "points", "values")
        }
        sizes = {name: getattr(self, name) for name in ("amplitude", "length", "noise", "slope")}
        return {**sizes, "features": list(self.features)}, arrays

    @classmethod
    def read(cls, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> StiffnessLaw:
        """Inverse of :meth:`stored`."""
        return cls(
            tuple(header["features"]),
            arrays["law.mean"],
            arrays["law.scale"],
            arrays["law.points"],
            arrays["law.values"],
            float(header["amplitude"]),
            float(header["length"]),
            float(header["noise"]),
            float(header["slope"]),
        )

    def outside(self, values: Mapping[str, float]) -> tuple[str, ...]:
        """Features more than three standard deviations from the mean of the crystals."""
        return tuple(
            name
            for name, mean, scale in zip(self.features, self.mean, self.scale, strict=True)
            if abs(values[name] - mean) > _FAR * scale
        )


def fit_stiffness(
    x: np.ndarray,
    y: np.ndarray,
    features: Sequence[str] = STRUCTURE_FEATURES,
    sizes: tuple[float, float, float, float] | None = None,
) -> StiffnessLaw:
    """Learn the law; its sizes by the largest marginal likelihood on a grid, if not given.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Features.
    y : ndarray, shape (n,)
        True stiffness excess.
    features : sequence of str, length p
    sizes : tuple of 4 float, optional
        Amplitude, length, noise and slope.

    Raises
    ------
    ValueError
        With fewer than three crystals.
    """
    if len(y) < 3:
        raise ValueError(f"{len(y)} crystals; at least 3 are needed for a law of stiffness")
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = (x - mean) / scale
    best = sizes or max(
        product(_AMPLITUDES, _LENGTHS, _NOISES, _SLOPES),
        key=lambda sizes: _log_likelihood(z, y - y.mean(), *sizes),
    )
    return StiffnessLaw(tuple(features), mean, scale, z, y, *best)


def _kernel(
    one: np.ndarray, other: np.ndarray, amplitude: float, length: float, slope: float
) -> np.ndarray:
    squares = ((one[:, None] - other[None]) ** 2).sum(axis=2)
    return np.asarray(amplitude**2 * np.exp(-squares / (2 * length**2)) + slope**2 * one @ other.T)


def _log_likelihood(
    z: np.ndarray, y: np.ndarray, amplitude: float, length: float, noise: float, slope: float
) -> float:
    covariance = _kernel(z, z, amplitude, length, slope) + noise**2 * np.eye(len(y))
    _, logarithm = np.linalg.slogdet(covariance)
    return float(-(y @ np.linalg.solve(covariance, y)) - logarithm)
