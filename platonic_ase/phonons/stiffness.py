r"""The stiffness that a crystal would have in truth, whatever model is in use.

A Gaussian process over standardised features, learnt from crystals with known spectra: near them
its answer is sharp, far from all of them it follows a trend at most, and says by its variance that
it knows nothing.

.. math:: h(x) = \bar h + k_x^T (K + \sigma^2 I)^{-1} (h - \bar h), \qquad
    s^2(x) = \sigma^2 + k(x, x) - k_x^T (K + \sigma^2 I)^{-1} k_x

with :math:`k(x, x') = a^2 \exp(-\sum_j w_j^2 (x_j - x'_j)^2 / 2) + b^2 x \cdot x'` (C. E.
Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning, 2006, eq. 2.25, 2.26 and
5.1).

There are two laws. That of octet binaries knows their structure only, and speaks of the curvature
of displaced atoms; that of all other crystals knows their elements as well, and speaks of the trace
of the dynamical matrix. Both are in excess of charges v on a lattice of distances d,
:math:`\ln(v / d^3)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.chemistry import ELEMENT_FEATURES
from platonic_ase.space.schema import ArraySchema, list_of, number, record, text

STRUCTURE_FEATURES = (
    "log_coordination", "bond_polarity", "log_valence", "log_bond", "mean_radius", "log_stretch",
)  # fmt: skip
"""What the structure alone decides."""
_UNSTRETCHED = tuple(name for name in STRUCTURE_FEATURES if name != "log_stretch")
OF_BINARIES = ("stiffness_excess", STRUCTURE_FEATURES)
OF_OTHERS = ("spectral_excess", (*_UNSTRETCHED, *ELEMENT_FEATURES))
"""What the two laws predict, and from what. How far bonds are stretched says nothing of a crystal
where the model in use has stretched them."""
_START = {"amplitude": 0.5, "slope": 0.2, "noise": 0.2, "weight": 0.5}
_BOUNDS = {"amplitude": (0.05, 5), "slope": (0.01, 1), "noise": (0.05, 1), "weight": (0.01, 5)}
_DRAWN = 0.5
"""Standard deviation of ln of the weights before anything is known: many weights, few crystals."""
_FAR = 3.0
_POSITIVE = number(0, 1e6, above=True)
LAW = record(
    quantity=text,
    features=list_of(text),
    amplitude=_POSITIVE,
    noise=_POSITIVE,
    slope=number(0, 1e6),
)
"""What the header of a stored law has to be."""


def law_arrays(name: str) -> dict[str, ArraySchema]:
    """What the arrays of a stored law have to be."""
    p, m = f"{name} features", f"{name} crystals"
    return {
        f"{name}.mean": ArraySchema((p,)),
        f"{name}.scale": ArraySchema((p,), low=1e-12),
        f"{name}.weights": ArraySchema((p,), low=0, high=1e3),
        f"{name}.points": ArraySchema((m, p), low=-1e6, high=1e6),
        f"{name}.values": ArraySchema((m,), low=-1e3, high=1e3),
    }


@dataclass(frozen=True)
class Sizes:
    """What a law's covariance is made of.

    Attributes
    ----------
    amplitude, noise, slope : float
        a, σ and b.
    weights : ndarray, shape (p,)
        w, by standard deviations of the features.
    """

    amplitude: float
    noise: float
    slope: float
    weights: np.ndarray


@dataclass(frozen=True)
class StiffnessLaw:
    """The true stiffness of a crystal, predicted from what does not depend on the model much.

    Attributes
    ----------
    quantity : str
        What is predicted.
    features : tuple of str, length p
    mean, scale : ndarray, shape (p,)
        Standardisation.
    points : ndarray, shape (n, p)
        Standardised features of the crystals that it was learnt from.
    values : ndarray, shape (n,)
        Their true quantity.
    sizes : Sizes
    """

    quantity: str
    features: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    points: np.ndarray
    values: np.ndarray
    sizes: Sizes

    def __post_init__(self) -> None:
        n, p = len(self.values), len(self.features)
        shapes = {self.mean.shape, self.scale.shape, self.sizes.weights.shape}
        if self.points.shape != (n, p) or shapes != {(p,)}:
            raise SpaceFileError(
                f"points of shape {self.points.shape} for {n} crystals with {p} features; "
                f"({n}, {p}) is needed"
            )
        sizes = self.sizes
        if not (n and min(sizes.amplitude, sizes.noise) > 0 and (self.scale > 0).all()):
            raise SpaceFileError("a stiffness law needs crystals, and positive scales and sizes")
        covariance = _kernel(self.points, self.points, sizes)
        inverse = np.linalg.inv(covariance + sizes.noise**2 * np.eye(n))
        object.__setattr__(self, "_inverse", inverse)
        object.__setattr__(self, "_centre", float(self.values.mean()))

    def __call__(self, known: Mapping[str, float]) -> tuple[float, float, float]:
        """Of one crystal: what it would have, how sure that is, and how much of it is known.

        Parameters
        ----------
        known : mapping of str to float
            Quantities by name.

        Returns
        -------
        excess : float
        deviation : float
            Standard deviation of the excess.
        share : float
            Of the variance among crystals, that which the law explains here: near 1 among the
            crystals that it was learnt from, 0 far from all of them. NaN, as the others, where a
            feature is.
        """
        x = (np.array([known[name] for name in self.features]) - self.mean) / self.scale
        sizes = self.sizes
        near = _kernel(x[None], self.points, sizes)[0]
        inverse: np.ndarray = self._inverse  # type: ignore[attr-defined]
        centre: float = self._centre  # type: ignore[attr-defined]
        weights = near @ inverse
        own = sizes.amplitude**2 + sizes.slope**2 * float(x @ x)
        left = max(own - float(weights @ near), 0.0)
        predicted = centre + float(weights @ (self.values - centre))
        return predicted, float(np.sqrt(left + sizes.noise**2)), 1 - left / own

    def softening(self, known: Mapping[str, float]) -> tuple[float, float, float]:
        """Ln of a model's frequencies over the true ones, its deviation, and the share known.

        Parameters
        ----------
        known : mapping of str to float
            See :meth:`__call__`; with the quantity itself, as the model has it.
        """
        true, deviation, share = self(known)
        return (known[self.quantity] - true) / 2, deviation / 2, share

    def stored(self, prefix: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header and arrays to write to a file, their names with a prefix."""
        arrays = {
            f"{prefix}.{name}": np.asarray(getattr(self, name), dtype=np.float64)
            for name in ("mean", "scale", "points", "values")
        }
        arrays[f"{prefix}.weights"] = np.asarray(self.sizes.weights, dtype=np.float64)
        sizes = {name: getattr(self.sizes, name) for name in ("amplitude", "noise", "slope")}
        return {**sizes, "quantity": self.quantity, "features": list(self.features)}, arrays

    @classmethod
    def read(
        cls, prefix: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> StiffnessLaw:
        """Inverse of :meth:`stored`.

        Raises
        ------
        SpaceFileError
            If the law is of quantities that are not known.
        """
        amplitude, noise, slope = (float(header[name]) for name in ("amplitude", "noise", "slope"))
        mean, scale, weights, points, values = (
            arrays[f"{prefix}.{name}"] for name in ("mean", "scale", "weights", "points", "values")
        )
        return cls(
            header["quantity"], tuple(header["features"]), mean, scale, points, values,
            Sizes(amplitude, noise, slope, weights),
        )  # fmt: skip

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
    quantity: str,
    features: Sequence[str],
    sizes: Sizes | None = None,
) -> StiffnessLaw:
    """Learn the law; its sizes by the largest marginal likelihood, if not given.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Features.
    y : ndarray, shape (n,)
        True values of the quantity.
    quantity : str
        Its name.
    features : sequence of str, length p
    sizes : Sizes, optional

    Raises
    ------
    ValueError
        With fewer than three crystals.
    """
    if len(y) < 3:
        raise ValueError(f"{len(y)} crystals; at least 3 are needed for a law of stiffness")
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = (x - mean) / scale
    return StiffnessLaw(
        quantity, tuple(features), mean, scale, z, y, sizes or _likeliest(z, y - y.mean())
    )


