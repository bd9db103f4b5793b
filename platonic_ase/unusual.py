"""What is suspicious about a structure, one sentence each, with the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

MIN_CONTACT = 0.6
"""Contacts below this fraction of the sum of covalent radii are reported as overlapping atoms."""

ISOLATED = 6.0
"""Å without any neighbour after which an atom counts as isolated: a usual cutoff of the models."""

_LISTED = 8  # atoms named in a message before "and n more"


def named(atoms: Atoms, indices: np.ndarray) -> str:
    """Atoms by symbol and index, as ``Na3, Cl7 and 2 more``."""
    names = [f"{atoms.symbols[i]}{i}" for i in indices[:_LISTED]]
    rest = len(indices) - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest else "")


def find_overlaps(atoms: Atoms) -> str:
    """Warning about atoms that are far closer than a bond, or nothing."""
    from ase.neighborlist import neighbor_list  # imports scipy

    radii = [MIN_CONTACT * float(r) for r in covalent_radii[atoms.numbers]]
    first, second, distance = neighbor_list("ijd", atoms, radii)
    if not len(first):
        return ""
    closest = int(np.argmin(distance))
    pair = np.array([first[closest], second[closest]])
    limit = radii[pair[0]] + radii[pair[1]]
    n_atoms = len(np.unique(first))
    return (
        f"overlapping atoms: {' and '.join(named(atoms, pair[k : k + 1]) for k in (0, 1))} are "
        f"{distance[closest]:.2f} Å apart, below {limit:.2f} Å ({MIN_CONTACT:g} of their covalent "
        f"radii), {n_atoms} atom{'s' if n_atoms > 1 else ''} concerned. Check for duplicated or "
        "partly occupied sites and for the unit of length, or relax before running dynamics."
    )


def find_isolated(atoms: Atoms) -> str:
    """Warning about atoms without neighbours, or nothing."""
    from ase.neighborlist import neighbor_list  # imports scipy

    alone = np.setdiff1d(np.arange(len(atoms)), neighbor_list("i", atoms, ISOLATED))
    if not len(alone):
        return ""
    return (
        f"isolated atoms: {named(atoms, alone)} ha{'s' if len(alone) == 1 else 've'} no neighbour "
        f"within {ISOLATED:g} Å: a potential trained on crystals knows nothing about it. Check the "
        "cell and the unit of length, or remove the atom if it has evaporated."
    )


def find_left_handed(atoms: Atoms) -> str:
    """Warning about a left-handed cell, which models compute but some tools refuse, or nothing."""
    if atoms.cell.rank < 3 or atoms.cell.handedness > 0:
        return ""
    return (
        "the cell is left-handed; energies and forces do not depend on it, but phonopy and other "
        "tools refuse it. Exchange two vectors, the lattice stays the same: "
        "atoms.set_cell(atoms.cell[[1, 0, 2]]); atoms.pbc = atoms.pbc[[1, 0, 2]]."
    )


def find_partial_occupancy(atoms: Atoms) -> str:
    """Warning about sites of a CIF that are shared or not always occupied, or nothing."""
    sites = atoms.info.get("occupancy")
    if not isinstance(sites, Mapping):
        return ""
    shared = [
        " + ".join(f"{share:g} {symbol}" for symbol, share in site.items())
        for site in map(_shares, sites.values())
        if len(site) > 1 or min(site.values(), default=1) < 0.999
    ]
    if not shared:
        return ""
    rest = len(shared) - 3
    return (
        f"partial occupancy: {', '.join(shared[:3])}{f' and {rest} more' if rest > 0 else ''}; the "
        "structure is computed as if each such site were fully occupied by its main element. Make "
        "an ordered supercell, or an ensemble of them."
    )


def _shares(site: Any) -> dict[str, float]:
    """Shares of the elements of a site; what is no number, as in a broken file, counts as whole."""
    if not isinstance(site, Mapping):
        return {}
    return {str(k): float(v) if isinstance(v, Real) else 1.0 for k, v in site.items()}


def find_no_periodicity(atoms: Atoms) -> str:
    """Warning about a molecule handed to a potential for crystals, or nothing."""
    if atoms.pbc.any():
        return ""
    return (
        "not periodic: potentials trained on crystals expect a periodic cell, and some ignore "
        "pbc=False. Centre the structure in a vacuum box: atoms.center(vacuum=8.0); "
        "atoms.pbc = True."
    )
