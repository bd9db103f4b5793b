r"""Phonon errors of a crystal with a model, from those of other crystals and other models.

A Gaussian process over cases: a case is a crystal, as its displaced supercells and its elements
describe it (x), with a model (m). Near cases of known error it is sharp, far from all of them it
says by its variance that it knows nothing but what the model does on the average:

.. math::

    k = c^2 + \left(a^2 e^{-\sum_j w_j^2 (x_j - x'_j)^2 / 2} + \sum_j b_j^2 x_j x'_j\right)
    (1 - \chi + \chi \delta_{mm'}) + \mu^2 \delta_{mm'} + \sigma^2 \delta

It predicts two values at once: the square root of the relative error, and ln of the model's
frequencies over the true ones. x is standardised (C. E. Rasmussen and C. K. I. Williams, Gaussian
Processes for Machine Learning, 2006, eq. 2.25, 2.26).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.cases import CASE_FEATURES, CASE_GROUPS
from platonic_ase.space.schema import ArraySchema, entries, list_of, number, record, text

_WEIGHTS = np.array([weight / len(names) ** 0.5 for names, weight, _ in CASE_GROUPS for _ in names])
_SLOPES = np.array([slope / len(names) ** 0.5 for names, _, slope in CASE_GROUPS for _ in names])
_CENTRE = np.array([0.35, -0.1])
_STEEPEST = 6.0
_POSITIVE = number(0, 10, above=True)
OTHERS = 2
"""Cases of other models that count, of a crystal that a model has no case of."""
PROCESS = record(
    models=list_of(text),
    crystals=list_of(text),
    constant=_POSITIVE,
    amplitude=_POSITIVE,
    own_share=number(0, 1),
    offset=_POSITIVE,
    noise=_POSITIVE,
    spreads=entries(*[entries(_POSITIVE, _POSITIVE)] * 2),
)
"""What the header of a stored process has to be."""
PROCESS_ARRAYS = {
    "process.mean": ArraySchema(("q",)),
    "process.scale": ArraySchema(("q",), low=1e-12),
    "process.points": ArraySchema(("cases", "q"), low=-1e6, high=1e6),
    "process.owners": ArraySchema(("cases",), kind="i", low=0, high=10_000),
    "process.places": ArraySchema(("cases",), kind="i", low=0, high=100_000),
    "process.values": ArraySchema(("cases", "values"), low=-10, high=10),
}
"""What its arrays have to be."""


@dataclass(frozen=True)
class ErrorProcess:
    """Errors of crystals with models, and what they foretell of others.

    Attributes
    ----------
    models, crystals : tuple of str
        Fingerprints of models, or their names; names of crystals.
    mean, scale : ndarray, shape (18,)
        Standardisation.
    points : ndarray, shape (n, 18)
        Cases of known error, see :func:`~platonic_ase.phonons.cases.case_vector`.
    owners, places : ndarray of int, shape (n,)
        Which of the models, and which of the crystals, each case is of.
    values : ndarray, shape (n, 2)
        Square root of their relative error, and ln of the frequencies over the true ones.
    constant, amplitude, own_share, offset, noise : float
        c, a, χ, μ and σ.
    spreads : tuple of 2 tuples of 2 float
        By how much left-out cases scatter more than stated, a row for each value: octet binaries,
        and others.
    """

    models: tuple[str, ...]
    crystals: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    points: np.ndarray
    owners: np.ndarray
    places: np.ndarray
    values: np.ndarray
    constant: float = 0.15
    amplitude: float = 0.18
    own_share: float = 0.2
    offset: float = 0.06
    noise: float = 0.08
    spreads: tuple[tuple[float, float], tuple[float, float]] = ((1.0, 1.0), (1.0, 1.0))

    def __post_init__(self) -> None:
        n, q = len(self.points), len(CASE_FEATURES)
        if self.points.shape != (n, q) or self.mean.shape != (q,) or self.scale.shape != (q,):
            raise SpaceFileError(
                f"cases of shape {self.points.shape} with scales of shape {self.scale.shape}; "
                f"(n, {q}) and ({q},) are needed"
            )
        if not n or self.values.shape != (n, 2) or {self.owners.shape, self.places.shape} != {(n,)}:
            raise SpaceFileError(
                f"values of shape {self.values.shape} for {n} cases; ({n}, 2), and at least one "
                "case, are needed"
            )
        if self.owners.min() < 0 or self.owners.max() >= len(self.models):
            raise SpaceFileError(f"cases of models beyond the {len(self.models)} that are named")
        if self.places.min() < 0 or self.places.max() >= len(self.crystals):
            raise SpaceFileError(
                f"cases of crystals beyond the {len(self.crystals)} that are named"
            )

    def knows(self, model: str) -> bool:
        """Whether there are cases of a model."""
        return model in self.models

    def count(self, model: str) -> int:
        """How many cases of a model there are."""
        return int(self._same(model).sum())

    def __call__(
        self, vectors: np.ndarray, model: str, octet: Sequence[bool] | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Both values of some crystals with a model, and their standard deviations.

        Parameters
        ----------
        vectors : ndarray, shape (m, 18)
        model : str
            Of which nothing is known unless it is one of :attr:`models`.
        octet : sequence of bool, length m
            Whether each crystal is an octet binary.

        Returns
        -------
        ndarray, ndarray
            Shape (m, 2), both; NaN where a quantity is.
        """
        z = (vectors - self.mean) / self.scale
        steep = self._steep(z)
        own = self.amplitude**2 + (steep**2).sum(axis=1)
        return self._answer(self._alike(z, steep, self._same(model)), own, np.asarray(octet))

    def base(self, model: str) -> tuple[np.ndarray, np.ndarray]:
        """The same of a crystal that is like none, shape (2,) both: what the model does at large.

        Parameters
        ----------
        model : str
            All models, where nothing is known of this one.
        """
        of_model = self._same(model)
        values = self.values[of_model] if of_model.sum() > 1 else self.values
        return values.mean(axis=0), values.std(axis=0, ddof=1) * (1 + 1 / len(values)) ** 0.5

    def outside(self, vector: np.ndarray) -> tuple[str, ...]:
        """Quantities beyond those of all cases.

        Parameters
        ----------
        vector : ndarray, shape (18,)
        """
        low, high = self._range
        far = (vector < low) | (vector > high)
        return tuple(name for name, each in zip(CASE_FEATURES, far, strict=True) if each)

    def joined(
        self, model: str, vectors: np.ndarray, values: np.ndarray, crystals: Sequence[str]
    ) -> ErrorProcess:
        """With the cases of one model more.

        Parameters
        ----------
        model : str
        vectors : ndarray, shape (m, 18)
        values : ndarray, shape (m, 2)
        crystals : sequence of str, length m
        """
        names = (*self.crystals, *dict.fromkeys(c for c in crystals if c not in self.crystals))
        return replace(
            self,
            models=(*self.models, model),
            crystals=names,
            points=np.vstack([self.points, vectors]),
            owners=np.append(self.owners, np.full(len(vectors), len(self.models))),
            places=np.append(self.places, [names.index(each) for each in crystals]),
            values=np.vstack([self.values, values]),
        )

    def near(self, model: str) -> np.ndarray:
        """Which cases count for a model, bool, shape (n,).

        Its own, and of crystals that it has no case of the first :data:`OTHERS` of other models:
        what others do on a crystal of its own adds next to nothing, and makes every answer dear.

        Parameters
        ----------
        model : str
        """
        kept = self._same(model)
        seen = np.bincount(self.places[kept], minlength=len(self.crystals)) * OTHERS
        for k in np.flatnonzero(~kept):
            if seen[self.places[k]] < OTHERS:
                seen[self.places[k]] += 1
                kept[k] = True
        return kept

    def taking(self, kept: np.ndarray) -> ErrorProcess:
        """Of some cases; the quantities of all stay in the standardisation.

        Parameters
        ----------
        kept : ndarray of bool, shape (n,)
        """
        return replace(
            self,
            points=self.points[kept],
            owners=self.owners[kept],
            places=self.places[kept],
            values=self.values[kept],
        )

    def without(self, left_out: np.ndarray) -> ErrorProcess:
        """What is left when cases are forgotten; their quantities stay in the standardisation.

        The inverse of the covariance follows from that with all cases, which is many times faster
        than anew: :math:`Q_{TT} - Q_{TS} Q_{SS}^{-1} Q_{ST}`.

        Parameters
        ----------
        left_out : ndarray of bool, shape (n,)
        """
        kept = ~left_out
        fewer = self.taking(kept)
        inverse = self._solved[0]
        across = inverse[np.ix_(kept, left_out)]
        among = inverse[np.ix_(left_out, left_out)]
        rest = inverse[np.ix_(kept, kept)] - across @ np.linalg.solve(among, across.T)
        fewer.__dict__["_solved"] = rest, rest @ (fewer.values - _CENTRE)
        return fewer

    def stored(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header and arrays to write to a file."""
        header = {
            "models": list(self.models),
            "crystals": list(self.crystals),
            **{name: getattr(self, name) for name in _SIZES},
            "spreads": [list(each) for each in self.spreads],
        }
        arrays = {
            f"process.{name}": np.asarray(getattr(self, name), dtype=np.float32)
            for name in ("mean", "scale", "points", "values")
        }
        arrays["process.owners"] = self.owners.astype(np.int64)
        arrays["process.places"] = self.places.astype(np.int64)
        return header, arrays

    @classmethod
    def read(cls, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> ErrorProcess:
        """Inverse of :meth:`stored`."""
        kept = ("mean", "scale", "points", "values")
        root, log = (tuple(float(x) for x in each) for each in header["spreads"])
        fitted: dict[str, Any] = {name: float(header[name]) for name in _SIZES}
        fitted |= {name: arrays[f"process.{name}"].astype(np.float64) for name in kept}
        return cls(
            models=tuple(header["models"]),
            crystals=tuple(header["crystals"]),
            owners=arrays["process.owners"],
            places=arrays["process.places"],
            spreads=((root[0], root[1]), (log[0], log[1])),
            **fitted,
        )

    @cached_property
    def _solved(self) -> tuple[np.ndarray, np.ndarray]:
        """Inverse of the covariance, shape (n, n), and what it makes of the values, (n, 2)."""
        z = (self.points - self.mean) / self.scale
        covariance = self._alike(z, self._steep(z), self.owners[:, None] == self.owners)
        inverse = np.linalg.inv(covariance + self.noise**2 * np.eye(len(z)))
        return inverse, inverse @ (self.values - _CENTRE)

    @cached_property
    def _range(self) -> tuple[np.ndarray, np.ndarray]:
        rounding = 1e-6 * self.scale  # files hold single precision
        return self.points.min(axis=0) - rounding, self.points.max(axis=0) + rounding

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        z = (self.points - self.mean) / self.scale
        return z * _WEIGHTS, self._steep(z)

    def _steep(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(np.clip(z, -_STEEPEST, _STEEPEST) * _SLOPES)

    def _same(self, model: str) -> np.ndarray:
        return np.asarray(np.array([each == model for each in self.models])[self.owners])

    def _alike(self, z: np.ndarray, steep: np.ndarray, same: np.ndarray) -> np.ndarray:
        """Covariance with the cases, shape (m, n); ``same`` are those of the same model."""
        placed, steep_known = self._places
        weighted = z * _WEIGHTS
        squares = (weighted**2).sum(axis=1)[:, None] + (placed**2).sum(axis=1)
        squares = np.maximum(squares - 2 * weighted @ placed.T, 0.0)
        near = self.amplitude**2 * np.exp(-squares / 2) + steep @ steep_known.T
        shared = 1 - self.own_share * ~same
        return np.asarray(self.constant**2 + near * shared + self.offset**2 * same)

    def _answer(
        self, near: np.ndarray, own: np.ndarray, octet: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        inverse, weights = self._solved
        means = _CENTRE + near @ weights
        whole = self.constant**2 + own + self.offset**2
        left = whole - np.einsum("ij,ij->i", near @ inverse, near)
        deviations = np.sqrt(np.maximum(left, 0.0) + self.noise**2)
        kind = np.where(octet, 0, 1)
        return means, deviations[:, None] * np.array(self.spreads)[:, kind].T


_SIZES = ("constant", "amplitude", "own_share", "offset", "noise")
