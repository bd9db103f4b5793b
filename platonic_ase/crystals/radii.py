"""Bond lengths and atomic volumes from radii, to set the size of generated crystals.

Three rules cover the periodic table to a few percent in length:

- ionic bonds add effective radii for six-fold coordination (R. D. Shannon, Acta Cryst. A 32,
  751 (1976)), moved to other coordination numbers with the bond-valence slope
  ``d(n) = d(6) + 0.37 ln(n / 6)`` Å (I. D. Brown and D. Altermatt, Acta Cryst. B 41, 244 (1985));
- soft pairs (a small difference of Pauling electronegativities) are shortened towards the sum of
  covalent radii (B. Cordero et al., Dalton Trans. 2832 (2008), as in ``ase.data``);
- metals add atomic volumes (Zen's law), taken from the lattices in ``ase.data``.
"""

from __future__ import annotations

from functools import cache
from math import log

from ase.data import atomic_numbers, chemical_symbols, covalent_radii, reference_states

__all__ = ["atomic_volume", "bond_length", "covalent_length", "ionic_radius"]

BOND_VALENCE_SLOPE = 0.37
"""Å per unit of ln(coordination number)."""

# Shannon's effective radii for six-fold coordination (high spin) in Å: symbol, then charge:radius.
# Where he lists no six-fold radius it is his value for another coordination number moved to six
# (Sm2+, Nd2+, Ru7+, Os8+), or what the known crystals ask for (H-, Sn2+, Kr2+, Xe2+). Anions of
# charge -3 and -4 are fitted to the rocksalt phases of rare earths and early transition metals;
# F-, Se2- and Te2- are 0.03-0.06 Å below Shannon's, as the rocksalt phases ask.
_IONIC = """
H 1:-0.18 -1:1.46;Li 1:0.76;Be 2:0.45;B 3:0.27;C 4:0.16 -4:1.55;N 5:0.13 3:0.16 -3:1.50;O -2:1.40
F 7:0.08 -1:1.30;Na 1:1.02;Mg 2:0.72;Al 3:0.535;Si 4:0.40 -4:2.05;P 5:0.38 3:0.44 -3:1.96
S 6:0.29 4:0.37 -2:1.84;Cl 7:0.27 -1:1.81;K 1:1.38;Ca 2:1.00;Sc 3:0.745;Ti 4:0.605 3:0.67 2:0.86
V 5:0.54 4:0.58 3:0.64 2:0.79;Cr 6:0.44 4:0.55 3:0.615 2:0.80;Mn 7:0.46 4:0.53 3:0.645 2:0.83
Fe 4:0.585 3:0.645 2:0.78;Co 4:0.53 3:0.61 2:0.745;Ni 4:0.48 3:0.60 2:0.69;Cu 3:0.54 2:0.73 1:0.77
Zn 2:0.74;Ga 3:0.62;Ge 4:0.53 2:0.73 -4:2.08;As 5:0.46 3:0.58 -3:2.02;Se 6:0.42 4:0.50 -2:1.95
Br 7:0.39 -1:1.96;Kr 2:0.80;Rb 1:1.52;Sr 2:1.18;Y 3:0.90;Zr 4:0.72;Nb 5:0.64 4:0.68 3:0.72
Mo 6:0.59 5:0.61 4:0.65 3:0.69;Tc 7:0.56 5:0.60 4:0.645;Ru 7:0.54 5:0.565 4:0.62 3:0.68
Rh 5:0.55 4:0.60 3:0.665;Pd 4:0.615 3:0.76 2:0.86;Ag 3:0.75 2:0.94 1:1.15;Cd 2:0.95;In 3:0.80
Sn 4:0.69 2:1.12 -4:2.20;Sb 5:0.60 3:0.76 -3:2.18;Te 6:0.56 4:0.97 -2:2.15;I 7:0.53 5:0.95 -1:2.20
Xe 8:0.48 2:0.85;Cs 1:1.67;Ba 2:1.35;La 3:1.032;Ce 4:0.87 3:1.01;Pr 4:0.85 3:0.99;Nd 3:0.983 2:1.18
Pm 3:0.97;Sm 3:0.958 2:1.16;Eu 3:0.947 2:1.17;Gd 3:0.938;Tb 4:0.76 3:0.923;Dy 3:0.912;Ho 3:0.901
Er 3:0.89;Tm 3:0.88 2:1.03;Yb 3:0.868 2:1.02;Lu 3:0.861;Hf 4:0.71;Ta 5:0.64 4:0.68 3:0.72
W 6:0.60 5:0.62 4:0.66;Re 7:0.53 6:0.55 5:0.58 4:0.63;Os 8:0.52 6:0.545 5:0.575 4:0.63
Ir 5:0.57 4:0.625 3:0.68;Pt 5:0.57 4:0.625 2:0.80;Au 5:0.57 3:0.85 1:1.37;Hg 2:1.02 1:1.19
Tl 3:0.885 1:1.50;Pb 4:0.775 2:1.19;Bi 5:0.76 3:1.03 -3:2.23;Ac 3:1.12;Th 4:0.94
Pa 5:0.78 4:0.90 3:1.04;U 6:0.73 5:0.76 4:0.89 3:1.025;Np 6:0.72 5:0.75 4:0.87 3:1.01
Pu 6:0.71 5:0.74 4:0.86 3:1.00
"""

