r"""Force bound: how large the force error of an atom can be, at a stated level.

.. math::

    \|\Delta F_i\| \le q \, (b + a \|F_i\|) \, e^{c \cdot x_i}

with :math:`F_i` the model's own force, :math:`x_i` the leading principal components of the Platonic
coordinates of the atom (standardised and clipped), :math:`a, b \ge 0` and :math:`c` fitted by
quantile regression, and :math:`q` the conformal quantile of what is left: conformalised quantile
regression (Romano, Patterson and Candès, arXiv:1905.03222), with each structure counting as one
(Lee, Barber and Willett, arXiv:2306.06342). The level is meant for an atom picked at random in a
structure picked at random among structures *like those of the calibration*; neither for each
structure by itself nor for every kind of structure.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.identity import ModelIdentity

KIND = "force_bound"
_CLIP = 4.0  # standard deviations: an exponential must not extrapolate far


@dataclass(frozen=True)
class ForceBound:
    """A calibrated upper bound of the force error of each atom.

    Attributes
    ----------
    name : str
        Says which model and which labels.
    constant : float
        b, eV/Å.
    slope : float
        a, dimensionless.
    mean : ndarray, shape (K,)
        Of the Platonic coordinates of the calibration.
    directions : ndarray, shape (K, m)
        Principal directions, divided by the standard deviation along each.
    coefficients : ndarray, shape (m,)
        c.
    quantile : float
        q, dimensionless.
    level : float
        Share of atoms whose error the bound covers, each structure counting as one.
    alarm : float
        eV/Å; 99 % of the calibration's structures have no atom with a larger bound.
    alarm_ratio : float
        The same of the bound over b plus the rms force of the structure, dimensionless.
    elements : tuple of int
        Atomic numbers in the calibration.
    identity : ModelIdentity
        The model.
    anchors_digest : str
        The anchors that span the Platonic space.
    provenance : mapping
        Labels, their number and licence, scores on structures left out; JSON-safe.
    """

    name: str
    constant: float
    slope: float
    mean: np.ndarray
    directions: np.ndarray
    coefficients: np.ndarray
    quantile: float
    level: float
    alarm: float
    alarm_ratio: float
    elements: tuple[int, ...]
    identity: ModelIdentity
    anchors_digest: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        width, count = len(self.mean), len(self.coefficients)
        shapes = (self.mean.shape, self.directions.shape, self.coefficients.shape)
        if shapes != ((width,), (width, count), (count,)):
            raise SpaceFileError(
                f"a force bound with arrays of shapes {shapes}: (K,), (K, m) and (m,) are needed"
            )
        for name in ("constant", "slope"):
            if not getattr(self, name) >= 0:
                raise SpaceFileError(f"{name} = {getattr(self, name)}; it cannot be negative")
        for name in ("quantile", "alarm", "alarm_ratio"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise SpaceFileError(f"{name} = {value}; a positive number is needed")
        if not 0 < self.level < 1:
            raise SpaceFileError(f"level = {self.level}; a number between 0 and 1 is needed")

    def bounds(self, forces: np.ndarray, platonic: np.ndarray) -> np.ndarray:
        """Upper bound of the force error of each atom.

        Parameters
        ----------
        forces : ndarray, shape (n_atoms, 3)
            The model's, eV/Å.
        platonic : ndarray, shape (n_atoms, K)

        Returns
        -------
        ndarray, shape (n_atoms,)
            eV/Å.
        """
        size = np.linalg.norm(forces, axis=1)
        x = components(platonic, self.mean, self.directions)
        return np.asarray(
            self.quantile * (self.constant + self.slope * size) * np.exp(x @ self.coefficients)
        )

    def alarm_at(self, forces: np.ndarray) -> float:
        """Bound, eV/Å, that is both large by itself and large against the forces.

        Parameters
        ----------
        forces : ndarray, shape (n_atoms, 3)
            The model's, eV/Å.
        """
        rms = float(np.sqrt((forces**2).sum(axis=1).mean()))
        return max(self.alarm, self.alarm_ratio * (self.constant + rms))

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
        arrays = {
            name: np.asarray(getattr(self, name), dtype=np.float32)
            for name in ("mean", "directions", "coefficients")
        }
        header = {
            "name": self.name,
            "constant": self.constant,
            "slope": self.slope,
            "quantile": self.quantile,
            "level": self.level,
            "alarm": self.alarm,
            "alarm_ratio": self.alarm_ratio,
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
        arrays, header = read_arrays(path, KIND)
        try:
            return cls(
                name=header["name"],
                constant=header["constant"],
                slope=header["slope"],
                mean=arrays["mean"],
                directions=arrays["directions"],
                coefficients=arrays["coefficients"],
                quantile=header["quantile"],
                level=header["level"],
                alarm=header["alarm"],
                alarm_ratio=header["alarm_ratio"],
                elements=tuple(header["elements"]),
                identity=ModelIdentity.from_dict(header["identity"]),
                anchors_digest=header["anchors"],
                provenance=header["provenance"],
            )
        except (KeyError, TypeError) as error:
            raise SpaceFileError(f"{path} is incomplete ({error}); make it anew") from error


def components(platonic: np.ndarray, mean: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Standardised and clipped principal components, shape (n_atoms, m).

    Parameters
    ----------
    platonic : ndarray, shape (n_atoms, K)
    mean : ndarray, shape (K,)
    directions : ndarray, shape (K, m)
        Divided by the standard deviation along each.
    """
    return np.asarray(np.clip((platonic - mean) @ directions, -_CLIP, _CLIP))
