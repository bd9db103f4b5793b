"""Per-atom diagnostics as arrays of a structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.monitor.diagnosis import Diagnosis

if TYPE_CHECKING:
    from ase import Atoms

PREFIX = "platonic_"


def annotate(atoms: Atoms, diagnosis: Diagnosis) -> Atoms:
    """Write per-atom values and flags to a structure, in place.

    Parameters
    ----------
    atoms : Atoms
        Gets arrays ``platonic_<name>``, shape (n_atoms,), and ``platonic_flagged`` (0 or 1):
        atoms named by an alarm that is up now. extxyz, ASE GUI and OVITO show them.
    diagnosis : Diagnosis
        Of the same atoms in the same order.

    Returns
    -------
    Atoms
        The same object.
    """
    for name, values in diagnosis.per_atom.items():
        atoms.set_array(PREFIX + name, np.asarray(values, dtype=float), float, ())
    flagged = np.zeros(len(atoms), dtype=int)
    for signal in diagnosis.alarms:
        flagged[list(signal.atoms)] = 1
    atoms.set_array(PREFIX + "flagged", flagged, int, ())
    return atoms
