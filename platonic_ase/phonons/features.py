r"""Features of a crystal: what all of its displaced supercells say, before any diagonalisation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from ase import units

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.sites import SiteResponse
from platonic_ase.phonons.spectra import SOFTEST_THZ

_THZ = units.second * 1e-12 / (2 * np.pi)
"""Frequency in THz of one eV/Å² per u: ASE's unit of time follows from these."""


@dataclass(frozen=True)
class DisplacementFeatures:
    r"""What the displaced supercells of one crystal say, before any diagonalisation.

    Means over the directions of one atom, then over the symmetry-unique atoms.

    Attributes
    ----------
    stiffness_excess : float
        Mean of :math:`\ln k_i - \ln(v / d_i^3)`: curvature against the law of a lattice of charges
        (Born), with the formal valence v of the atom and bond length d; low where the model is too
        soft for the chemistry.
    log_coordination, bond_polarity, log_valence, log_bond, mean_radius, log_stretch : float
        The chemistry itself; logarithms of the quantities of :class:`SiteResponse`.
    neighbour_share, force_share : float
        As in :class:`SiteResponse`.
    force_odds : float
        :math:`\ln s / (1 - s)` of the force share s.
    n_elements : float
        How many elements the crystal has.
    log_frequency : float
        Ln of the root-mean-square frequency in THz, :math:`\langle k_i / m_i \rangle^{1/2} / 2 \pi`
        over the atoms: the sum of the squares of all frequencies is the trace of the dynamical
        matrix, which the moved atoms alone decide.
    response, locality, spread, participation : float
        As in :class:`SiteResponse`.
    log_response, log_restoring : float
        Means of :math:`\ln r` and of :math:`\ln k / r` (clipped below at :math:`10^{-3}`).
    restoring : float
        Mean of k / r, eV/Å.
    softest_curvature, softest_restoring : float
        Smallest over atoms and directions: negative where a force pushes an atom further out.
    manifold_distance : float
        Mean distance of the atoms at rest to the reference manifold; NaN without one.
    """

    stiffness_excess: float
    log_coordination: float
    bond_polarity: float
    log_valence: float
    log_bond: float
    mean_radius: float
    log_stretch: float
    neighbour_share: float
    force_share: float
    force_odds: float
    n_elements: float
    log_frequency: float
    response: float
    locality: float
    spread: float
    participation: float
    log_response: float
    log_restoring: float
    restoring: float
    softest_curvature: float
    softest_restoring: float
    manifold_distance: float

    def to_dict(self) -> dict[str, float]:
        """Values by name."""
        return {name: getattr(self, name) for name in FEATURES}


FEATURES = tuple(each.name for each in fields(DisplacementFeatures))
LATENT = frozenset(
    {
        "response", "locality", "spread", "participation", "log_response", "log_restoring",
        "restoring", "softest_restoring", "manifold_distance",
    }
)  # fmt: skip
"""Features that depend on the anchors in use."""


def require_known(names: Iterable[str]) -> None:
    """Refuse features that this version does not compute.

    Parameters
    ----------
    names : iterable of str

    Raises
    ------
    SpaceFileError
    """
    if unknown := sorted(set(names) - set(FEATURES)):
        raise SpaceFileError(
            f"unknown features {', '.join(unknown)}; this version of platonic_ase computes "
            f"{', '.join(FEATURES)}"
        )


_AVERAGED = (
    "curvature", "bond", "coordination", "polarity", "radius", "stretch", "neighbour_share",
    "force_share", "response", "locality", "spread", "participation", "restoring",
)  # fmt: skip
_LEAST = [_AVERAGED.index("curvature"), _AVERAGED.index("restoring")]


def orbit_row(responses: Sequence[SiteResponse]) -> np.ndarray:
    """What the responses of the atoms of one orbit say, for :func:`combine`.

    Parameters
    ----------
    responses : sequence of SiteResponse
        At least one.

    Returns
    -------
    ndarray, shape (15,)
        Means, then the smallest curvature and restoring force.
    """
    values = np.array([[getattr(each, name) for name in _AVERAGED] for each in responses])
    return np.concatenate([values.mean(axis=0), values[:, _LEAST].min(axis=0)])


def combine(
    rows: np.ndarray,
    valence: np.ndarray,
    masses: np.ndarray,
    counts: np.ndarray,
    n_elements: int,
    manifold_distance: float = np.nan,
) -> DisplacementFeatures:
    """Features of a crystal from what its orbits say.

    Parameters
    ----------
    rows : ndarray, shape (n_orbits, 15)
        See :func:`orbit_row`; of the orbits of which an atom was moved.
    valence : ndarray, shape (n_orbits,)
        Formal valences of their atoms.
    masses, counts : ndarray, shape (n_orbits,)
        Masses of their atoms, u, and how many they are.
    n_elements : int
        Of the crystal.
    manifold_distance : float
        Mean over the atoms at rest.

    Raises
    ------
    ValueError
        Without an orbit.
    """
    if not len(rows):
        raise ValueError("no displaced supercell: at least one atom has to be moved")
    mean = dict(zip(_AVERAGED, rows.T, strict=False))
    means = rows.mean(axis=0)
    average = dict(zip(_AVERAGED, means.tolist(), strict=False))
    share = average["force_share"]
    log_bond = np.log(mean["bond"])
    squares = float(np.average(mean["curvature"] / masses, weights=counts)) * _THZ**2
    excess = np.log(np.maximum(mean["curvature"], 1e-3)) - np.log(valence) + 3 * log_bond
    return DisplacementFeatures(
        stiffness_excess=float(excess.mean()),
        log_coordination=float(np.log(mean["coordination"]).mean()),
        bond_polarity=average["polarity"],
        log_valence=float(np.log(valence).mean()),
        log_bond=float(log_bond.mean()),
        mean_radius=average["radius"],
        log_stretch=average["stretch"],
        neighbour_share=average["neighbour_share"],
        force_share=share,
        force_odds=float(np.log(max(share, 1e-6) / max(1 - share, 1e-6))),
        n_elements=float(n_elements),
        log_frequency=float(np.log(max(squares, SOFTEST_THZ**2)) / 2),
        response=average["response"],
        locality=average["locality"],
        spread=average["spread"],
        participation=average["participation"],
        log_response=float(np.log(np.maximum(mean["response"], 1e-6)).mean()),
        log_restoring=float(np.log(np.maximum(mean["restoring"], 1e-3)).mean()),
        restoring=average["restoring"],
        softest_curvature=float(rows[:, -2].min()),
        softest_restoring=float(rows[:, -1].min()),
        manifold_distance=float(manifold_distance),
    )
