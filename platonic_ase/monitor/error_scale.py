r"""Size of the force error of an atom, from its force and from how unfamiliar its surroundings are.

.. math::

    s_i = e^{t} \, (b + \|F_i\|)^\gamma \, e^{c \cdot x_i / w_i^2} \, w_i,
    \qquad w_i = 1 + \frac{r_i^2 + \langle r^2 \rangle}{2 r_0^2}

with :math:`F_i` the model's own force, :math:`x_i` the leading principal components of the Platonic
coordinates (standardised and clipped), :math:`r_i` the distance of the embedding to the nearest
reference embeddings of the element, and its mean over the structure. Where the structure is like
those of the calibration, :math:`w \approx 1` and the force and the kind of environment decide.
Beyond the reach :math:`r_0`, the width grows with the distance, and what was learnt about kinds of
environments is no longer used. Distances are between embeddings and not between Platonic
coordinates, because cosines do not see that an embedding grows, and it does where atoms are
squeezed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.space.neighbours import ElementClouds
from platonic_ase.space.reference import NEIGHBOURS

_CLIP = 4.0  # standard deviations: an exponential must not extrapolate far


@dataclass(frozen=True)
class ErrorScale:
    r"""A fitted size of the force error.

    Attributes
    ----------
    intercept : float
        t; :math:`e^t` in :math:`(\mathrm{eV/Å})^{1 - \gamma}`.
    floor : float
        b, eV/Å.
    power : float
        γ, in (0, 1].
    mean : ndarray, shape (K,)
        Of the Platonic coordinates of the calibration.
    directions : ndarray, shape (K, m)
        Principal directions, divided by the standard deviation along each.
    coefficients : ndarray, shape (m,)
        c.
    references : ndarray, shape (M, d)
        Embeddings of reference environments.
    reference_numbers : ndarray of int, shape (M,)
        Their atomic numbers.
    reach : float
        r_0, in units of the embedding: 97 % of the calibration's structures are nearer.
    """

    intercept: float
    floor: float
    power: float
    mean: np.ndarray
    directions: np.ndarray
    coefficients: np.ndarray
    references: np.ndarray
    reference_numbers: np.ndarray
    reach: float

    def __post_init__(self) -> None:
        width, count = len(self.mean), len(self.coefficients)
        shapes = (self.mean.shape, self.directions.shape, self.coefficients.shape)
        if shapes != ((width,), (width, count), (count,)):
            raise SpaceFileError(
                f"a force bound with arrays of shapes {shapes}: (K,), (K, m) and (m,) are needed"
            )
        if self.references.ndim != 2 or self.reference_numbers.shape != (len(self.references),):
            raise SpaceFileError(
                f"reference embeddings of shape {self.references.shape} with atomic numbers of "
                f"shape {self.reference_numbers.shape}: (M, d) and (M,) are needed"
            )
        for name in ("floor", "power", "reach"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise SpaceFileError(f"{name} = {value}; a positive number is needed")
        if not math.isfinite(self.intercept):
            raise SpaceFileError(f"intercept = {self.intercept}; a finite number is needed")
        clouds = ElementClouds(self.references, self.reference_numbers, NEIGHBOURS)
        object.__setattr__(self, "_clouds", clouds)

    def __call__(
        self,
        forces: np.ndarray,
        platonic: np.ndarray,
        embeddings: np.ndarray,
        numbers: np.ndarray,
    ) -> np.ndarray:
        """Size of the force error of each atom of one structure.

        Parameters
        ----------
        forces : ndarray, shape (n_atoms, 3)
            The model's, eV/Å.
        platonic : ndarray, shape (n_atoms, K)
        embeddings : ndarray, shape (n_atoms, d)
        numbers : ndarray of int, shape (n_atoms,)
            Atomic numbers.

        Returns
        -------
        ndarray, shape (n_atoms,)
            eV/Å.
        """
        return self.at(forces, platonic, self.widths(embeddings, numbers))

    def widths(self, embeddings: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """W of each atom of one structure, shape (n_atoms,), dimensionless; about 1 in kind."""
        distances = self._clouds.distances(embeddings, numbers)  # type: ignore[attr-defined]
        return widths(unfamiliarity(distances), self.reach)

    def at(self, forces: np.ndarray, platonic: np.ndarray, width: np.ndarray) -> np.ndarray:
        """Size of the error of atoms whose w is known, eV/Å, shape (n_atoms,)."""
        size = np.sqrt(np.einsum("ij,ij->i", forces, forces))
        kind = components(platonic, self.mean, self.directions) @ self.coefficients
        logarithm = self.intercept + self.power * np.log(self.floor + size) + kind / width**2
        return np.asarray(np.exp(logarithm) * width)


def unfamiliarity(distances: np.ndarray, structures: np.ndarray | None = None) -> np.ndarray:
    """Rms of an atom's distance and the rms distance in its structure, shape (n_atoms,).

    Parameters
    ----------
    distances : ndarray, shape (n_atoms,)
    structures : ndarray of int, shape (n_atoms,), optional
        Structure of each atom; one for all by default.
    """
    square = distances**2
    if structures is None:
        return np.asarray(np.sqrt(0.5 * (square + square.mean())))
    counts = np.maximum(np.bincount(structures), 1)
    shared = (np.bincount(structures, square) / counts)[structures]
    return np.asarray(np.sqrt(0.5 * (square + shared)))


def widths(unfamiliar: np.ndarray, reach: float) -> np.ndarray:
    """Factor by which unfamiliar surroundings widen the error; same shape."""
    return np.asarray(1 + (unfamiliar / reach) ** 2)


def components(platonic: np.ndarray, mean: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Standardised and clipped principal components, shape (n_atoms, m).

    Parameters
    ----------
    platonic : ndarray, shape (n_atoms, K)
    mean : ndarray, shape (K,)
    directions : ndarray, shape (K, m)
        Divided by the standard deviation along each.
    """
    found = platonic @ directions - mean @ directions
    return np.asarray(np.minimum(np.maximum(found, -_CLIP, out=found), _CLIP, out=found))
