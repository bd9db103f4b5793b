"""Does a run begin at a frame of a trajectory, in which thermal motion hides the symmetry?"""

from __future__ import annotations

import numpy as np

from platonic_ase.monitor.frame import Frame

NOTICE = (
    "The run starts from a structure without any symmetry (P1) and out of equilibrium, such as a "
    "frame of molecular dynamics, so that broken symmetry cannot be watched. Give the ideal "
    "structure, atoms in the same order: reset_reference(atoms), or --ideal STRUCTURE in the shell."
)
_FORCE = 0.1
"""eV/Å that the median atom feels in a crystal at room temperature or rattled by some 0.02 Å. In
the images of a band and in displaced supercells, few atoms feel any."""


def is_displaced(frame: Frame) -> bool:
    """Whether the atoms move, or most of them are out of equilibrium.

    Parameters
    ----------
    frame : Frame
        With forces, unless there are momenta.
    """
    momenta = frame.atoms.arrays.get("momenta")
    if momenta is not None and np.any(momenta):
        return True
    forces = frame.results.get("forces")
    if forces is None:
        return False
    return bool(np.median(np.linalg.norm(forces, axis=1)) > _FORCE)