def _likeliest(z: np.ndarray, y: np.ndarray) -> Sizes:
    """Sizes of the largest marginal likelihood (eq. 5.8, 5.9), weights drawn to their start."""
    from scipy.optimize import minimize

    n, p = z.shape
    start = np.log([*(_START[k] for k in ("amplitude", "noise", "slope")), *[_START["weight"]] * p])

    def objective(t: np.ndarray) -> tuple[float, np.ndarray]:
        sizes = _sizes(t)
        linear = sizes.slope**2 * z @ z.T
        radial = _kernel(z, z, sizes) - linear
        inverse = np.linalg.inv(radial + linear + sizes.noise**2 * np.eye(n))
        pull = inverse @ y
        value = 0.5 * (y @ pull - np.linalg.slogdet(inverse)[1])
        gap = inverse - np.outer(pull, pull)
        both = gap * radial
        squares = (z**2 * both.sum(axis=1)[:, None]).sum(axis=0) - ((both @ z) * z).sum(axis=0)
        slopes = [both.sum(), sizes.noise**2 * np.trace(gap), (gap * linear).sum()]
        drawn = (t[3:] - start[3:]) / _DRAWN
        gradient = np.array([*slopes, *(-(sizes.weights**2) * squares + drawn / _DRAWN)])
        return float(value + 0.5 * drawn @ drawn), gradient

    bounds = [_BOUNDS[k] for k in ("amplitude", "noise", "slope")] + [_BOUNDS["weight"]] * p
    found = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=np.log(bounds),
        options={"maxiter": 60},
    )
    return _sizes(found.x)


def _sizes(logarithms: np.ndarray) -> Sizes:
    amplitude, noise, slope, *weights = np.exp(logarithms).tolist()
    return Sizes(amplitude, noise, slope, np.array(weights))


def _kernel(one: np.ndarray, other: np.ndarray, sizes: Sizes) -> np.ndarray:
    a, b = one * sizes.weights, other * sizes.weights
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    radial = sizes.amplitude**2 * np.exp(-np.maximum(squares, 0.0) / 2)
    return np.asarray(radial + sizes.slope**2 * one @ other.T)
