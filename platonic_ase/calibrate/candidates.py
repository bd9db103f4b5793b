"""Crystals of many prototypes, for phonons with a teacher for the truth: which, and how they start.

Compositions are chosen by hand, real compounds for the most part, stable and unstable ones; sizes
come from radii, or from measured lattice constants where a prototype is not one of
:mod:`platonic_ase.crystals`. What they are worth is for the teacher's relaxation to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers

from platonic_ase.crystals.building import build
from platonic_ase.crystals.radii import atomic_volume

if TYPE_CHECKING:
    from ase import Atoms

# prototype, formal charges (none where volumes are added), elements of the sites in turn
_FILLED: tuple[tuple[str, tuple[int, ...], str], ...] = (
    ("fcc", (), "Al Cu Ag Au Ni Pd Pt Pb Ca Sr Rh Ir"),
    ("bcc", (), "Na W K Mo Li Ta V Nb Fe Cr Ba Rb"),
    ("hcp", (), "Mg Zn Ti Zr Be Y Sc Ru Hf Re"),
    ("a7", (), "Sb Bi As"),
    ("selenium", (), "Te Se"),
    ("cscl", (1, -1), "Cs:Cl Cs:Br Cs:I Tl:Cl Tl:Br"),
    ("b2", (), "Ni:Al Mg:Ag Cu:Zn Co:Ti Fe:Al Co:Al Fe:Ti Ru:Al Hf:Ru Zr:Os Y:Cu Y:Ag Ca:Tl Be:Co "
     "Ni:Ti Cs:Au Li:Hg Al:Ir"),
    ("rocksalt", (3, -3), "Ti:N Zr:N Sc:N La:N Y:N Hf:N V:N Nb:N La:Sb Y:As La:P Sc:Sb Ce:P"),
    ("rocksalt", (4, -4), "Ti:C Zr:C Hf:C Nb:C Ta:C V:C"),
    ("rocksalt", (2, -2), "Mn:O Ni:O Eu:O Eu:S Sn:Te Mn:S Co:O Yb:O"),
    ("rocksalt", (1, -1), "Li:H Na:H K:H Ag:Cl Ag:Br Tl:I"),
    ("nias", (2, -2), "Co:Te Ni:Te V:S Ti:S Ti:Se Cr:Te"),
    ("fluorite", (2, -1), "Ca:F Sr:F Ba:F Cd:F Pb:F Sr:Cl Ba:Cl Hg:F Eu:F"),
    ("fluorite", (4, -2), "Ce:O Zr:O Hf:O Th:O U:O"),
    ("fluorite", (3, -1), "Sc:H Y:H La:H"),
    ("fluorite", (), "Au:Al Au:Ga Co:Si Ni:Si Pt:Al Au:In"),
    ("antifluorite", (1, -2), "Li:O Na:O K:O Li:S Na:S K:S Li:Se Na:Se Li:Te Na:Te K:Te Rb:O Rb:S"),
    ("antifluorite", (2, -4), "Mg:Si Mg:Ge Mg:Sn Be:C"),
    ("rutile", (4, -2), "Ti:O Sn:O Ge:O Ru:O Ir:O Si:O V:O Pb:O Os:O Cr:O Mn:O"),
    ("rutile", (2, -1), "Mg:F Zn:F Mn:F Fe:F Ni:F Co:F"),
    ("cuprite", (1, -2), "Cu:O Ag:O"),
    ("rhenium-trioxide", (3, -1), "Sc:F Al:F Ga:F Ti:F"),
    ("rhenium-trioxide", (6, -2), "Re:O W:O"),
    ("anti-rhenium-trioxide", (1, -3), "Cu:N Na:N"),
    ("corundum", (3, -2), "Al:O Ga:O Cr:O Ti:O V:O In:O Fe:O"),
    ("lanthana", (3, -2), "La:O Nd:O Ac:O"),
    ("anti-lanthana", (2, -3), "Mg:Sb Mg:Bi Mg:As Ca:N"),
    ("litharge", (2, -2), "Sn:O Pb:O"),
    ("cadmium-iodide", (4, -2), "Ti:S Zr:S Hf:S Sn:S Zr:Se Hf:Se Sn:Se Pt:S Ti:Se Pt:Se"),
    ("cadmium-iodide", (2, -1), "Mg:Br Cd:I Ca:I Mg:I Mn:I Mg:Cl"),
    ("molybdenite", (4, -2), "Mo:S W:S Mo:Se W:Se Mo:Te"),
    ("hexagonal-bn", (3, -3), "B:N"),
    ("brucite", (2, -2, 1), "Mg:O:H Ca:O:H"),
    ("quartz", (4, -2), "Si:O Ge:O"),
    ("l12", (), "Au:Cu Al:Ni Ga:Ni Ti:Pt Y:Pt Sc:Pd Nb:Ir Hf:Rh Pb:La Sn:La"),
    ("l10", (), "Cu:Au Ti:Al Fe:Pt Ni:Pt Zn:Pd Mn:Ni"),
    ("laves-c15", (), "Mg:Cu Y:Al La:Al Ca:Al Zr:W Zr:Co Hf:V Na:Ag"),
    ("a15", (), "Si:V Ge:Nb Si:Cr"),
    ("do3", (), "Al:Fe Bi:Li Sb:Li Si:Fe"),
    ("b32", (), "Na:Tl Li:Al Li:Ga Li:In Li:Zn"),
    ("aluminium-diboride", (), "Mg:B Ti:B Zr:B Al:B Hf:B Nb:B Ta:B V:B"),
    ("molybdenum-disilicide", (), "Mo:Si W:Si Re:Si"),
    ("half-heusler", (), "Ti:Ni:Sn Zr:Ni:Sn Hf:Ni:Sn Ti:Co:Sb Zr:Co:Sb Hf:Co:Sb V:Fe:Sb Nb:Fe:Sb "
     "Li:Zn:P Li:Mg:N Li:Zn:As Li:Mg:P Li:Al:Si Li:Cd:P Mg:Cu:Sb Y:Ni:Sb Sc:Pt:Sb Ta:Ru:Sb "
     "Zr:Rh:Bi Zr:Pd:Sn Zr:Pt:Sn Nb:Co:Sn Ti:Fe:Te Li:Zn:N Na:Mg:As K:Mg:P Y:Pd:Bi Li:Be:As "
     "Hf:Ir:As Lu:Ni:Bi"),
    ("heusler", (), "Ni:Ti:Al Ni:Hf:Al Co:Ti:Al Fe:Ti:Sn Co:Mn:Si Fe:V:Al Cu:Mn:Al Co:Ti:Ga "
     "Ni:Mn:Ga Cu:Sc:In Fe:V:Ga Ru:Mn:Ge Li:Mg:Pb Pd:Mn:In"),
    ("thcr2si2", (), "Ba:Fe:As Sr:Ni:P La:Ru:P Ce:Cu:Si"),
    ("perovskite", (2, 4, -2), "Sr:Ti:O Ba:Zr:O Ba:Sn:O Ba:Hf:O Ba:Ti:O Sr:Zr:O Ca:Ti:O Pb:Ti:O "
     "Sr:V:O Ba:Ce:O Sr:Sn:O Sr:Hf:O Ba:Zr:S"),
    ("perovskite", (1, 5, -2), "K:Ta:O Na:Ta:O K:Nb:O"),
    ("perovskite", (3, 3, -2), "La:Al:O La:Ga:O La:Sc:O Y:Al:O La:Cr:O"),
    ("perovskite", (1, 2, -1), "K:Mg:F K:Zn:F Rb:Ca:F Cs:Cd:F K:Mn:F Na:Mg:F Cs:Ca:F Cs:Pb:Cl "
     "Cs:Sn:I Cs:Pb:I Cs:Sn:Br Rb:Mn:F Cs:Ca:Cl Rb:Zn:F K:Ni:F Li:Ba:F Cs:Mg:Cl Cs:Ca:Br"),
    ("perovskite", (-1, -2, 1), "Cl:O:Li Br:O:Li Cl:O:Na"),
    ("perovskite", (-4, -2, 2), "Sn:O:Ca Sn:O:Sr Ge:O:Ca"),
    ("perovskite", (-3, -3, 2), "As:N:Ca Sb:N:Ca Sb:N:Mg Bi:N:Sr"),
    ("perovskite", (), "Mg:C:Ni Sn:C:Ti Al:C:Ti Al:N:Ti In:C:Sc Al:C:Sc"),
    ("perovskite", (2, 1, -1), "Ba:Li:H Sr:Li:H"),
    ("elpasolite", (1, 1, 3, -1), "K:Na:Al:F Cs:Na:Y:Cl Cs:Ag:Bi:Br Cs:K:Sc:F Cs:Na:La:Cl"),
    ("elpasolite", (2, 2, 6, -2), "Ba:Mg:W:O Ba:Ca:W:O Sr:Mg:W:O"),
    ("hexachloroplatinate", (1, 4, -1), "K:Pt:Cl Cs:Sn:Cl K:Si:F Cs:Zr:Cl Cs:Sn:Br"),
    ("ordered-rocksalt", (1, 3, -2), "Li:Co:O Li:Sc:O Na:Sc:O Na:In:O Na:Al:O Na:Y:S Li:Y:S K:La:S "
     "Li:Cr:O Na:Sc:S Na:Y:Se Rb:Y:S"),
    ("delafossite", (1, 3, -2), "Cu:Al:O Cu:Ga:O Cu:In:O Ag:Al:O Ag:In:O Cu:Sc:O Cu:Y:O Pt:Co:O "
     "Pd:Co:O Ag:Sc:O"),
    ("potassium-tetrafluoronickelate", (2, 4, -2), "Sr:Ti:O Ba:Sn:O Ba:Zr:O"),
    ("potassium-tetrafluoronickelate", (1, 2, -1), "K:Mg:F K:Zn:F K:Ni:F"),
    ("chalcopyrite", (1, 3, -2), "Cu:In:Se Cu:Ga:S Cu:Al:S Ag:Ga:Te Cu:Ga:Se Ag:In:S Cu:In:Te "
     "Ag:Ga:S Li:Ga:Te Cu:Al:Se"),
    ("chalcopyrite", (2, 4, -3), "Zn:Ge:P Cd:Ge:As Zn:Si:P Zn:Sn:P Mg:Si:P Cd:Si:P Zn:Si:As "
     "Cd:Sn:As"),
    ("matlockite", (2, -1, -1), "Ba:F:Cl Sr:F:Cl Pb:F:Cl Ca:F:Cl Ba:F:I"),
    ("matlockite", (3, -2, -1), "La:O:Cl Bi:O:Cl Y:O:F"),
    ("calcite", (2, 4, -2), "Mg:C:O Ca:C:O Zn:C:O"),
    ("calcite", (1, 5, -2), "Na:N:O"),
    ("calcite", (3, 3, -2), "Sc:B:O In:B:O"),
    ("zircon", (4, 4, -2), "Zr:Si:O Hf:Si:O"),
    ("zircon", (3, 5, -2), "Y:V:O Y:P:O Sc:P:O"),
    ("scheelite", (2, 6, -2), "Ca:W:O Ba:Mo:O Sr:W:O"),
    ("boron-phosphate", (3, 5, -2), "B:P:O"),
)  # fmt: skip

# space group, setting, b/a and c/a (and gamma, if not 90 degrees), sites by species
_Sites = tuple[tuple[int, tuple[float, float, float]], ...]
_BUILT: dict[str, tuple[int, int, tuple[float, ...], _Sites]] = {
    "anatase": (141, 2, (1, 2.51), ((0, (0, 0.75, 0.125)), (1, (0, 0.25, 0.083)))),
    "spinel": (
        227, 2, (1, 1), ((0, (0.125, 0.125, 0.125)), (1, (0.5, 0.5, 0.5)), (2, (0.262,) * 3))
    ),
    "olivine": (
        62, 1, (0.587, 0.4675),
        ((0, (0, 0, 0)), (0, (0.2775, 0.25, 0.9915)), (1, (0.094, 0.25, 0.4262)),
         (2, (0.0913, 0.25, 0.7657)), (2, (0.4474, 0.25, 0.2215)), (2, (0.1633, 0.0331, 0.2777))),
    ),
    "triphylite": (
        62, 1, (0.5825, 0.4545),
        ((0, (0, 0, 0)), (1, (0.282, 0.25, 0.975)), (2, (0.095, 0.25, 0.418)),
         (3, (0.097, 0.25, 0.743)), (3, (0.457, 0.25, 0.206)), (3, (0.166, 0.046, 0.285))),
    ),
    "perovskite-tetragonal": (
        99, 1, (1, 1.04),
        ((0, (0, 0, 0)), (1, (0.5, 0.5, 0.53)), (2, (0.5, 0.5, 0.09)), (2, (0.5, 0, 0.6))),
    ),
    "perovskite-tilted": (  # I4/mcm
        140, 1, (1, 1.43), ((0, (0, 0.5, 0.25)), (1, (0, 0, 0)), (2, (0, 0, 0.25)),
                            (2, (0.23, 0.73, 0))),
    ),
    "perovskite-rhombohedral": (  # R-3c
        167, 1, (1, 2.447, 120), ((0, (0, 0, 0.25)), (1, (0, 0, 0)), (2, (0.53, 0, 0.25)))
    ),
    "perovskite-orthorhombic": (  # Pnma
        62, 1, (1.405, 0.985),
        ((0, (0.034, 0.25, 0.993)), (1, (0, 0, 0.5)), (2, (0.484, 0.25, 0.073)),
         (2, (0.289, 0.037, 0.711))),
    ),
    "lithium-niobate": (  # R3c
        161, 1, (1, 2.69, 120), ((0, (0, 0, 0.279)), (1, (0, 0, 0)), (2, (0.048, 0.343, 0.0634)))
    ),
    "monolayer-h": (  # MoS2
        187, 1, (1, 5.0, 120), ((0, (1 / 3, 2 / 3, 0.5)), (1, (0, 0, 0.6)))
    ),
    "monolayer-t": (164, 1, (1, 4.5, 120), ((0, (0, 0, 0.5)), (1, (1 / 3, 2 / 3, 0.59)))),
    "monolayer-bn": (
        187, 1, (1, 6.0, 120), ((0, (1 / 3, 2 / 3, 0.5)), (1, (2 / 3, 1 / 3, 0.5)))
    ),
}  # fmt: skip
_MEASURED: dict[str, str] = {
    "anatase": "Ti:O:3.785 Zr:O:4.11 Sn:O:4.05 Hf:O:4.06 Ge:O:3.74",
    "spinel": "Mg:Al:O:8.08 Zn:Al:O:8.09 Mg:Ga:O:8.28 Mg:In:S:10.7 Zn:Ga:O:8.33 Cd:In:S:10.8 "
              "Zn:Cr:O:8.33 Mg:Cr:O:8.33 Cd:In:Se:11.3 Mg:Sc:S:10.6",
    "olivine": "Mg:Si:O:10.2 Mg:Ge:O:10.3 Ca:Si:O:11.2",
    "triphylite": "Li:Mn:P:O:10.45 Li:Mg:P:O:10.15",
    "perovskite-tetragonal": "Pb:Ti:O:3.90 Ba:Ti:O:3.99 K:Nb:O:4.00",
    "perovskite-tilted": "Sr:Ti:O:5.51 K:Mn:F:5.89 Sr:Zr:O:5.80 Cs:Pb:Cl:7.85",
    "perovskite-rhombohedral": "La:Al:O:5.36 La:Ni:O:5.46 La:Ga:O:5.5 Ba:Ti:O:5.65",
    "perovskite-orthorhombic": "Ca:Ti:O:5.44 Na:Mg:F:5.48 Sr:Zr:O:5.82 Ca:Zr:O:5.76 Y:Al:O:5.33 "
                               "Ca:Sn:O:5.66",
    "lithium-niobate": "Li:Nb:O:5.15 Li:Ta:O:5.15",
    "monolayer-h": "Mo:S:3.18 W:S:3.18 Mo:Se:3.32 W:Se:3.32 Mo:Te:3.55 Nb:S:3.35",
    "monolayer-t": "Zr:S:3.68 Sn:S:3.68 Ti:S:3.40 Pt:S:3.58 Mg:Cl:3.64 Cd:I:4.25 Hf:Se:3.77 "
                   "Zr:Se:3.80",
    "monolayer-bn": "B:N:2.51 C:C:2.465 Al:N:3.13 Ga:N:3.21",
}  # fmt: skip
_DIAMOND = "Si:5.47 C:3.57 Ge:5.76 Sn:6.6"
_SMALL, _MEDIUM = 5, 14  # atoms
FLAT = tuple(name for name in _BUILT if name.startswith("monolayer"))
"""Prototypes with vacuum between the layers."""


@dataclass(frozen=True)
class Candidate:
    """A crystal before it is relaxed.

    Attributes
    ----------
    prototype : str
    symbols : tuple of str
        Of the sites, in turn.
    charges : tuple of int
        Formal ones; empty where volumes are added.
    edge : float or None
        Of the conventional cell, Å; None where radii give the size.
    """

    prototype: str
    symbols: tuple[str, ...]
    charges: tuple[int, ...] = ()
    edge: float | None = None

    def build(self) -> Atoms:
        """The primitive cell."""
        numbers = [atomic_numbers[symbol] for symbol in self.symbols]
        if self.prototype not in _BUILT:
            volume = None
            if len(numbers) == 1 and self.edge is None:  # an open lattice is larger
                volume = {"a7": 1.25, "selenium": 1.30}.get(self.prototype, 1.0)
                volume *= atomic_volume(numbers[0])
            return build(self.prototype, numbers, self.charges, a=self.edge, volume=volume)
        from ase.spacegroup import crystal

        group, setting, (b, c, *angles), sites = _BUILT[self.prototype]
        a = float(self.edge or 1.0)
        return crystal(
            [self.symbols[species] for species, _ in sites],
            [place for _, place in sites],
            spacegroup=group,
            setting=setting,
            cellpar=[a, a * b, a * c, 90, 90, *(angles or [90])],
            primitive_cell=True,
        )

    @property
    def key(self) -> str:
        """Formula and prototype, such as ``"SrTiO3_perovskite"``."""
        return f"{self.formula}_{self.prototype}"

    @property
    def formula(self) -> str:
        """Reduced, in alphabetical order."""
        atoms = self.build()
        counts = {symbol: atoms.symbols.search(symbol).size for symbol in set(atoms.symbols)}
        divisor = int(np.gcd.reduce([*counts.values()]))
        return "".join(
            symbol + (str(counts[symbol] // divisor) if counts[symbol] > divisor else "")
            for symbol in sorted(counts)
        )


def candidates() -> list[Candidate]:
    """All crystals, once each: one of almost every prototype, then by turns, small cells first."""
    rows: dict[str, list[Candidate]] = {}
    for prototype, charges, words in _FILLED:
        for word in words.split():
            symbols = tuple(word.split(":"))
            rows.setdefault(prototype, []).append(Candidate(prototype, symbols, charges))
    for prototype, words in {"diamond": _DIAMOND, **_MEASURED}.items():
        for word in words.split():
            *elements, edge = word.split(":")
            rows.setdefault(prototype, []).append(
                Candidate(prototype, tuple(elements), (), float(edge))
            )
    cheap_first = sorted(rows.values(), key=lambda row: len(row[0].build()))
    sizes = [len(row[0].build()) for row in cheap_first]
    first = [row[0] for row, size in zip(cheap_first, sizes, strict=True) if size <= _MEDIUM]
    small = [row for row, size in zip(cheap_first, sizes, strict=True) if size <= _SMALL]
    turns = [first, *zip_longest(*small), *zip_longest(*cheap_first)]
    return list(_unique(each for turn in turns for each in turn if each))


def _unique(found: Iterator[Candidate]) -> Iterator[Candidate]:
    seen = set()
    for each in found:
        if each.key not in seen:
            seen.add(each.key)
            yield each
