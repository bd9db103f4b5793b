"""Groups of the periodic table, and where its elements stand."""

from __future__ import annotations

from ase.data import atomic_numbers


def _numbers(symbols: str) -> frozenset[int]:
    return frozenset(atomic_numbers[symbol] for symbol in symbols.split())


GROUPS: tuple[tuple[str, frozenset[int]], ...] = (
    ("alkali, alkaline earth", _numbers("Li Na K Rb Cs Fr Be Mg Ca Sr Ba Ra")),
    ("transition metal", frozenset({*range(21, 31), *range(39, 49), *range(72, 81)})),
    ("f block", frozenset({*range(57, 72), *range(89, 104)})),
    ("p-block metal, metalloid", _numbers("B Al Si Ga Ge As In Sn Sb Tl Pb Bi Po")),
    ("H, C, N, P", _numbers("H C N P")),
    ("chalcogen", _numbers("O S Se Te")),
    ("halogen", _numbers("F Cl Br I At")),
    ("noble gas", _numbers("He Ne Ar Kr Xe Rn")),
)
"""Name and atomic numbers; together they hold Z = 1 to 103."""

LONG_FORM_WIDTH = 18


def cell(number: int) -> tuple[int, int]:
    """Row and column of an element in the 18-column table; f block in rows 7 and 8.

    Parameters
    ----------
    number : int
        Atomic number, 1 to 118.

    Examples
    --------
    >>> cell(26), cell(92)
    ((3, 7), (8, 5))
    """
    if 57 <= number <= 70:
        return 7, number - 57 + 2
    if 89 <= number <= 102:
        return 8, number - 89 + 2
    starts = (1, 3, 11, 19, 37, 55, 87)
    row = max(i for i, start in enumerate(starts) if number >= start)
    place = number - starts[row]
    if row == 0:
        return 0, 0 if place == 0 else 17
    if row < 3:
        return row, place if place < 2 else place + 10
    if row < 5:
        return row, place
    return row, place if place < 2 else place - 14
