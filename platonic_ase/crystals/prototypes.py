"""Crystal prototypes: space group, sites, shape, and the contacts that set the size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["PROTOTYPES", "Bond", "Prototype"]

Coordinate = float | str
Site = tuple[int, tuple[Coordinate, Coordinate, Coordinate]]


@dataclass(frozen=True)
class Bond:
    """A cation-anion contact that sets the size of a cell.

    Attributes
    ----------
    cation, anion
        Indices of the two species in the prototype.
    cation_coordination, anion_coordination
        Neighbours counted in the radii.
    weight
        Share in the scale, where several contacts compete.
    contacts
        How many of the shortest contacts of the cation are averaged, if not its coordination.
    """

    cation: int
    anion: int
    cation_coordination: float
    anion_coordination: float
    weight: float = 1.0
    contacts: int | None = None


@dataclass(frozen=True)
class Prototype:
    """A structure type.

    Attributes
    ----------
    spacegroup
        International number of the ideal structure.
    sites
        (species, fractional coordinates) of one atom per orbit; the letters x, y and z stand for
        the free parameters.
    shape
        b/a, c/a and alpha, beta, gamma in degrees of the conventional cell.
    bonds
        What sets the size; with none, atomic volumes are added.
    parameters
        Default values of x, y, z.
    setting
        Origin choice in the sense of ``ase.spacegroup``.
    """

    spacegroup: int
    sites: tuple[Site, ...]
    shape: tuple[float, float, float, float, float] = (1, 1, 90, 90, 90)
    bonds: tuple[Bond, ...] = ()
    parameters: tuple[float, ...] = ()
    setting: int = 1

    @property
    def n_species(self) -> int:
        """Number of distinct species."""
        return 1 + max(species for species, _ in self.sites)


def _cubic(spacegroup: int, *sites: Site, bonds: Sequence[Bond] = (), x: float = 0.0) -> Prototype:
    return Prototype(spacegroup, sites, bonds=tuple(bonds), parameters=(x,))


def _tetragonal(
    spacegroup: int, ca: float, *sites: Site, bonds: Sequence[Bond] = (), x: float = 0.0,
    setting: int = 1,
) -> Prototype:  # fmt: skip
    return Prototype(spacegroup, sites, (1, ca, 90, 90, 90), tuple(bonds), (x,), setting)


def _hexagonal(
    spacegroup: int, ca: float, *sites: Site, bonds: Sequence[Bond] = (), x: float = 0.0
) -> Prototype:
    return Prototype(spacegroup, sites, (1, ca, 90, 90, 120), tuple(bonds), (x,))


_O = (0.0, 0.0, 0.0)
_Q = (0.25, 0.25, 0.25)
_H = (0.5, 0.5, 0.5)
_T = (0.75, 0.75, 0.75)
_X: tuple[Coordinate, Coordinate, Coordinate] = ("x", "x", "x")


def _z(z: float) -> tuple[float, float, float]:
    return (0.0, 0.0, z)


def _t(z: float) -> tuple[float, float, float]:
    return (1 / 3, 2 / 3, z)


def _b(cation_coordination: float, anion_coordination: float) -> tuple[Bond, ...]:
    return (Bond(0, 1, cation_coordination, anion_coordination),)


_PEROVSKITE = (Bond(1, 2, 6, 2, 0.75), Bond(0, 2, 12, 2, 0.25))
_SCHEELITE = (Bond(0, 2, 8, 3, 0.75), Bond(1, 2, 4, 3, 0.25))

PROTOTYPES: dict[str, Prototype] = {
    # elements
    "fcc": _cubic(225, (0, _O)),
    "bcc": _cubic(229, (0, _O)),
    "sc": _cubic(221, (0, _O)),
    "diamond": _cubic(227, (0, _O)),
    "hcp": _hexagonal(194, 8**0.5 / 3**0.5, (0, _t(0.25))),
    "dhcp": _hexagonal(194, 3.23, (0, _O), (0, _t(0.25))),
    "omega": _hexagonal(191, 0.62, (0, _O), (0, _t(0.5))),
    "bct": _tetragonal(139, 1.52, (0, _O)),
    "beta-tin": _tetragonal(141, 0.546, (0, _O)),
    "graphite": _hexagonal(194, 2.726, (0, _z(0.25)), (0, _t(0.25))),
    "a7": _hexagonal(166, 2.62, (0, (0, 0, "x")), x=0.234),
    "selenium": _hexagonal(152, 1.20, (0, ("x", 0, 1 / 3)), x=0.235),
    "alpha-uranium": Prototype(
        63, ((0, (0, "x", 0.25)),), (2.057, 1.736, 90, 90, 90), (), (0.105,)
    ),
    "dimer": _cubic(205, (0, _X), x=0.06),
    # binaries
    "rocksalt": _cubic(225, (0, _O), (1, _H), bonds=_b(6, 6)),
    "zincblende": _cubic(216, (0, _O), (1, _Q), bonds=_b(4, 4)),
    "wurtzite": _hexagonal(186, 1.633, (0, _t(0)), (1, _t(0.375)), bonds=_b(4, 4)),
    "cscl": _cubic(221, (0, _O), (1, _H), bonds=_b(8, 8)),
    "nias": _hexagonal(194, 1.55, (0, _O), (1, _t(0.25)), bonds=_b(6, 6)),
    "litharge": _tetragonal(
        129, 1.28, (0, (0.25, 0.25, "x")), (1, (0.75, 0.25, 0)), bonds=_b(4, 4), x=0.24, setting=2
    ),
    "hexagonal-bn": _hexagonal(194, 2.66, (0, _t(0.25)), (1, _t(0.75)), bonds=_b(3, 3)),
    "fluorite": _cubic(225, (0, _O), (1, _Q), bonds=_b(8, 4)),
    "antifluorite": _cubic(225, (1, _O), (0, _Q), bonds=_b(4, 8)),
    "rutile": _tetragonal(136, 0.65, (0, _O), (1, ("x", "x", 0)), bonds=_b(6, 3), x=0.305),
    "cadmium-iodide": _hexagonal(164, 1.6, (0, _O), (1, _t(0.25)), bonds=_b(6, 3)),
    "molybdenite": _hexagonal(194, 3.89, (0, _t(0.25)), (1, _t(0.621)), bonds=_b(6, 3)),
    "cristobalite": _cubic(227, (0, _O), (1, (0.125, 0.125, 0.125)), bonds=_b(4, 2)),
    "quartz": _hexagonal(
        154, 1.10, (0, (0.4697, 0, 2 / 3)), (1, (0.4135, 0.2669, 0.7858)), bonds=_b(4, 2)
    ),
    "cuprite": Prototype(224, ((1, _O), (0, _Q)), bonds=_b(2.5, 4)),
    "rhenium-trioxide": _cubic(221, (0, _O), (1, (0.5, 0, 0)), bonds=_b(6, 2)),
    "anti-rhenium-trioxide": _cubic(221, (1, _O), (0, (0.5, 0, 0)), bonds=_b(2.5, 6)),
    "uranium-trichloride": _hexagonal(
        176, 0.585, (0, _t(0.25)), (1, (0.387, 0.301, 0.25)), bonds=_b(9, 3)
    ),
    "bismuth-triiodide": _hexagonal(
        148, 2.75, (0, _z(1 / 6)), (1, (0.34, 0, 0.08)), bonds=_b(6, 2)
    ),
    "corundum": _hexagonal(167, 2.73, (0, _z(0.352)), (1, (0.306, 0, 0.25)), bonds=_b(6, 4)),
    "lanthana": _hexagonal(164, 1.56, (0, _t(0.245)), (1, _O), (1, _t(0.645)), bonds=_b(7, 5)),
    "anti-lanthana": _hexagonal(164, 1.59, (1, _t(0.235)), (0, _O), (0, _t(0.634)), bonds=_b(6, 7)),
    "tetradymite": _hexagonal(166, 6.95, (0, _z(0.4)), (1, _O), (1, _z(0.212)), bonds=_b(6, 4)),
    "do3-salt": _cubic(225, (0, _O), (1, _H), (1, _Q), bonds=(Bond(0, 1, 12, 4, 1.0, 8),)),
    "calcium-carbide": _tetragonal(139, 1.66, (0, _O), (1, (0, 0, "x")), x=0.40),
    "xenon-difluoride": _tetragonal(139, 1.62, (0, _O), (1, (0, 0, "x")), x=0.283),
    "calomel": _tetragonal(139, 2.44, (0, _z(0.117)), (1, _z(0.338))),
    "carbon-dioxide": _cubic(205, (0, _O), (1, _X), x=0.119),
    "heteronuclear": _cubic(198, (0, _X), (1, ("-x", "-x", "-x")), x=0.06),
    "tetrahedral-molecule": _cubic(216, (0, _O), (1, _X), x=0.107),
    "octahedral-molecule": _cubic(229, (0, _O), (1, ("x", 0, 0)), x=0.28),
    # intermetallics
    "b2": _cubic(221, (0, _O), (1, _H)),
    "b32": Prototype(227, ((0, _O), (1, _H))),
    "l10": _tetragonal(123, 1.36, (0, _O), (1, _H)),
    "l12": _cubic(221, (0, _O), (1, (0, 0.5, 0.5))),
    "do3": _cubic(225, (0, _O), (1, _H), (1, _Q)),
    "a15": _cubic(223, (0, _O), (1, (0.25, 0, 0.5))),
    "laves-c15": Prototype(227, ((0, _O), (1, (0.625, 0.625, 0.625)))),
    "aluminium-diboride": _hexagonal(191, 1.08, (0, _O), (1, _t(0.5))),
    "molybdenum-disilicide": _tetragonal(139, 2.45, (0, _O), (1, _z(1 / 3))),
    "calcium-hexaboride": _cubic(221, (0, _O), (1, ("x", 0.5, 0.5)), x=0.201),
    "cacu5": _hexagonal(191, 0.80, (0, _O), (1, _t(0)), (1, (0.5, 0, 0.5))),
    "half-heusler": _cubic(216, (0, _O), (1, _Q), (2, _H)),
    "heusler": _cubic(225, (0, _Q), (1, _O), (2, _H)),
    "thcr2si2": _tetragonal(139, 2.60, (0, _O), (1, (0, 0.5, 0.25)), (2, _z(0.37))),
    # ternaries and more
    "perovskite": _cubic(221, (0, _O), (1, _H), (2, (0, 0.5, 0.5)), bonds=_PEROVSKITE),
    "elpasolite": _cubic(
        225, (0, _Q), (1, _O), (2, _H), (3, ("x", 0, 0)), x=0.255,
        bonds=(Bond(1, 3, 6, 2, 0.35), Bond(2, 3, 6, 2, 0.35), Bond(0, 3, 12, 2, 0.3)),
    ),
    "hexachloroplatinate": _cubic(
        225, (0, _Q), (1, _O), (2, ("x", 0, 0)), x=0.24,
        bonds=(Bond(0, 2, 12, 3, 0.8), Bond(1, 2, 6, 3, 0.2)),
    ),
    "hexafluorophosphate": _cubic(
        225, (0, _O), (1, _H), (2, ("x", 0, 0)), x=0.285,
        bonds=(Bond(0, 2, 6, 2, 0.4), Bond(1, 2, 6, 2, 0.6)),
    ),
    "perchlorate": _cubic(
        216, (0, _O), (1, _H), (2, _X), x=0.613,
        bonds=(Bond(0, 2, 12, 3, 0.5), Bond(1, 2, 4, 1, 0.5)),
    ),
    "ordered-rocksalt": _hexagonal(
        166, 4.95, (0, _O), (1, _z(0.5)), (2, _z(0.258)),
        bonds=(Bond(1, 2, 6, 6, 0.6), Bond(0, 2, 6, 6, 0.4)),
    ),
    "delafossite": _hexagonal(
        166, 6.0, (0, _O), (1, _z(0.5)), (2, _z(0.108)), bonds=(Bond(1, 2, 6, 4),)
    ),
    "potassium-tetrafluoronickelate": _tetragonal(
        139, 3.25, (0, _z(0.355)), (1, _O), (2, (0, 0.5, 0)), (2, _z(0.155)),
        bonds=(Bond(1, 2, 6, 2, 0.75, 4), Bond(0, 2, 9, 2, 0.25)),
    ),
    "chalcopyrite": _tetragonal(
        122, 2.0, (0, _O), (1, _z(0.5)), (2, ("x", 0.25, 0.125)), x=0.24,
        bonds=(Bond(0, 2, 4, 4, 0.5), Bond(1, 2, 4, 4, 0.5)),
    ),
    "matlockite": _tetragonal(
        129, 1.72, (0, (0.25, 0.25, 0.2)), (1, (0.75, 0.25, 0)), (2, (0.25, 0.25, 0.65)),
        bonds=(Bond(0, 1, 7, 4, 1.0, 4),), setting=2,
    ),
    "calcite": _hexagonal(
        167, 3.42, (0, _O), (1, _z(0.25)), (2, ("x", 0, 0.25)), x=0.268,
        bonds=(Bond(0, 2, 6, 3, 0.8), Bond(1, 2, 3, 3, 0.2)),
    ),
    "zircon": _tetragonal(
        141, 0.89, (0, (0, 0.75, 0.125)), (1, (0, 0.25, 0.375)), (2, (0, 0.066, 0.195)),
        bonds=_SCHEELITE, setting=2,
    ),
    "scheelite": _tetragonal(
        88, 2.17, (0, (0, 0.25, 0.625)), (1, (0, 0.25, 0.125)), (2, (0.15, 0.009, 0.211)),
        bonds=_SCHEELITE, setting=2,
    ),
    "boron-phosphate": _tetragonal(
        82, 1.53, (0, (0, 0.5, 0.25)), (1, _O), (2, (0.138, 0.26, 0.128)),
        bonds=(Bond(0, 2, 4, 2, 0.5), Bond(1, 2, 4, 2, 0.5)),
    ),
    "brucite": _hexagonal(
        164, 1.5, (0, _O), (1, _t(0.22)), (2, _t(0.425)), bonds=(Bond(0, 1, 6, 4),)
    ),
    "ammonium-chloride": _cubic(215, (0, _O), (1, _X), (2, _H), x=0.153),
    "hydrogen-cyanide": _tetragonal(
        107, 0.937, (0, _z(-0.245)), (1, _O), (2, _z(0.265))
    ),
}  # fmt: skip
