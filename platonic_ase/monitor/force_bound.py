r"""Force bound: how large the force error of an atom can be, and how likely it is above a limit.

The size :math:`s_i` of the error of an atom comes from
:mod:`~platonic_ase.monitor.error_scale`; the ratios :math:`\epsilon / s` of true errors to sizes
come from structures of the calibration whose compound was left out of the fit. Their quantiles
give both statements,

.. math::

    P(\epsilon_i \le q_\tau s_i) = \tau, \qquad
    P(\epsilon_i > \ell) = 1 - \hat F(\ell / s_i),

conformal prediction of a normalised error (Papadopoulos et al. 2002; Lei et al., J. Am. Stat.
Assoc. 113, 1094 (2018)), with each structure counting as one (Lee, Barber and Willett,
arXiv:2306.06342). The level is meant for an atom picked at random in a structure picked at random
among structures *like those of the calibration*. Elsewhere it rests on the widening with the
latent distance, which is learnt from labels of other kinds of structures and promises no level
for a kind that it has not seen: see the benchmarks.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.monitor.error_scale import ErrorScale
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.schema import (
    ArraySchema,
    PackSchema,
    atomic_number,
    identity,
    list_of,
    mapping,
    number,
    optional,
    text,
)
from platonic_ase.space.stored import Stored

KIND = "force_bound"
SCHEMA = PackSchema(
    arrays={
        "mean": ArraySchema(("K",), low=-1.001, high=1.001),
        "directions": ArraySchema(("K", "m")),
        "coefficients": ArraySchema(("m",), low=-100, high=100),
        "references": ArraySchema(("M", "d")),
        "reference_numbers": ArraySchema(("M",), "i", 1, 118),
        "ratios": ArraySchema(("n",), low=0),
    },
    header={
        "name": text,
        "intercept": number(-1e3, 1e3),
        "floor": number(0),
        "power": number(0, 1, above=True),
        "reach": number(0, above=True),
        "growth": number(0, above=True),
        "quantile": number(0, above=True),
        "level": number(0, 1, above=True),
        "alarm": number(0, 1, above=True),
        "force_level": optional(number(0, 1e6)),
        "elements": list_of(atomic_number),
        "identity": identity,
        "anchors": text,
        "provenance": mapping,
    },
)
_NUMBERS = ("intercept", "floor", "power", "reach", "growth")
_ARRAYS = ("mean", "directions", "coefficients", "references")
LEVEL = 0.9
"""Share of atoms that a bound covers, unless another is asked for."""
ALARM = 0.4
"""Probability of a force error above the limit from which there is an alarm, by bounds of many
labels: see the benchmarks for its precision and recall."""


@dataclass(frozen=True)
class ForceBound(Stored):
    """A calibrated upper bound of the force error of each atom.

    Attributes
    ----------
    name : str
        Says which model and which labels.
    scale : ErrorScale
        Size of the error of an atom.
    quantile : float
        Bound over size, dimensionless.
    level : float
        Share of atoms whose error the bound covers, each structure counting as one.
    ratios : ndarray, shape (n,)
        Equidistant quantiles of error over size, from the smallest to the largest.
    elements : tuple of int
        Atomic numbers in the calibration.
    identity : ModelIdentity
        The model.
    anchors_digest : str
        The anchors that span the Platonic space.
    alarm : float
        Probability of an error above the limit from which there is an alarm.
    force_level : float or None
        L of :func:`~platonic_ase.monitor.first_bound.force_level`, of a bound made at a first use.
    provenance : mapping
        Labels, their number and licence, scores on structures left out; JSON-safe.
    """

    name: str
    scale: ErrorScale
    quantile: float
    level: float
    ratios: np.ndarray
    elements: tuple[int, ...]
    identity: ModelIdentity
    anchors_digest: str
    alarm: float = ALARM
    force_level: float | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.quantile) and self.quantile > 0):
            raise SpaceFileError(f"quantile = {self.quantile}; a positive number is needed")
        for name in ("level", "alarm"):
            if not 0 < (value := getattr(self, name)) < 1:
                raise SpaceFileError(f"{name} = {value}; a number between 0 and 1 is needed")
        if self.ratios.ndim != 1 or len(self.ratios) < 2 or (np.diff(self.ratios) < 0).any():
            raise SpaceFileError(
                f"ratios of shape {self.ratios.shape}; two or more that do not fall are needed"
            )

    def sizes(
        self,
        forces: np.ndarray,
        platonic: np.ndarray,
        embeddings: np.ndarray,
        numbers: np.ndarray,
    ) -> np.ndarray:
        """Size of the force error of each atom of one structure, eV/Å.

        Parameters
        ----------
        forces : ndarray, shape (n_atoms, 3)
            The model's, eV/Å.
        platonic : ndarray, shape (n_atoms, K)
        embeddings : ndarray, shape (n_atoms, d)
        numbers : ndarray of int, shape (n_atoms,)

        Returns
        -------
        ndarray, shape (n_atoms,)
            For :meth:`bounds` and :meth:`probabilities`.
        """
        return self.scale(forces, platonic, embeddings, numbers)

    def bounds(self, sizes: np.ndarray) -> np.ndarray:
        """Upper bound of the force error at :attr:`level`, eV/Å, shape (n_atoms,).

        Parameters
        ----------
        sizes : ndarray, shape (n_atoms,)
            Of :meth:`sizes`, eV/Å.
        """
        return np.asarray(self.quantile * sizes)

    def probabilities(self, sizes: np.ndarray, limit: float) -> np.ndarray:
        """Probability that the force error exceeds a limit, shape (n_atoms,).

        Parameters
        ----------
        sizes : ndarray, shape (n_atoms,)
            Of :meth:`sizes`, eV/Å.
        limit : float
            eV/Å.
        """
        return exceedance(limit / sizes, self.ratios)

    def size_below(self, probability: float, limit: float) -> float:
        """Size, eV/Å, below which an error above a limit is less probable; 0 where none is."""
        edge = 1 / len(self.ratios)
        if probability <= edge:
            return 0.0
        # levels fall from 1 to 0 as the ratios rise
        ratio = float(np.interp(-probability, -_levels(len(self.ratios)), self.ratios))
        size = limit / ratio if ratio > 0 else 0.0
        while size and exceedance(np.array(limit / size), self.ratios) >= probability:
            size *= 0.99
        return size

    def require(self, anchors: AnchorSet) -> None:
        """Refuse a model, or anchors, that the bound was not made with.

        Raises
        ------
        ModelMismatchError
        """
        differences = anchors.differences(self.identity, self.anchors_digest)
        if differences:
            raise ModelMismatchError(
                f"the force bound {self.name!r} belongs to another model: "
                + "; ".join(differences)
                + " (bound against model in use). Make one for this model with "
                "'platonic-ase calibrate'."
            )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a safetensors file with a JSON header."""
        arrays = {name: getattr(self.scale, name).astype(np.float32) for name in _ARRAYS}
        arrays["references"] = arrays["references"].astype(np.float16)
        arrays["reference_numbers"] = self.scale.reference_numbers.astype(np.int64)
        arrays["ratios"] = self.ratios.astype(np.float32)
        header = {
            "name": self.name,
            **{name: getattr(self.scale, name) for name in _NUMBERS},
            "quantile": self.quantile,
            "level": self.level,
            "alarm": self.alarm,
            "force_level": self.force_level,
            "elements": list(self.elements),
            "identity": self.identity.to_dict(),
            "anchors": self.anchors_digest,
            "provenance": dict(self.provenance),
        }
        return write_arrays(path, KIND, arrays, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ForceBound:
        """Read a file of :meth:`save`.

        Raises
        ------
        SpaceFileError
            If the file is missing, truncated, malformed or holds values that are not finite.
        """
        arrays, header = read_arrays(path, KIND, SCHEMA)
        try:
            fitted: dict[str, Any] = {name: header[name] for name in _NUMBERS}
            fitted |= {name: arrays[name].astype(np.float32) for name in _ARRAYS}
            return cls(
                name=header["name"],
                scale=ErrorScale(**fitted, reference_numbers=arrays["reference_numbers"]),
                quantile=header["quantile"],
                level=header["level"],
                alarm=header["alarm"],
                force_level=header["force_level"],
                ratios=arrays["ratios"],
                elements=tuple(header["elements"]),
                identity=ModelIdentity.from_dict(header["identity"]),
                anchors_digest=header["anchors"],
                provenance=header["provenance"],
            )
        except (KeyError, TypeError) as error:
            raise SpaceFileError(f"{path} is incomplete ({error}); make it anew") from error


def fewest_compounds(level: float) -> int:
    """How many compounds set a conformal bound at a level, at least."""
    return math.ceil(round(level / (1 - level), 9))


def equidistant_quantiles(values: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """Quantiles of weighted values, from the smallest to the largest, shape (count,).

    Parameters
    ----------
    values, weights : ndarray, shape (n,)
    count : int
    """
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order])
    asked = np.linspace(0, share[-1], count)
    return np.asarray(values[order][np.minimum(np.searchsorted(share, asked), len(order) - 1)])


def exceedance(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Probability that a new draw exceeds values, from equidistant quantiles of earlier draws.

    Parameters
    ----------
    values : ndarray, any shape
    quantiles : ndarray, shape (n,)
        From the smallest to the largest; they do not fall.

    Returns
    -------
    ndarray, shape of ``values``
        From 1 / n to 1 - 1 / n: what lies beyond n quantiles is not known any better.
    """
    edge = 1 / len(quantiles)
    found = np.interp(values, quantiles, _levels(len(quantiles)))
    return np.asarray(np.minimum(np.maximum(found, edge), 1 - edge))


@lru_cache(maxsize=8)
def _levels(count: int) -> np.ndarray:
    return np.linspace(1, 0, count)
