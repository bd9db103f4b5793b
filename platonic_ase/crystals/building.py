"""Filling a crystal prototype with elements and setting its size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from ase import Atoms
from ase.spacegroup import crystal

from platonic_ase.crystals.prototypes import PROTOTYPES
from platonic_ase.crystals.radii import atomic_volume, bond_length

__all__ = ["build", "count_atoms"]


@cache
def _template(name: str, parameters: tuple[float, ...]) -> Atoms:
    """Primitive cell with a = 1 and the prototype's c/a; atomic numbers are 1 + species."""
    prototype = PROTOTYPES[name]
    values = dict(zip("xyz", parameters, strict=False))
    values |= {f"-{key}": -value for key, value in values.items()}
    basis = [
        [values[c] if isinstance(c, str) else c for c in position]
        for _, position in prototype.sites
    ]
    b, ca, *angles = prototype.shape
    scale = 10.0  # spacegroup.crystal compares fractional coordinates; any size of the cell will do
    atoms: Atoms = crystal(
        [1 + species for species, _ in prototype.sites],
        basis,
        spacegroup=prototype.spacegroup,
        setting=prototype.setting,
        cellpar=[scale, scale * b, scale * ca, *angles],
        primitive_cell=True,
        onduplicates="error",
    )
    cell = atoms.cell[:] / scale * atoms.cell.handedness
    positions = atoms.get_scaled_positions() * atoms.cell.handedness
    return Atoms(atoms.numbers, cell=cell, pbc=True, scaled_positions=positions)


def count_atoms(name: str) -> tuple[int, ...]:
    """Count the atoms of each species in the primitive cell."""
    prototype = PROTOTYPES[name]
    numbers = _template(name, prototype.parameters).numbers
    return tuple(int(n) for n in np.bincount(numbers)[1:])


def _mean_contact(atoms: Atoms, cation: int, anion: int, contacts: int) -> float:
    """Mean of the shortest contacts from one cation to the anions, in Å."""
    start = int(np.flatnonzero(atoms.numbers == 1 + cation)[0])
    ends = np.flatnonzero(atoms.numbers == 1 + anion)
    steps = np.arange(-2, 3)
    shifts = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3) @ atoms.cell[:]
    vectors = (atoms.positions[ends] - atoms.positions[start])[:, None] + shifts
    distances = np.sort(np.linalg.norm(vectors, axis=-1).ravel())
    return float(distances[:contacts].mean())


def build(
    name: str,
    numbers: Sequence[int],
    charges: Sequence[int] = (),
    *,
    a: float | None = None,
    volume: float | None = None,
    ca: float | None = None,
    x: float | None = None,
) -> Atoms:
    """Fill a prototype with elements; its size comes from radii unless given.

    Parameters
    ----------
    name
        Key of ``PROTOTYPES``.
    numbers
        Atomic number of each species.
    charges
        Formal charge of each species, for prototypes whose size comes from bonds.
    a
        Lattice constant of the conventional cell in Å, instead of radii.
    volume
        Volume per atom in Å^3, instead of radii.
    ca, x
        Ratio c/a and free coordinate, instead of the prototype's.

    Returns
    -------
    ase.Atoms
        A primitive, periodic, right-handed cell.

    Raises
    ------
    ValueError
        If the number of species is not the prototype's.
    """
    prototype = PROTOTYPES[name]
    if len(numbers) != prototype.n_species:
        raise ValueError(
            f"prototype {name!r} has {prototype.n_species} species, got {len(numbers)} elements: "
            f"{list(numbers)}"
        )
    parameters = prototype.parameters if x is None else (x,)
    template: Atoms = _template(name, parameters).copy()
    if ca is not None:  # c lies along z
        stretch = np.diag([1.0, 1.0, ca / prototype.shape[1]])
        template.set_cell(template.cell[:] @ stretch, scale_atoms=True)
    atoms: Atoms = template.copy()
    atoms.numbers = np.asarray(numbers)[template.numbers - 1]
    if a is not None:
        scale = a
    elif volume is not None or not prototype.bonds or not charges:
        alloyed = len(set(numbers)) > 1
        additive = sum(atomic_volume(int(z), alloyed) for z in atoms.numbers)
        total = additive if volume is None else volume * len(atoms)
        scale = (total / atoms.cell.volume) ** (1 / 3)
    else:
        logarithm = 0.0
        for bond in prototype.bonds:
            cation, anion = bond.cation, bond.anion
            target = bond_length(
                numbers[cation], charges[cation], numbers[anion], charges[anion],
                bond.cation_coordination, bond.anion_coordination,
            )  # fmt: skip
            contacts = bond.contacts or round(bond.cation_coordination)
            found = _mean_contact(template, cation, anion, contacts)
            logarithm += bond.weight * float(np.log(target / found))
        scale = float(np.exp(logarithm))
    atoms.set_cell(template.cell[:] * scale, scale_atoms=True)
    return atoms
