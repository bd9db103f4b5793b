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


def site_signal(frame: Frame, orbits: Orbits, ratios: np.ndarray, limit: float) -> Signal:
    """Whether an orbit of four atoms or more has left its sites.

    Parameters
    ----------
    frame : Frame
    orbits : Orbits
    ratios : ndarray, shape (n_orbits,)
        Of :func:`lindemann_ratios`.
    limit : float
        Alarm from this ratio on.
    """
    large = np.where(orbits.sizes >= 4, ratios, 0.0)
    orbit = int(large.argmax())
    ratio, numbers = float(large[orbit]), frame.atoms.numbers
    alarming = ratio >= limit

    def message() -> str:
        label = equivalent(numbers, np.flatnonzero(orbits.labels == orbit))
        return (
            f"{label} have left their sites in {orbits.space_group}: they are off by "
            f"{ratio:.2f} of the distance between neighbours (rms); beyond {limit:g} crystals "
            "melt, transform or let atoms diffuse."
        )

    return Signal(
        kind="left_sites",
        level=ratio / limit,
        value=ratio,
        threshold=limit,
        unit="of the nearest-neighbour distance",
        message=message,
        advice=(
            "If that is not meant, lower the temperature or the time step; if it is, call "
            "reset_reference of the calculator."
        ),
        atoms=tuple(np.flatnonzero(orbits.labels == orbit).tolist()) if alarming else (),
        category=SymmetryWarning,
    )
