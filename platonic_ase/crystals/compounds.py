"""Which elements fill which prototypes, and how many of those compounds the pool needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers

from platonic_ase.crystals.building import count_atoms
from platonic_ase.crystals.families import IONIC, LATTICES, MEASURED, METALLIC, NOBLE
from platonic_ase.crystals.radii import atomic_volume

__all__ = ["ELEMENTS", "Compound", "all_compounds", "select_compounds"]

ELEMENTS: tuple[int, ...] = (*range(1, 84), *range(89, 95))
"""Z = 1..83 and 89..94. Po, At, Rn, Fr and Ra are left out: no foundation potential knows them."""


@dataclass(frozen=True)
class Compound:
    """Elements on a prototype, before it is built.

    Attributes
    ----------
    prototype
        Key of ``prototypes.PROTOTYPES``.
    numbers
        Atomic number of each species.
    charges
        Formal charge of each species; empty where volumes are added.
    a, volume, ca, x
        Lattice constant (Å), volume per atom (Å^3), c/a and free coordinate, where they are given
        and not taken from radii or from the prototype.
    """

    prototype: str
    numbers: tuple[int, ...]
    charges: tuple[int, ...] = ()
    a: float | None = None
    volume: float | None = None
    ca: float | None = None
    x: float | None = None


def _numbers(symbols: str) -> tuple[int, ...]:
    return tuple(atomic_numbers[symbol] for symbol in symbols.split(":"))


def _expand(elements: str | tuple[str, ...], take: int) -> Iterator[tuple[int, ...]]:
    """Compounds of a row."""
    if isinstance(elements, str):
        yield from (_numbers(word) for word in elements.split())
        return
    first, second = (column.split() for column in elements)
    for row, symbol in enumerate(first):
        for step in range(take):
            yield _numbers(f"{symbol}:{second[(row + step) % len(second)]}")


def all_compounds() -> list[Compound]:
    """Every compound of the tables once, elements first, in a fixed order."""
    found: list[Compound] = []
    for prototype, symbols, factor in LATTICES:
        for symbol in symbols.split():
            number = atomic_numbers[symbol]
            volume = factor * atomic_volume(number)
            found.append(Compound(prototype, (number,), volume=volume))
    for prototype, word, a, ca, x in MEASURED:
        found.append(Compound(prototype, _numbers(word), a=a, ca=ca, x=x))
    for prototype, charges, elements, take in (*IONIC, *METALLIC):
        found.extend(Compound(prototype, numbers, charges) for numbers in _expand(elements, take))
    for prototype, word, volume in NOBLE:
        found.append(Compound(prototype, _numbers(word), volume=volume))
    unique: dict[tuple[str, tuple[int, ...]], Compound] = {}
    for compound in found:
        unique.setdefault((compound.prototype, compound.numbers), compound)
    return list(unique.values())


def select_compounds(
    found: list[Compound],
    *,
    min_atoms: int = 60,
    min_formulas: int = 8,
    per_kind: int = 2,
    min_cell: int = 4,
) -> list[Compound]:
    """Thin the tables out until every element is covered, and no further.

    All elemental crystals are kept, and the first few compounds of every prototype and set of
    charges; then, one at a time, the compound that
    fills most of what is missing per atom that it costs (the greedy rule for covering problems).

    Parameters
    ----------
    found
        Candidates.
    min_atoms
        Atoms of each element wanted in distorted copies (one strained, two rattled).
    min_formulas
        Distinct formulas wanted for each element.
    per_kind
        Compounds kept of every prototype and set of charges.
    min_cell
        Smallest number of atoms in rattled cells.

    Returns
    -------
    list of Compound
        The chosen ones, in the order of ``found``.
    """
    n = len(found)
    distorted = np.zeros((n, max(ELEMENTS) + 1), dtype=int)
    cost = np.zeros(n, dtype=int)
    formulas = []
    for row, compound in enumerate(found):
        counts = np.array(count_atoms(compound.prototype))
        repeats = 1
        while repeats * counts.sum() < min_cell:
            repeats *= 2
        distorted[row, list(compound.numbers)] = counts * (1 + 2 * repeats)
        cost[row] = counts.sum() * (2 + 2 * repeats)
        reduced = counts // np.gcd.reduce(counts)
        formulas.append(tuple(sorted(zip(compound.numbers, reduced.tolist(), strict=True))))
    present = distorted > 0
    missing_atoms = np.where(present.any(axis=0), min_atoms, 0)
    missing_formulas = np.where(present.any(axis=0), min_formulas, 0)
    new = np.ones(n, dtype=bool)
    chosen = np.zeros(n, dtype=bool)

    def take(row: int) -> None:
        nonlocal missing_atoms, missing_formulas
        chosen[row] = True
        missing_atoms = np.maximum(missing_atoms - distorted[row], 0)
        if new[row]:
            missing_formulas = np.maximum(missing_formulas - present[row], 0)
            new[[formula == formulas[row] for formula in formulas]] = False

    seen: Counter[tuple[str, tuple[int, ...]]] = Counter()
    for row, compound in enumerate(found):
        kind = (compound.prototype, compound.charges)
        if len(compound.numbers) == 1 or seen[kind] < per_kind:
            take(row)
        seen[kind] += 1
    atoms_per_formula = min_atoms // min_formulas
    while True:
        gain = np.minimum(distorted, missing_atoms).sum(axis=1)
        gain += atoms_per_formula * new * (present & (missing_formulas > 0)).sum(axis=1)
        gain[chosen] = 0
        if not gain.any():
            break
        take(int(np.argmax(gain / cost)))
    return [compound for compound, kept in zip(found, chosen, strict=True) if kept]
