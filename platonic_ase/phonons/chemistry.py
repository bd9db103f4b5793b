"""Chemistry that a structure implies: electronegativities, formal valence, bonded neighbours."""

from __future__ import annotations

from itertools import product

import numpy as np
from ase.data import chemical_symbols

# fmt: off
_PAULING = [
    0.0, 2.2, 0.0, 0.98, 1.57, 2.04, 2.55, 3.04, 3.44, 3.98, 0.0, 0.93, 1.31, 1.61, 1.9, 2.19,
    2.58, 3.16, 0.0, 0.82, 1.0, 1.36, 1.54, 1.63, 1.66, 1.55, 1.83, 1.88, 1.91, 1.9, 1.65, 1.81,
    2.01, 2.18, 2.55, 2.96, 3.0, 0.82, 0.95, 1.22, 1.33, 1.6, 2.16, 1.9, 2.2, 2.28, 2.2, 1.93,
    1.69, 1.78, 1.96, 2.05, 2.1, 2.66, 2.6, 0.79, 0.89, 1.1, 1.12, 1.13, 1.14, 1.13, 1.17, 1.2,
    1.2, 1.1, 1.22, 1.23, 1.24, 1.25, 1.1, 1.27, 1.3, 1.5, 2.36, 1.9, 2.2, 2.2, 2.28, 2.54, 1.8,
    1.62, 1.87, 2.02, 2.0, 2.2, 2.2, 0.7, 0.9, 1.1, 1.3, 1.5, 1.38, 1.36, 1.28,
]
# fmt: on
ELECTRONEGATIVITY = np.array(_PAULING + [1.3] * (119 - len(_PAULING)))
"""Pauling scale by atomic number, 0 for He, Ne and Ar; Pb as Pb(II), Hg 1.8; 1.3 beyond Pu."""

ANION_VALENCE = {
    1: 1, 5: 3, 6: 4, 7: 3, 8: 2, 9: 1, 14: 4, 15: 3, 16: 2, 17: 1, 32: 4, 33: 3, 34: 2, 35: 1,
    50: 4, 51: 3, 52: 2, 53: 1, 82: 4, 83: 3,
}  # fmt: skip
"""Electrons that an atom takes up to complete its shell, by atomic number."""

CATION_VALENCES = {
    **dict.fromkeys((3, 11, 19, 37, 55, 29, 47, 79), (1,)),
    **dict.fromkeys((4, 12, 20, 38, 56, 30, 48, 80), (2,)),
    **dict.fromkeys((5, 13, 31, 49, 81), (3, 1)),
    **dict.fromkeys((6, 14, 32, 50, 82), (4, 2)),
}
"""Electrons that an atom of the s, p and late d blocks gives away, by atomic number."""

_ROUNDING, _IONIC = 1e-6, 0.8
_TAKES, _AS_STRONG = 2.1, 0.85
"""Least electronegativity of a second anion, and how far below the first it may lie."""


ELEMENT_FEATURES = (
    "nonmetals", "electronegativity", "most_electronegative", "period", "group", "d_group",
    "f_elements",
)  # fmt: skip
"""What the elements of a crystal say, see :func:`element_features`."""
_NONMETALS = (1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 32, 33, 34, 35, 51, 52, 53)
_ROWS = ((1, 2), (3, 8), (11, 8), (19, 18), (37, 18), (55, 32), (87, 32))
"""First element and length of the rows of the periodic table."""


def element_features(numbers: np.ndarray) -> dict[str, float]:
    """What the elements of a crystal say: means over its atoms, and the largest electronegativity.

    ``nonmetals``, ``f_elements``: shares of the atoms; ``d_group``: group of those of the d block,
    0 for others.

    Parameters
    ----------
    numbers : ndarray of int, shape (n_atoms,)
    """
    places = np.array([_place(int(z)) for z in numbers])
    d_group = np.where((places[:, 1] >= 3) & (places[:, 1] <= 12), places[:, 1], 0)
    strength = ELECTRONEGATIVITY[numbers]
    f_elements = ((numbers >= 57) & (numbers <= 70)) | (numbers >= 89)
    return {
        "nonmetals": float(np.isin(numbers, _NONMETALS).mean()),
        "electronegativity": float(strength.mean()),
        "most_electronegative": float(strength.max()),
        "period": float(places[:, 0].mean()),
        "group": float(places[:, 1].mean()),
        "d_group": float(d_group.mean()),
        "f_elements": float(f_elements.mean()),
    }


def _place(number: int) -> tuple[int, int]:
    """Period and group of an element; the f block counts as group 3."""
    period, (first, length) = next((k + 1, row) for k, row in enumerate(_ROWS) if number < sum(row))
    column = number - first + 1
    if column <= 2 and (length > 2 or column == 1):
        return period, column
    if length == 32:
        return period, max(column - 14, 3)
    return period, column + 18 - length


