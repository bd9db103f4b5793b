r"""Size of the force error of an atom, from its force and from how unfamiliar its surroundings are.

.. math::

    s_i = e^{t} \, (b + \|F_i\|)^\gamma \, e^{c \cdot x_i / w_i^2} \, w_i,
    \qquad w_i = \max\left(1, \frac{u_i}{r_0}\right)^p,
    \qquad u_i^2 = \frac{r_i^2 + \langle r^2 \rangle}{2}

with :math:`F_i` the model's own force, :math:`x_i` the leading principal components of the Platonic
coordinates (standardised and clipped), :math:`r_i` the distance of the embedding to the nearest
reference embeddings of the element, and its mean over the structure. Within the reach :math:`r_0`
:math:`w = 1`, and the force and the kind of environment decide. Beyond it the width grows with the
distance, in proportion where :math:`p = 1`, and what was learnt about kinds of environments is no
longer used. Reach and growth are learnt from labels of another kind of structure, see
:mod:`~platonic_ase.calibrate.force_width`. Distances are between embeddings and not between
Platonic coordinates, because cosines do not see that an embedding grows, and it does where atoms
are squeezed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.monitor.frame import Balls, Frame
from platonic_ase.space.neighbours import ElementClouds
from platonic_ase.space.reference import NEIGHBOURS

if TYPE_CHECKING:
    from platonic_ase.space.anchors import AnchorSet

_BALL = 0.2
"""Radius of a ball over the reach."""
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
        r_0, in units of the embedding: nearer than this, nothing is unfamiliar.
    growth : float
        p, by which errors grow beyond the reach.
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
    growth: float

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
        for name in ("floor", "power", "reach", "growth"):
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
        """W of each atom of one structure, shape (n_atoms,), dimensionless; 1 within reach."""
        return self.widths_at(self.distances(embeddings, numbers))

    def widths_at(self, distances: np.ndarray) -> np.ndarray:
        """The same, of known :meth:`distances`."""
        return widths(unfamiliarity(distances), self.reach, self.growth)

    def distances(self, embeddings: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """R of each atom of one structure, shape (n_atoms,), in units of the embedding."""
        found: np.ndarray = self._clouds.distances(embeddings, numbers)  # type: ignore[attr-defined]
        return found

    def at(self, forces: np.ndarray, platonic: np.ndarray, width: np.ndarray) -> np.ndarray:
        """Size of the error of atoms whose w is known, eV/Å, shape (n_atoms,)."""
        size = np.sqrt(np.einsum("ij,ij->i", forces, forces))
        kind = components(platonic, self.mean, self.directions) @ self.coefficients
        logarithm = self.intercept + self.power * np.log(self.floor + size) + kind / width**2
        return np.asarray(np.exp(logarithm) * width)

    def calm(
        self, size: float, frame: Frame, distances: np.ndarray
    ) -> tuple[Balls, np.ndarray] | None:
        """Where the size of the error stays below a limit: balls, and largest forces in them.

        Distances to the nearest references change by no more than the embedding moves. What the
        kind of environment contributes changes as the unit embedding turns, components that are
        clipped not at all.

        Parameters
        ----------
        size : float
            Limit, eV/Å.
        frame : Frame
            The geometry in the middle.
        distances : ndarray, shape (n_atoms,)
            Of :meth:`distances`, there.

        Returns
        -------
        balls : Balls
        squares : ndarray, shape (n_atoms,)
            Squares of the forces, (eV/Å)², below which the sizes are below the limit in the balls.
        """
        anchors = frame.anchors
        if anchors is None or not size > 0:
            return None
        radius = _BALL * self.reach
        near, far = (
            self.widths_at(np.maximum(distances + step, 0.0)) for step in (-radius, radius)
        )
        lengths = anchors.lengths(frame.embeddings)
        turn = 2 * radius / np.maximum(2 * lengths - radius, 1e-9)
        found = (frame.platonic - self.mean) @ self.directions
        slopes, products = self._slopes(anchors)
        reach = turn[:, None] * slopes
        free = np.where(np.abs(found) + reach < _CLIP, self.coefficients, 0.0)
        edge = np.abs(np.abs(found) - _CLIP) <= reach
        change = turn * np.sqrt(np.einsum("ij,jk,ik->i", free, products, free, optimize=True))
        change += (edge * reach) @ np.abs(self.coefficients)
        kind = np.clip(found, -_CLIP, _CLIP) @ self.coefficients + change
        # in between, the size has no maximum as a function of w
        most = np.maximum(kind / near**2 + np.log(near), kind / far**2 + np.log(far))
        limits = np.exp((math.log(size) - self.intercept - most) / self.power) - self.floor
        squares = np.where(limits > 0, (0.999 * limits) ** 2, -1.0)
        return Balls(frame.embeddings, np.full(len(distances), radius)), squares

    def _slopes(self, anchors: AnchorSet) -> tuple[np.ndarray, np.ndarray]:
        """How fast components change as a unit embedding turns, (m,), and products, (m, m)."""
        known: Any = self.__dict__.get("_known_slopes")
        if known is None or known[0] is not anchors:
            turns = anchors.axes.T @ self.directions
            products = turns.T @ turns
            known = (anchors, np.sqrt(products.diagonal()), products)
            object.__setattr__(self, "_known_slopes", known)
        return known[1], known[2]


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


def widths(unfamiliar: np.ndarray, reach: float, growth: float) -> np.ndarray:
    """Factor by which unfamiliar surroundings widen the error; same shape.

    Parameters
    ----------
    unfamiliar : ndarray
        Of :func:`unfamiliarity`.
    reach : float
        In the same units; nearer than this the factor is 1.
    growth : float
        Power of the distance over the reach beyond.
    """
    ratio = np.maximum(unfamiliar / reach, 1.0)
    return np.asarray(ratio if growth == 1 else ratio**growth)


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
