"""Linear functions of displacement features, and how they are fitted and tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.space.schema import ArraySchema, list_of, number, record, text

PART_FIELDS = {"features": list_of(text), "intercept": number(-1e6, 1e6)}
PART = record(**PART_FIELDS)
"""What the header of a stored part has to be."""
_CLIP = 4.0  # standard deviations: a linear model must not extrapolate far


@dataclass(frozen=True)
class LinearPart:
    """A linear function of standardised features.

    Attributes
    ----------
    features : tuple of str
        Names.
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

    def stored(self, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header and arrays, named after the part, to write to a file."""
        arrays = {
            f"{name}.{array}": np.asarray(getattr(self, array), dtype=np.float64)
            for array in ("mean", "scale", "coefficients")
        }
        return {"features": list(self.features), "intercept": self.intercept}, arrays

    @classmethod
    def read(
        cls, name: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> LinearPart:
        """Inverse of :meth:`stored`."""
        return cls(
            features=tuple(header["features"]),
            mean=arrays[f"{name}.mean"],
            scale=arrays[f"{name}.scale"],
            coefficients=arrays[f"{name}.coefficients"],
            intercept=float(header["intercept"]),
        )

    def standardise(self, x: np.ndarray) -> np.ndarray:
        """Standardised and clipped features, same shape."""
        return np.asarray(np.clip((x - self.mean) / self.scale, -_CLIP, _CLIP))


def part_arrays(*names: str) -> dict[str, ArraySchema]:
    """What the arrays of stored parts have to be, where the file holds such a part."""
    return {
        f"{name}.{array}": ArraySchema(
            (f"features of {name}",), low=1e-12 if array == "scale" else -1e30, required=False
        )
        for name in names
        for array in ("mean", "scale", "coefficients")
    }


def feature_matrix(crystals: Sequence[DisplacementFeatures], names: Sequence[str]) -> np.ndarray:
    """Features by name, shape (n_crystals, n_names)."""
    return np.array([[getattr(crystal, name) for name in names] for crystal in crystals])


def _standardisation(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.mean(axis=0), x.std(axis=0) + 1e-9


def fit_ridge(names: Sequence[str], x: np.ndarray, y: np.ndarray, penalty: float) -> LinearPart:
    """Ridge regression of y, shape (n,), on standardised features x, shape (n, n_features).

    Parameters
    ----------
    names : sequence of str
        Of the features.
    x, y : ndarray
    penalty : float
        In units of crystals.
    """
    mean, scale = _standardisation(x)
    z = np.clip((x - mean) / scale, -_CLIP, _CLIP)
    centre = z.mean(axis=0)
    a = z - centre
    b = np.linalg.solve(a.T @ a + penalty * np.eye(len(names)), a.T @ (y - y.mean()))
    return LinearPart(tuple(names), mean, scale, b, float(y.mean() - centre @ b))


def fit_logistic(names: Sequence[str], x: np.ndarray, y: np.ndarray) -> LinearPart:
    """Log-odds of y, bool, shape (n,), by logistic regression with the default penalty."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = _standardisation(x)
    z = np.clip((x - mean) / scale, -_CLIP, _CLIP)
    model = LogisticRegression(C=1.0).fit(z, y)
    return LinearPart(tuple(names), mean, scale, model.coef_[0], float(model.intercept_[0]))


def predict_left_out(
    names: Sequence[str], x: np.ndarray, y: np.ndarray, groups: np.ndarray, penalty: float
) -> np.ndarray:
    """Ridge predictions for each group by a fit to the others, shape (n,).

    Parameters
    ----------
    names, x, y, penalty
        See :func:`fit_ridge`.
    groups : ndarray of str, shape (n,)

    Raises
    ------
    ValueError
        With fewer than three groups.
    """
    if len(set(groups)) < 3:
        raise ValueError(f"{len(set(groups))} groups; at least 3 are needed to leave one out")
    predicted = np.empty(len(y))
    for group in np.unique(groups):
        test = groups == group
        part = fit_ridge(names, x[~test], y[~test], penalty)
        predicted[test] = part.standardise(x[test]) @ part.coefficients + part.intercept
    return predicted
