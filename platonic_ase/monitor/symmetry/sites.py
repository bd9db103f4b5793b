"""Have the atoms of a crystal in motion left their sites?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.errors import SymmetryWarning
from platonic_ase.monitor.diagnosis import Signal
from platonic_ase.monitor.frame import Frame
from platonic_ase.monitor.symmetry.members import equivalent
from platonic_ase.monitor.symmetry.orbits import Orbits, fractional_shift

if TYPE_CHECKING:
    from ase import Atoms


def lindemann_ratios(orbits: Orbits, atoms: Atoms, shift: np.ndarray | None = None) -> np.ndarray:
    r"""How far the atoms of each orbit are from their sites, relative to their spacing.

    .. math:: L_g = \sqrt{\langle \|u_i\|^2 / r_i^2 \rangle_{i \in g}}

    with displacements :math:`u_i` from the reference sites (drift removed) and nearest-neighbour
    distances :math:`r_i`. Crystals melt at about 0.1 to 0.2 (Lindemann, Phys. Z. 11, 609 (1910)).

    Parameters
    ----------
    orbits : Orbits
    atoms : Atoms
        Live geometry, same atoms in the same order.
    shift : ndarray, shape (n_atoms, 3), optional
        Of :func:`fractional_shift`, where it is known.

    Returns
    -------
    ndarray, shape (n_orbits,)
    """
    shift = fractional_shift(orbits, atoms) if shift is None else shift
    displacements = shift @ atoms.cell.array
    squares = np.einsum("ij,ij->i", displacements, displacements) / orbits.spacing**2
    return np.asarray(np.sqrt(np.bincount(orbits.labels, weights=squares) / orbits.sizes))


def astray(orbits: Orbits, cell: np.ndarray, shift: np.ndarray, members: np.ndarray) -> int:
    """How many atoms are nearer to another site than to their own.

    Parameters
    ----------
    orbits : Orbits
    cell : ndarray, shape (3, 3)
        Of the live geometry, Å.
    shift : ndarray, shape (n_atoms, 3)
        Of :func:`fractional_shift`.
    members : ndarray of int
        The atoms that are asked for.
    """
    from scipy.spatial import cKDTree

    span = np.arange(-1, 2)
    images = np.stack(np.meshgrid(span, span, span), axis=-1).reshape(-1, 1, 3)
    sites = orbits.fractional % 1.0
    tree = cKDTree((sites + images).reshape(-1, 3) @ cell)
    _, nearest = tree.query((sites + shift)[members] @ cell)
    return int((nearest % len(sites) != members).sum())


def site_signal(
    frame: Frame, orbits: Orbits, shift: np.ndarray, ratios: np.ndarray, limit: float
) -> Signal:
    """Whether an orbit of four atoms or more is far off its sites.

    One geometry shows how far, and whether each atom is still nearest to its own site; it does not
    show whether the atoms swing about their sites or rest off them.

    Parameters
    ----------
    frame : Frame
    orbits : Orbits
    shift : ndarray, shape (n_atoms, 3)
        Of :func:`fractional_shift`.
    ratios : ndarray, shape (n_orbits,)
        Of :func:`lindemann_ratios`.
    limit : float
        Alarm from this ratio on.
    """
    large = np.where(orbits.sizes >= 4, ratios, 0.0)
    orbit = int(large.argmax())
    ratio, numbers = float(large[orbit]), frame.atoms.numbers
    members, cell = np.flatnonzero(orbits.labels == orbit), frame.atoms.cell.array
    alarming = ratio >= limit

    def message() -> str:
        count = astray(orbits, cell, shift, members)
        known = "each still nearest to its own, as in wide swings or tilts"
        if count:
            known = f"{count} nearer to another, as in melting or diffusion"
        return (
            f"{equivalent(numbers, members)} are off their sites in {orbits.space_group} by "
            f"{ratio:.2f} of the distance between neighbours (rms, more than {limit:g}), {known}."
        )

    return Signal(
        kind="left_sites",
        level=ratio / limit,
        value=ratio,
        threshold=limit,
        unit="of the nearest-neighbour distance",
        message=message,
        advice=(
            "If it is not meant, lower the temperature or the time step; that atoms rest off their "
            "sites is an alarm of its own."
        ),
        atoms=tuple(members.tolist()) if alarming else (),
        category=SymmetryWarning,
    )
