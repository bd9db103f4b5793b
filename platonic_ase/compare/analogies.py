"""Families of crystals for embedding arithmetic, generated from prototypes and radii."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from platonic_ase.compare.measures.arithmetic import grid_analogies
from platonic_ase.crystals.building import build

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Family:
    """Compounds AB (or ABX) on a grid of two elements.

    Attributes
    ----------
    name : str
    first, second : str
        Symbols of A and of B.
    charges : tuple of int
        Formal charges, which set the size.
    prototypes : tuple of str
        The first is the one of the analogies; the others are polymorphs that compete with it, so
        that composition alone does not give the answer away.
    rest : tuple of int
        Atomic numbers of the species after A and B.
    """

    name: str
    first: str
    second: str
    charges: tuple[int, ...]
    prototypes: tuple[str, ...]
    rest: tuple[int, ...] = ()


FAMILIES = (
    Family("halides", "Li Na K Rb Cs", "F Cl Br I", (1, -1), ("rocksalt", "cscl", "zincblende")),
    Family("oxides", "Mg Ca Sr Ba", "O S Se Te", (2, -2), ("rocksalt", "cscl", "zincblende")),
    Family("III-V", "B Al Ga In", "N P As Sb", (3, -3), ("zincblende", "wurtzite", "rocksalt")),
    Family("perovskites", "Ca Sr Ba Pb", "Ti Zr Hf Sn", (2, 4, -2), ("perovskite",), (8,)),
)
ELEMENTS = "fcc"
"""Lattice of the elements in analogies such as NaCl - Na + K → KCl."""


def analogy_structures() -> list[Atoms]:
    """All crystals of all families, and the elements A of the binaries.

    Returns
    -------
    list of Atoms
        ``info`` holds ``family``, ``prototype``, ``first`` and ``second`` (empty for elements).
    """
    structures: list[Atoms] = []
    elements: set[str] = set()
    for family in FAMILIES:
        for prototype in family.prototypes:
            for a in family.first.split():
                for b in family.second.split():
                    numbers = [atomic_numbers[a], atomic_numbers[b], *family.rest]
                    atoms = build(prototype, numbers, family.charges)
                    structures.append(_labelled(atoms, family.name, prototype, a, b))
        if not family.rest:
            elements |= set(family.first.split())
    for symbol in sorted(elements):
        atoms = build(ELEMENTS, [atomic_numbers[symbol]])
        structures.append(_labelled(atoms, "elements", ELEMENTS, symbol, ""))
    return structures


def family_analogies(structures: list[Atoms]) -> dict[str, np.ndarray]:
    """Analogies of each family, as indices into the structures.

    Two kinds of each: within the compounds, (A, X) - (B, X) + (B, Y) → (A, Y), and for binaries
    those with elements, such as NaCl - Na + K → KCl, under ``"<family> with elements"``.

    Returns
    -------
    dict of str to ndarray, shape (n_analogies, 4)
        Rows (a, b, c, d) with a - b + c → d, for
        :func:`~platonic_ase.compare.measures.arithmetic.score_analogies`.
    """
    found = {}
    for family in FAMILIES:
        rows = [
            i
            for i, atoms in enumerate(structures)
            if (atoms.info["family"] == family.name)
            and atoms.info["prototype"] == family.prototypes[0]
        ]
        elements = [
            i
            for i, atoms in enumerate(structures)
            if atoms.info["family"] == "elements" and atoms.info["first"] in family.first.split()
        ]
        plain = _grid(structures, rows)
        if len(plain):
            found[family.name] = plain
        if not family.rest and elements:
            everything = _grid(structures, rows + elements)
            mixed = everything[np.isin(everything, elements).any(axis=1)]
            mixed = mixed[~np.isin(mixed[:, 3], elements)]  # the answer is a compound
            if len(mixed):
                found[f"{family.name} with elements"] = mixed
    return found


def composition_vectors(structures: list[Atoms]) -> np.ndarray:
    """Share of each element in each structure, shape (n, 118): what needs no model at all."""
    vectors = np.zeros((len(structures), len(chemical_symbols)))
    for row, atoms in zip(vectors, structures, strict=True):
        np.add.at(row, atoms.numbers, 1 / len(atoms))
    return vectors[:, 1:]


def _grid(structures: list[Atoms], rows: list[int]) -> np.ndarray:
    if len(rows) < 4:
        return np.empty((0, 4), int)
    labels = [(structures[i].info["first"], structures[i].info["second"]) for i in rows]
    quads = grid_analogies([a for a, _ in labels], [b for _, b in labels])
    return np.asarray(rows)[quads]


def _labelled(atoms: Atoms, family: str, prototype: str, first: str, second: str) -> Atoms:
    atoms.info = {"family": family, "prototype": prototype, "first": first, "second": second}
    return atoms