# Pauling electronegativities, Z = 1..94 (zero where there is none).
_ELECTRONEGATIVITY = (
    0, 2.2, 0, 0.98, 1.57, 2.04, 2.55, 3.04, 3.44, 3.98, 0, 0.93, 1.31, 1.61, 1.9, 2.19, 2.58, 3.16,
    0, 0.82, 1.0, 1.36, 1.54, 1.63, 1.66, 1.55, 1.83, 1.88, 1.91, 1.9, 1.65, 1.81, 2.01, 2.18, 2.55,
    2.96, 3.0, 0.82, 0.95, 1.22, 1.33, 1.6, 2.16, 1.9, 2.2, 2.28, 2.2, 1.93, 1.69, 1.78, 1.96, 2.05,
    2.1, 2.66, 2.6, 0.79, 0.89, 1.1, 1.12, 1.13, 1.14, 1.13, 1.17, 1.2, 1.2, 1.1, 1.22, 1.23, 1.24,
    1.25, 1.1, 1.27, 1.3, 1.5, 2.36, 1.9, 2.2, 2.2, 2.28, 2.54, 2.0, 1.62, 2.33, 2.02, 2.0, 2.2,
    2.2, 0.7, 0.9, 1.1, 1.3, 1.5, 1.38, 1.36, 1.28,
)  # fmt: skip

# Å^3 per atom where ase.data has no close-packed lattice to take it from: the volume that the atom
# has in its alloys, or, in the last line, in its own solid.
_VOLUME = {
    "H": 3.0, "B": 4.2, "C": 5.5, "N": 7.0, "O": 8.0, "F": 10.0, "Si": 14.5, "P": 13.0, "S": 15.0,
    "Cl": 20.0, "Mn": 11.5, "Ga": 17.5, "Ge": 17.0, "As": 16.5, "Se": 19.0, "Br": 26.0, "In": 24.5,
    "Sn": 24.0, "Sb": 23.5, "Te": 27.0, "I": 34.0, "Hg": 23.0, "Bi": 29.5,
    "He": 12.0, "Pm": 33.5, "Sm": 33.2, "Pa": 24.9, "U": 20.8, "Np": 19.3, "Pu": 20.5,
}  # fmt: skip


# What is left of the elemental volume in compounds with other metals, where it is far below one:
# electropositive metals give their outer electrons away (mean over Zintl and Laves phases).
_ALLOYED = dict.fromkeys(("Li", "Na", "K", "Rb", "Cs"), 0.78)
_ALLOYED |= dict.fromkeys(("Ca", "Sr", "Ba", "Eu", "Yb"), 0.85) | {"Al": 0.90}


def _parse_ionic() -> dict[int, dict[int, float]]:
    table: dict[int, dict[int, float]] = {}
    for entry in _IONIC.replace("\n", ";").strip(";").split(";"):
        symbol, *pairs = entry.split()
        charges = (pair.split(":") for pair in pairs)
        table[atomic_numbers[symbol]] = {int(charge): float(radius) for charge, radius in charges}
    return table


_IONIC_RADII = _parse_ionic()


