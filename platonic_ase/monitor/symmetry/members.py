"""The atoms of each orbit, and how far their Platonic coordinates split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.errors import SymmetryWarning
from platonic_ase.monitor.diagnosis import Signal

if TYPE_CHECKING:
    from platonic_ase.monitor.frame import Frame
    from platonic_ase.monitor.symmetry.orbits import Orbits

_FEW = 8
"""Orbits up to which one product with a matrix gives means faster than sums do."""


class Members:
    """Which atoms belong together, kept in the form in which means are found fastest.

    Parameters
    ----------
    labels : ndarray of int, shape (n_atoms,)
        Orbit of each atom, 0..n_orbits-1.
    """

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = labels
        self._order = np.argsort(labels, kind="stable")
        self._starts = np.flatnonzero(np.diff(labels[self._order], prepend=-1))
        self._sizes = np.bincount(labels)
        self._averages: np.ndarray | None = None
        if len(self._sizes) <= _FEW:
            same = np.equal.outer(np.arange(len(self._sizes)), labels)
            self._averages = same / self._sizes[:, None]

    def means(self, rows: np.ndarray) -> np.ndarray:
        """Mean of the rows of each orbit, in double precision, shape (n_orbits, K)."""
        if self._averages is not None:
            return np.asarray(self._averages @ rows)
        sums = np.add.reduceat(rows[self._order], self._starts, axis=0, dtype=float)
        return np.asarray(sums / self._sizes[:, None])

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over each orbit of values of atoms, (..., n_atoms); shape (..., n_orbits)."""
        return np.asarray(np.add.reduceat(values[..., self._order], self._starts, axis=-1))

    def largest(self, values: np.ndarray) -> np.ndarray:
        """Largest value of each orbit, shape (n_orbits,)."""
        return np.asarray(np.maximum.reduceat(values[self._order], self._starts))


def orbit_splitting(platonic: np.ndarray, members: Members) -> np.ndarray:
    r"""Largest deviation of an atom from the mean of its orbit, per orbit.

    .. math:: s_g = \max_{i \in g} \frac{\|z_i - \bar z_g\|}{\sqrt{K}}

    Parameters
    ----------
    platonic : ndarray, shape (n_atoms, K)
    members : Members

    Returns
    -------
    ndarray, shape (n_orbits,)
        An rms difference of cosines; zero for orbits of one atom.
    """
    means = members.means(platonic).astype(platonic.dtype)
    deviations = means.take(members.labels, axis=0)
    deviations -= platonic
    squares = np.einsum("ij,ij->i", deviations, deviations)
    return np.asarray(np.sqrt(members.largest(squares) / platonic.shape[1]))


def split_orbit(platonic: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Say which atoms of an orbit went which way.

    Parameters
    ----------
    platonic : ndarray, shape (n_atoms, K)
    members : ndarray of int, shape (m,)
        Atoms of the orbit.

    Returns
    -------
    minority, majority : ndarray of int
        The two sides along the leading principal direction of the deviations, cut at its widest
        gap.
    """
    rows = platonic[members].astype(float)
    rows = rows - rows.mean(axis=0)
    _, _, directions = np.linalg.svd(rows, full_matrices=False)
    order = np.argsort(rows @ directions[0])
    cut = 1 + int(np.argmax(np.diff((rows @ directions[0])[order])))
    sides = sorted((members[order[:cut]], members[order[cut:]]), key=len)
    return np.sort(sides[0]), np.sort(sides[1])


def describe_split(
    orbits: Orbits, orbit: int, platonic: np.ndarray, numbers: np.ndarray, level: float
) -> tuple[str, np.ndarray, np.ndarray]:
    """Name an orbit and its two sides; the sides only for an alarm, since they cost time.

    Parameters
    ----------
    orbits : Orbits
    orbit : int
    platonic : ndarray, shape (n_atoms, K)
    numbers : ndarray of int, shape (n_atoms,)
    level : float
        An alarm from 1 on.

    Returns
    -------
    label : str
    minority, majority : ndarray of int
    """
    members = np.flatnonzero(orbits.labels == orbit)
    label = equivalent(numbers, members)
    if level < 1 or len(members) < 2:
        return label, members[:0], members
    return label, *split_orbit(platonic, members)


def equivalent(numbers: np.ndarray, members: np.ndarray) -> str:
    """Name of atoms that symmetry makes equal, such as ``"the 8 equivalent Ti atoms"``.

    Parameters
    ----------
    numbers : ndarray of int, shape (n_atoms,)
    members : ndarray of int
        Their indices.
    """
    symbol, count = chemical_symbols[numbers[members[0]]], len(members)
    return f"the {symbol} atom" if count == 1 else f"the {count} equivalent {symbol} atoms"


def model_signal(
    frame: Frame, orbits: Orbits, splitting: np.ndarray, floor: float, tolerated: float
) -> Signal:
    """Whether the model tells apart equivalent atoms of a geometry that is symmetric.

    Parameters
    ----------
    frame : Frame
    orbits : Orbits
    splitting : ndarray, shape (n_orbits,)
        Of :func:`orbit_splitting`.
    floor : float
        What the geometry may contribute.
    tolerated : float
        Alarm above this.
    """
    orbit = int(splitting.argmax())
    level = max(0.0, float(splitting[orbit]) - floor) / tolerated
    numbers = frame.atoms.numbers
    label, minority, majority = describe_split(orbits, orbit, frame.platonic, numbers, level)

    def message() -> str:
        return (
            "the model tells apart atoms that are equivalent in "
            f"{orbits.space_group}: it splits {label} into "
            f"{len(minority)} and {len(majority)}, by {splitting[orbit]:.1e} where "
            f"{tolerated:.0e} is tolerated, although the geometry is symmetric."
        )

    return Signal(
        kind="model_symmetry",
        level=level,
        value=float(splitting[orbit]),
        threshold=tolerated,
        unit="rms cosine difference",
        message=message,
        advice=(
            "Expect forces that break the symmetry: keep it with ase.constraints.FixSymmetry, "
            "or average over rotated copies."
        ),
        atoms=tuple(int(i) for i in minority),
        category=SymmetryWarning,
    )