def is_polar(numbers: np.ndarray) -> bool:
    """Whether usual valences make the crystal an insulator of ions, such as NaCl, GaAs or SrTiO3.

    An octet binary is; so is a crystal whose usual valences add up to zero, with elements that
    differ in electronegativity by 0.8 or more.

    Parameters
    ----------
    numbers : ndarray of int, shape (n_atoms,)
        Atomic numbers of the crystal.
    """
    elements = np.unique(numbers)
    if len(elements) < 2:
        return False
    if is_octet(numbers):
        return True
    usual = {z: [*_usual_valences(int(z)), ANION_VALENCE.get(int(z), 0)] for z in elements.tolist()}
    valences = formal_valences(numbers)
    whole = all(
        min(abs(valences[numbers == z][0] - each) for each in usual[z]) < _ROUNDING for z in usual
    )
    return whole and float(np.ptp(ELECTRONEGATIVITY[elements])) >= _IONIC


def formal_valences(numbers: np.ndarray) -> np.ndarray:
    """Valence of every atom of a crystal, without sign, shape (n_atoms,).

    The most electronegative element, and others that complete a shell and are as electronegative
    as phosphorus or more, take up their electrons; the other atoms give them, by the usual
    valences that come closest to a neutral crystal, scaled to make it neutral. In elements and
    metals, where nothing takes any, all have valence 1. In an AB crystal both have the valence of
    the anion.

    Parameters
    ----------
    numbers : ndarray of int, shape (n_atoms,)
        Atomic numbers of the crystal, or of a whole multiple of its cell.
    """
    elements = np.unique(numbers)
    strongest = int(elements[np.argmax(ELECTRONEGATIVITY[elements])])
    if len(elements) < 2 or strongest not in ANION_VALENCE:
        return np.ones(len(numbers))
    takes = {strongest} | {
        int(z)
        for z in elements
        if z in ANION_VALENCE
        and ELECTRONEGATIVITY[z] >= _TAKES
        and ELECTRONEGATIVITY[strongest] - ELECTRONEGATIVITY[z] < _AS_STRONG
    }
    takers = np.isin(numbers, list(takes))
    if takers.all():
        takers = numbers == strongest
    taken = float(sum(ANION_VALENCE[int(z)] for z in numbers[takers]))
    valences = np.array([float(ANION_VALENCE.get(int(z), 0)) for z in numbers])
    givers, counts = np.unique(numbers[~takers], return_counts=True)
    gives = min(
        product(*(_usual_valences(int(z)) for z in givers)),
        key=lambda each: abs(float(np.dot(each, counts)) - taken),  # the first of the best
    )
    for z, valence in zip(givers, gives, strict=True):
        valences[numbers == z] = valence * taken / float(np.dot(gives, counts))
    return valences


def _usual_valences(number: int) -> tuple[int, ...]:
    """What an atom gives, usual valences first: by the table, or the place in the d block."""
    if number in CATION_VALENCES:
        return CATION_VALENCES[number]
    for first, last, start in ((21, 28, 3), (39, 46, 3), (72, 78, 4)):
        if first <= number <= last:
            most = min(start + number - first, 6)
            usual = min(most, 4)
            return (usual, *(n for n in (3, 2, 5, 6) if n <= most and n != usual))
    if number in ANION_VALENCE:  # between a metal and an anion: what is left of its octet
        left = 8 - ANION_VALENCE[number]
        return (1,) if number == 1 else (left, left - 2)
    return (3, 2, 4)


def is_octet(numbers: np.ndarray) -> bool:
    """Whether atoms of these atomic numbers are an octet binary."""
    return not why_no_octet(numbers)


def why_no_octet(numbers: np.ndarray) -> str:
    """Why a crystal is no octet binary such as NaCl, ZnS or GaN; empty where it is one.

    An octet binary has as many cations as anions, and each anion takes what one cation of the s, p
    or late d block gives. Hydrides are none: hydrogen completes no octet.

    Parameters
    ----------
    numbers : ndarray of int, shape (n_atoms,)
        Atomic numbers.
    """
    elements, counts = np.unique(numbers, return_counts=True)
    if len(elements) != 2:
        return "the crystal is no binary"
    anion, cation = (int(z) for z in elements[np.argsort(-ELECTRONEGATIVITY[elements])])
    if 1 in (anion, cation):
        return "the crystal is a hydride"
    if counts[0] != counts[1]:
        return "the crystal has not as many cations as anions"
    if ANION_VALENCE.get(anion) not in CATION_VALENCES.get(cation, ()):
        gives, takes = chemical_symbols[cation], chemical_symbols[anion]
        return (
            f"{gives} does not give the electrons that {takes} takes (a metal, or a compound of d "
            "or f electrons)"
        )
    return ""


def bonded_neighbours(distances: np.ndarray, atom: int, tolerance: float = 1.2) -> np.ndarray:
    """Mask of the atoms bonded to one atom.

    Parameters
    ----------
    distances : ndarray, shape (n_atoms,)
        Minimum-image distances to the atom, Å.
    atom : int
        Its index.
    tolerance : float
        Bonded is what is closer than this times the shortest distance.

    Returns
    -------
    ndarray of bool, shape (n_atoms,)
        Without the atom itself; all False where it has no neighbour.
    """
    others = np.array(distances, dtype=float)
    others[atom] = np.inf
    shortest = others.min()
    if not np.isfinite(shortest):
        return np.zeros(len(others), dtype=bool)
    return np.asarray(others < tolerance * shortest)
