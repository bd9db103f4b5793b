r"""The response of a model's forces, and of its Platonic space, to the displacement of one atom.

Atom :math:`i` of a supercell at rest moves by :math:`u`. Embeddings are invariant, so that an atom
at an inversion centre responds evenly in :math:`u` and its neighbours oddly; forces and Platonic
coordinates under :math:`-u` separate the two. Arrays in, arrays out: forces in eV/Å, lengths in Å,
Platonic coordinates dimensionless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii

from platonic_ase.phonons.chemistry import ELECTRONEGATIVITY, bonded_neighbours

_TINY = 1e-12


@dataclass(frozen=True)
class Probe:
    """One displaced supercell.

    Attributes
    ----------
    atom : int
        The atom that moved.
    displacement : ndarray, shape (3,)
        u in Å.
    forces : ndarray, shape (n_atoms, 3)
        In eV/Å.
    platonic : ndarray, shape (n_atoms, K)
    """

    atom: int
    displacement: np.ndarray
    forces: np.ndarray
    platonic: np.ndarray


@dataclass(frozen=True)
class Rest:
    """The supercell at rest.

    Attributes
    ----------
    numbers : ndarray of int, shape (n_atoms,)
    distances : mapping of int to ndarray, shape (n_atoms,)
        Minimum-image distances, Å, by atom that moves.
    orbits : ndarray of int, shape (n_atoms,)
        Atoms of one label are symmetry-equivalent.
    forces : ndarray, shape (n_atoms, 3)
        Residual forces, eV/Å.
    platonic : ndarray, shape (n_atoms, K)
    """

    numbers: np.ndarray
    distances: Mapping[int, np.ndarray]
    orbits: np.ndarray
    forces: np.ndarray
    platonic: np.ndarray


@dataclass(frozen=True)
class SiteResponse:
    r"""How one atom, moved along one line, and its surroundings respond.

    Attributes
    ----------
    atom, orbit : int
    size : float
        Length of u, Å.
    paired : bool
        Whether :math:`-u` was calculated (or follows by symmetry) too.
    curvature : float
        Restoring curvature :math:`k = -F^{odd}_i \cdot u / \|u\|^2`, eV/Å²; negative where the
        force pushes the atom further out.
    response : float
        :math:`r = \|z_i(u) - z_i(0)\| / \|u\|` of the moved atom, 1/Å.
    total_response : float
        The same over all atoms, root of the sum of squares, 1/Å.
    restoring : float
        :math:`k / r`, the restoring force along u per Platonic displacement of the atom, eV/Å.
    locality : float
        Share of the squared response on the moved atom, in [0, 1].
    spread : float
        Root-mean-square distance of the response from it, in nearest-neighbour distances.
    participation : float
        Effective number of responding atoms, :math:`(\sum r_j^2)^2 / \sum r_j^4`.
    odd_share : float
        Share of the squared response that changes sign with u, in [0, 1]; NaN where not paired.
    force_share : float
        :math:`\|F_i\|^2 / \sum_j \|F_j\|^2`: low where forces alternate and reach far, as they do
        close to an instability.
    neighbour_share : float
        Share of the curvature that bonded neighbours return,
        :math:`\sum_{j \in NN} F_j \cdot u / (-F_i \cdot u)`; 1 for nearest-neighbour springs.
    bond, coordination : float
        Shortest distance, Å, and number of bonded neighbours.
    polarity : float
        Mean difference of Pauling electronegativity to them.
    radius : float
        Covalent radius of the atom, Å.
    stretch : float
        :math:`\ln` of the shortest distance over the sum of covalent radii.
    """

    atom: int
    orbit: int
    size: float
    paired: bool
    curvature: float
    response: float
    total_response: float
    restoring: float
    locality: float
    spread: float
    participation: float
    odd_share: float
    force_share: float
    neighbour_share: float
    bond: float
    coordination: float
    polarity: float
    radius: float
    stretch: float


def response(moved: np.ndarray, rest: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    r"""Platonic response of every atom, :math:`\|z_j(u) - z_j(0)\| / \|u\|`, shape (n_atoms,).

    Parameters
    ----------
    moved, rest : ndarray, shape (n_atoms, K)
    displacement : ndarray, shape (n,)
        u in Å: three components, or the lengths by which several atoms moved.
    """
    return np.asarray(np.linalg.norm(moved - rest, axis=1) / np.linalg.norm(displacement))


def odd_share(plus: np.ndarray, minus: np.ndarray, rest: np.ndarray) -> float:
    r"""Share of the squared response that is odd in u.

    With :math:`o = (z(u) - z(-u)) / 2` and :math:`e = (z(u) + z(-u)) / 2 - z(0)`:
    :math:`\sum \|o_j\|^2 / \sum (\|o_j\|^2 + \|e_j\|^2)`.
    """
    odd = float((((plus - minus) / 2) ** 2).sum())
    even = float((((plus + minus) / 2 - rest) ** 2).sum())
    return odd / max(odd + even, _TINY**2)


def spread(per_atom: np.ndarray, distances: np.ndarray, length: float) -> float:
    r"""Distance of a response from the moved atom, :math:`\sqrt{\sum r_j^2 d_j^2/\sum r_j^2}/l`."""
    weights = per_atom**2
    return float(np.sqrt((weights * distances**2).sum() / max(weights.sum(), _TINY**2)) / length)


def participation(per_atom: np.ndarray) -> float:
    r"""Effective number of responding atoms, :math:`(\sum r_j^2)^2 / \sum r_j^4`."""
    weights = per_atom**2
    return float(weights.sum() ** 2 / max((weights**2).sum(), _TINY**3))


def opposite(one: Probe, other: Probe) -> bool:
    """Whether two probes move one atom by u and by -u."""
    tolerance = 1e-3 * float(np.linalg.norm(one.displacement))
    return one.atom == other.atom and bool(
        np.linalg.norm(one.displacement + other.displacement) < tolerance
    )


def site_response(rest: Rest, plus: Probe, minus: Probe | None = None) -> SiteResponse:
    """Response to one displacement, together with the opposite one where it is known.

    Parameters
    ----------
    rest : Rest
    plus, minus : Probe
        At u and at -u.
    """
    i, u = plus.atom, plus.displacement
    size = float(np.linalg.norm(u))
    distances = rest.distances[i]
    neighbours = bonded_neighbours(distances, i)
    bond = float(distances[neighbours].min()) if neighbours.any() else 1.0
    per_atom = response(plus.platonic, rest.platonic, u)
    if minus is None:
        odd_forces = plus.forces - rest.forces
        odd = np.nan
    else:
        odd_forces = (plus.forces - minus.forces) / 2
        per_atom = (per_atom + response(minus.platonic, rest.platonic, u)) / 2
        odd = odd_share(plus.platonic, minus.platonic, rest.platonic)
    along = odd_forces @ u
    own = -float(along[i])
    squares = (odd_forces**2).sum(axis=1)
    own_radius = float(covalent_radii[rest.numbers[i]])
    around = rest.numbers[neighbours]
    return SiteResponse(
        atom=i,
        orbit=int(rest.orbits[i]),
        size=size,
        paired=minus is not None,
        curvature=own / size**2,
        response=float(per_atom[i]),
        total_response=float(np.sqrt((per_atom**2).sum())),
        restoring=own / size**2 / max(float(per_atom[i]), 1e-6),
        locality=float(per_atom[i] ** 2 / max((per_atom**2).sum(), _TINY**2)),
        spread=spread(per_atom, distances, bond),
        participation=participation(per_atom),
        odd_share=odd,
        force_share=float(squares[i] / max(squares.sum(), _TINY**2)),
        neighbour_share=float(along[neighbours].sum() / _away_from_zero(own)),
        bond=bond,
        coordination=float(max(neighbours.sum(), 1)),
        polarity=_mean(np.abs(ELECTRONEGATIVITY[around] - ELECTRONEGATIVITY[rest.numbers[i]])),
        radius=own_radius,
        stretch=float(np.log(bond / (own_radius + _mean(covalent_radii[around], own_radius)))),
    )


def _mean(values: np.ndarray, empty: float = 0.0) -> float:
    return float(values.mean()) if len(values) else empty


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else float(np.copysign(_TINY, value))