def ionic_radius(number: int, charge: int) -> float:
    """Effective six-fold ionic radius in Å; for a charge not listed, that of the nearest charge.

    Parameters
    ----------
    number
        Atomic number.
    charge
        Formal charge; only charges of the same sign are considered.

    Raises
    ------
    ValueError
        If no radius of that sign is known.
    """
    listed = {q: r for q, r in _IONIC_RADII.get(number, {}).items() if q * charge > 0}
    if not listed:
        raise ValueError(
            f"no ionic radius for Z={number} with charge {charge:+d}; known charges: "
            f"{sorted(_IONIC_RADII.get(number, {}))}. Use another charge or an additive volume."
        )
    return listed[min(listed, key=lambda q: (abs(q - charge), q))]


def covalent_length(first: int, second: int, coordination: float) -> float:
    """Sum in Å of covalent radii, taken as four-fold and moved to the coordination number."""
    total = float(covalent_radii[first] + covalent_radii[second])
    return total + BOND_VALENCE_SLOPE * log(coordination / 4)


def bond_length(
    cation: int,
    cation_charge: int,
    anion: int,
    anion_charge: int,
    cation_coordination: float,
    anion_coordination: float,
) -> float:
    """Length in Å of a cation-anion bond from radii, charges and coordination numbers.

    Parameters
    ----------
    cation, anion
        Atomic numbers.
    cation_charge, anion_charge
        Formal charges.
    cation_coordination, anion_coordination
        Numbers of bonded neighbours.
    """
    covalent = covalent_length(cation, anion, cation_coordination)
    if {cation, anion} <= {6, 14, 32}:
        return covalent
    radius = ionic_radius(cation, cation_charge)
    shift = BOND_VALENCE_SLOPE * log(cation_coordination / 6)
    if shift < 0 and cation_charge <= 2 and radius > 0.95 and _ELECTRONEGATIVITY[cation] < 1.1:
        shift *= 0.3  # Shannon: large alkali and alkaline-earth ions hardly shrink when four-fold
    anion_radius = ionic_radius(anion, anion_charge)
    if anion in (8, 9):  # Shannon's radii of O and F, 1.35 Å two-fold to 1.42 Å eight-fold
        anion_radius += 0.0125 * (anion_coordination - 6)
    if anion_charge <= -3:  # pnictides and tetrelides: fitted at six, wider in antifluorites
        anion_radius += 0.09 * max(anion_coordination - 6, 0)
    if anion == 1 and _ELECTRONEGATIVITY[cation] > 1.05:
        anion_radius = 1.22  # hydrogen in d- and f-metals, where Shannon's hydride is too large
    ionic = radius + anion_radius + shift
    difference = _ELECTRONEGATIVITY[anion] - _ELECTRONEGATIVITY[cation]
    covalency = 0.5 * min(max((1.5 - difference) / 0.25, 0.0), 1.0)
    return ionic + covalency * min(covalent - ionic, 0.0)


@cache
def atomic_volume(number: int, alloyed: bool = False) -> float:
    """Volume in Å^3 of one atom in a close-packed lattice.

    Parameters
    ----------
    number
        Atomic number.
    alloyed
        Whether its neighbours are other elements, among which electropositive metals shrink.

    Raises
    ------
    ValueError
        If there is neither a tabulated volume nor a simple lattice in ``ase.data``.
    """
    symbol = chemical_symbols[number]
    if alloyed:
        return atomic_volume(number) * _ALLOYED.get(symbol, 1.0)
    if symbol in _VOLUME:
        return _VOLUME[symbol]
    lattice = reference_states[number] or {}
    a = lattice.get("a", 0.0)
    per_atom = {"fcc": 1 / 4, "bcc": 1 / 2, "hcp": 3**0.5 / 4 * lattice.get("c/a", 0.0)}
    factor = per_atom.get(lattice.get("symmetry", ""), 0.0)
    if not factor * a:
        if symbol == "Tl":
            return 28.6
        raise ValueError(
            f"no atomic volume for {symbol} (Z={number}): ase.data lists "
            f"{lattice.get('symmetry')!r}, not fcc, bcc or hcp. Add it to the volume table."
        )
    return float(factor * a**3)
