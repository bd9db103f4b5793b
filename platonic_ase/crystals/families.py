"""Tables of chemically sensible compounds on each prototype, for the whole periodic table.

A row of ``IONIC`` or ``METALLIC`` names a prototype, formal charges (none where volumes are added)
and either whole compounds (``"Sr:Ti:O Ba:Ti:O"``) or one list of elements per species, of which
every first element takes so many partners in rotation. Several of the compounds do not exist; they
serve as environments that a model may meet, with sensible bond lengths.
"""

from __future__ import annotations

__all__ = ["IONIC", "LATTICES", "MEASURED", "METALLIC", "NOBLE"]

Row = tuple[str, tuple[int, ...], str | tuple[str, ...], int]

_LANTHANIDES = "La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu"
_RARE_EARTHS = _LANTHANIDES + " Y Sc"

LATTICES: tuple[tuple[str, str, float], ...] = (
    # prototype, elements, volume relative to the close-packed one
    ("fcc",
     "Li Na Al K Ca V Cr Mn Fe Co Ni Cu Zn Ga Rb Sr Nb Mo Tc Ru Rh Pd Ag Cd In Ba La Ce Pr Nd "
     "Pm Sm Eu Yb Ta W Re Os Ir Pt Au Pb Ac Th Pa Np Pu He Ne Ar Kr Xe", 1.0),
    ("bcc",
     "Li Be Na Mg Al K Ca Sc Ti V Cr Mn Fe Ni Cu Ga Rb Sr Y Zr Nb Mo Rh Pd Ag Sn Sb Te Ba Ce "
     "Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Ir Pt Au Tl Pb Bi Ac Th Pa U S Se P He Ne Ar Kr Xe", 1.0),
    ("hcp",
     "Be Mg Sc Ti Co Zn Y Zr Tc Ru Cd Gd Tb Dy Ho Er Tm Lu Hf Re Os Tl He Ne Ar Kr Xe", 1.0),
    ("bcc", "Cs", 0.8),  # compressed: at rest its neighbours are beyond the cutoff of many models
    ("dhcp", "La Pr Nd Pm Sm", 1.0),
    ("omega", "Ti Zr Hf", 1.0),
    ("sc", "Bi Sb P Ca Hg As Te I", 1.05),
    ("bct", "In Hg Pa", 1.0),
    ("alpha-uranium", "U Np Pu", 1.0),
    ("diamond", "Si Ge Sn", 1.38),
    ("beta-tin", "Sn Si Ge", 1.05),
    ("a7", "Sb Bi As", 1.25),
    ("selenium", "Se Te", 1.30),
)  # fmt: skip
"""Lattices of the elements whose size follows from the close-packed volume of the atom."""

# prototype, compound, a in Å, c/a, free coordinate: molecular and other crystals whose size no sum
# of radii gives. Measured lattice constants, rounded, where the phase is known (most are in
# R. W. G. Wyckoff, Crystal Structures, 1963), else an estimate from the volume per molecule; x from
# the bond length of the molecule.
MEASURED: tuple[tuple[str, str, float, float | None, float | None], ...] = (
    ("dimer", "H", 5.34, None, 0.040),
    ("dimer", "N", 5.66, None, 0.056),
    ("dimer", "O", 5.17, None, 0.068),
    ("dimer", "F", 5.04, None, 0.081),
    ("dimer", "Cl", 6.13, None, 0.094),
    ("dimer", "Br", 6.42, None, 0.103),
    ("dimer", "I", 6.98, None, 0.111),
    ("diamond", "C", 3.567, None, None),
    ("graphite", "C", 2.46, 2.726, None),
    ("a7", "P", 3.38, 2.61, 0.215),
    ("heteronuclear", "C:O", 5.64, None, 0.058),
    ("heteronuclear", "N:O", 5.20, None, 0.064),
    ("heteronuclear", "H:F", 4.70, None, 0.057),
    ("heteronuclear", "H:Cl", 5.47, None, 0.067),
    ("heteronuclear", "H:Br", 5.77, None, 0.071),
    ("heteronuclear", "H:I", 6.20, None, 0.075),
    ("heteronuclear", "Br:Cl", 6.28, None, 0.099),
    ("heteronuclear", "I:Cl", 6.50, None, 0.103),
    ("heteronuclear", "Cl:F", 5.55, None, 0.085),
    ("carbon-dioxide", "C:O", 5.62, None, 0.119),
    ("carbon-dioxide", "C:S", 6.90, None, 0.130),
    ("xenon-difluoride", "Xe:F", 4.315, 1.62, 0.283),
    ("xenon-difluoride", "Kr:F", 4.18, 1.55, 0.290),
    ("xenon-difluoride", "Xe:Cl", 4.90, 1.70, 0.297),
    ("xenon-difluoride", "Kr:Cl", 4.70, 1.70, 0.300),
    ("hydrogen-cyanide", "H:C:N", 4.63, 0.937, None),
    ("tetrahedral-molecule", "C:H", 5.89, None, 0.107),
    ("tetrahedral-molecule", "Si:H", 6.40, None, 0.134),
    ("tetrahedral-molecule", "Ge:H", 6.60, None, 0.134),
    ("tetrahedral-molecule", "C:F", 6.20, None, 0.123),
    ("tetrahedral-molecule", "Si:F", 6.40, None, 0.140),
    ("tetrahedral-molecule", "C:Cl", 8.30, None, 0.123),
    ("tetrahedral-molecule", "Si:Cl", 8.60, None, 0.136),
    ("tetrahedral-molecule", "C:Br", 8.70, None, 0.129),
    ("tetrahedral-molecule", "Os:O", 6.90, None, 0.143),
    ("tetrahedral-molecule", "Ru:O", 6.90, None, 0.143),
    ("tetrahedral-molecule", "Xe:O", 6.90, None, 0.147),
    ("octahedral-molecule", "S:F", 5.80, None, 0.270),
    ("octahedral-molecule", "Se:F", 5.95, None, 0.284),
    ("octahedral-molecule", "Te:F", 6.10, None, 0.298),
    ("octahedral-molecule", "Xe:F", 6.20, None, 0.302),
    ("octahedral-molecule", "Mo:F", 6.20, None, 0.294),
    ("octahedral-molecule", "Tc:F", 6.15, None, 0.295),
    ("octahedral-molecule", "W:F", 6.25, None, 0.293),
    ("octahedral-molecule", "Re:F", 6.20, None, 0.295),
    ("octahedral-molecule", "Os:F", 6.20, None, 0.295),
    ("octahedral-molecule", "Ir:F", 6.20, None, 0.295),
    ("octahedral-molecule", "Pt:F", 6.20, None, 0.297),
    ("octahedral-molecule", "U:F", 6.55, None, 0.305),
    ("octahedral-molecule", "Np:F", 6.50, None, 0.304),
    ("octahedral-molecule", "Pu:F", 6.50, None, 0.303),
    ("ammonium-chloride", "N:H:Cl", 3.87, None, 0.153),
    ("ammonium-chloride", "N:H:Br", 4.06, None, 0.146),
    ("ammonium-chloride", "N:H:I", 4.37, None, 0.136),
    ("ammonium-chloride", "P:H:I", 4.70, None, 0.174),
    ("calcium-carbide", "Ca:C", 3.88, 1.64, 0.405),
    ("calcium-carbide", "La:C", 3.93, 1.67, 0.401),
    ("calcium-carbide", "U:C", 3.52, 1.70, 0.388),
    ("calcium-carbide", "Y:C", 3.66, 1.69, 0.396),
    ("calcium-carbide", "K:O", 4.03, 1.66, 0.405),
    ("calcium-carbide", "Cs:O", 4.46, 1.64, 0.409),
    ("calcium-carbide", "Rb:O", 4.21, 1.66, 0.407),
    ("calcium-carbide", "Ba:O", 3.81, 1.79, 0.391),
    ("calcium-carbide", "Sr:O", 3.56, 1.86, 0.388),
    ("calomel", "Hg:F", 3.66, 2.97, None),
    ("calomel", "Hg:Cl", 4.48, 2.44, None),
    ("calomel", "Hg:I", 4.93, 2.36, None),
    ("litharge", "Fe:Se", 3.77, 1.46, 0.267),
    ("litharge", "Fe:Te", 3.82, 1.64, 0.280),
    ("nias", "Fe:S", 3.45, 1.70, None),
    ("nias", "Ni:As", 3.62, 1.39, None),
    ("nias", "Mn:As", 3.72, 1.53, None),
    ("nias", "Mn:Sb", 4.14, 1.40, None),
    ("nias", "Cr:Sb", 4.12, 1.33, None),
    ("nias", "Pt:Sn", 4.10, 1.33, None),
    ("nias", "Au:Sn", 4.32, 1.28, None),
    ("nias", "Pd:Sb", 4.08, 1.37, None),
    ("nias", "Pt:Bi", 4.31, 1.27, None),
    ("nias", "Ir:Sb", 3.98, 1.39, None),
    ("nias", "Pd:Te", 4.15, 1.37, None),
    ("nias", "Rh:Te", 3.99, 1.42, None),
    ("cuprite", "Ag:O", 4.73, None, None),
    ("aluminium-diboride", "Mg:B", 3.08, 1.14, None),
    ("calcium-hexaboride", "Ca:B", 4.15, None, None),
    ("calcium-hexaboride", "La:B", 4.156, None, None),
    ("calcium-hexaboride", "Eu:B", 4.18, None, None),
    ("calcium-hexaboride", "Ac:B", 4.20, None, None),
    ("hexagonal-bn", "B:N", 2.504, 2.66, None),
)


# prototype, charges, elements, take
IONIC: tuple[Row, ...] = (
    ("rocksalt", (1, -1), "Na:Cl K:Br", 1),
    ("rocksalt", (2, -2), "Mg:O Ni:O Pb:S", 1),
    ("rocksalt", (3, -3), "Ti:N La:Sb", 1),
    ("zincblende", (3, -3), "Ga:As In:P", 1),
    ("zincblende", (2, -2), "Zn:S Cd:Te", 1),
    ("wurtzite", (3, -3), "Ga:N Al:N", 1),
    ("wurtzite", (2, -2), "Zn:O", 1),
    ("rocksalt", (1, -1), ("Li Na K Rb Ag Cs", "F Cl Br I H"), 3),
    ("rocksalt", (2, -2), ("Mg Ca Sr Ba Mn Fe Co Ni Cd Eu Yb Sm Pb Ti V Zn Sn Hg", "O S Se Te"), 2),
    ("rocksalt", (3, -3), (_RARE_EARTHS + " Ac U Pu", "N P As Sb Bi"), 1),
    ("rocksalt", (3, -3), ("V Cr Ti Sc Zr Nb Np Pa", "N"), 1),
    ("rocksalt", (4, -4), ("Ti V Zr Nb Hf Ta W U Mo", "C"), 1),
    ("rocksalt", (3, -3), ("Ta Mo W Re", "N"), 1),
    ("rocksalt", (2, -1), ("Pd Ni", "H"), 1),
    ("zincblende", (3, -3), ("B Al Ga In", "N P As Sb"), 3),
    ("zincblende", (2, -2), ("Be Zn Cd Hg Mn", "S Se Te O"), 2),
    ("zincblende", (1, -1), ("Cu Ag", "Cl Br I F"), 3),
    ("zincblende", (4, -4), "Si:C Ge:C Si:Ge Sn:C", 1),
    ("wurtzite", (3, -3), ("Al Ga In B", "N P As"), 1),
    ("wurtzite", (2, -2), ("Be Zn Cd Mg", "O S Se"), 1),
    ("cscl", (1, -1), ("Cs Tl Rb", "Cl Br I F"), 3),
    ("nias", (2, -2), "Cr:S Cr:Te V:S Ti:S Co:S Mn:Te Ti:Se V:Se Co:Te Ni:Te", 1),
    ("litharge", (2, -2), "Sn:O Pb:O Pb:S", 1),
    ("fluorite", (2, -1), ("Ca Sr Ba Cd Pb Hg Eu", "F Cl H"), 1),
    ("fluorite", (4, -2), "Ce:O Th:O U:O Pu:O Np:O Pa:O Zr:O Hf:O Pr:O Tb:O Bi:O Te:O", 1),
    ("fluorite", (3, -1), ("Sc Y La Pr Nd Gd Ho Er Lu", "H"), 1),
    ("fluorite", (4, -1), ("Ti V Nb Zr", "H"), 1),
    ("antifluorite", (1, -2), ("Li Na K Rb", "O S Se Te"), 2),
    ("antifluorite", (2, -4), "Mg:Si Mg:Ge Mg:Sn Be:C", 1),
    ("rutile", (4, -2),
     "Ti:O V:O Cr:O Mn:O Ge:O Sn:O Ru:O Rh:O Os:O Ir:O Pt:O Nb:O Mo:O Tc:O Ta:O W:O Re:O Pb:O "
     "Si:O Pd:O Se:O", 1),
    ("rutile", (2, -1), ("Mg Mn Fe Co Ni Zn V Cr Cu Pd", "F"), 1),
    ("cadmium-iodide", (2, -1), ("Mg Ca Cd Mn Fe Co Ni Zn Ti V Pb Ge Hg Yb Tm Sn", "I Br Cl"), 1),
    ("cadmium-iodide", (4, -2), ("Ti Zr Hf V Ta Sn Pt Ir Ni Co Th Pd Rh Re Te", "S Se Te"), 1),
    ("molybdenite", (4, -2), ("Mo W Nb Ta Tc Re", "S Se Te"), 1),
    ("cristobalite", (4, -2), "Si:O Ge:O", 1),
    ("cristobalite", (2, -1), "Be:F Be:Cl Zn:Cl", 1),
    ("quartz", (4, -2), "Si:O Ge:O Si:S", 1),
    ("cuprite", (1, -2), "Cu:O Au:O", 1),
    ("rhenium-trioxide", (6, -2), "W:O Mo:O Re:O U:O Te:O Os:O", 1),
    ("rhenium-trioxide", (3, -1), "Sc:F Al:F Ti:F Fe:F Ga:F V:F Nb:F Rh:F Au:F Ir:F Co:F Ru:F", 1),
    ("anti-rhenium-trioxide", (1, -3), "Cu:N Na:N Ag:N", 1),
    ("uranium-trichloride", (3, -1), (_LANTHANIDES + " Ac U Np Pu Pa", "Cl Br F"), 1),
    ("bismuth-triiodide", (3, -1),
     ("Bi Sb As Cr Fe Y Sc Al Ti Rh Ru Ir Mo Au In Tl", "I Cl Br"), 1),
    ("corundum", (3, -2), "Al:O Ti:O V:O Cr:O Fe:O Ga:O Rh:O In:O Co:O Mn:O B:O Au:O", 1),
    ("corundum", (3, -2), "Al:S Ga:S As:S Ru:O Ni:O", 1),
    ("lanthana", (3, -2), ("La Ce Pr Nd Pm Sm Gd Tb Ac Pu Np Bi Tl", "O S"), 1),
    ("tetradymite", (3, -2), "Bi:Te Bi:Se Sb:Te In:Se As:Te Sb:Se La:Te", 1),
    ("anti-lanthana", (2, -3), "Mg:Sb Mg:Bi Ca:N Mg:N Be:N Mg:As Ba:N Sr:N Zn:P Cd:As Ca:Bi", 1),
    ("do3-salt", (3, -1), "Bi:F La:F Y:F Tl:F Ac:F", 1),
    # ternaries and more
    ("perovskite", (2, 4, -2),
     "Ca:Ti:O Sr:Ti:O Ba:Ti:O Pb:Ti:O Sr:Zr:O Ba:Zr:O Ba:Sn:O Ba:Hf:O Sr:V:O Sr:Ru:O Ca:Mn:O "
     "Sr:Fe:O Sr:Co:O Sr:Mo:O Ba:Ce:O Ba:Th:O Ba:Pr:O Ba:U:O Ba:Pb:O Ca:Si:O Mg:Si:O Sr:Tc:O "
     "Sr:Ir:O Ca:Os:O Eu:Ti:O Ba:Tb:O Ba:Pa:O Ba:Np:O Ba:Pu:O Ca:Ge:O Ba:Nb:O Ba:Zr:S Sr:Cr:O "
     "Ba:Rh:O Cd:Ti:O Ba:Pt:O Sn:Ti:O", 1),
    ("perovskite", (1, 5, -2),
     "K:Nb:O Na:Ta:O K:Ta:O Na:Nb:O Ag:Nb:O Rb:Ta:O Li:Nb:O K:I:O K:W:O Tl:I:O K:Sb:O K:U:O "
     "Rb:U:O Rb:Pa:O", 1),
    ("perovskite", (3, 3, -2),
     "La:Al:O La:Cr:O La:Mn:O La:Fe:O La:Co:O La:Ni:O La:Ga:O Y:Al:O Nd:Ga:O Gd:Fe:O Pr:Al:O "
     "Sm:Al:O Dy:Al:O Ho:Cr:O Er:Co:O Tm:Fe:O Lu:Al:O Yb:Al:O Ce:Al:O Pm:Al:O Bi:Fe:O Tb:Mn:O "
     "Eu:Al:O La:Rh:O La:Ti:O La:V:O Ac:Al:O Pu:Al:O La:Sc:O La:In:O Bi:Mn:O", 1),
    ("perovskite", (1, 2, -1),
     "K:Mg:F Na:Mg:F K:Mn:F K:Ni:F K:Zn:F Rb:Ca:F Cs:Cd:F Tl:Co:F Cs:Ca:F Cs:Pb:Cl Cs:Pb:Br "
     "Cs:Pb:I Cs:Sn:I Cs:Ge:Cl Rb:Ca:Cl Cs:Hg:Cl Cs:Hg:Br Cs:Yb:I Cs:Eu:Br Rb:Tm:I Cs:Cd:Br "
     "Li:Ba:F Cs:Sr:I Rb:Ge:I K:Cu:F Ag:Mn:F K:V:F Ag:Zn:F", 1),
    ("perovskite", (2, 1, -1), "Ba:Li:H Sr:Li:H Eu:Li:H Ba:Li:F Ca:Li:H", 1),
    ("elpasolite", (1, 1, 3, -1),
     "K:Na:Al:F Cs:Ag:Bi:Br Cs:Na:In:Cl Cs:Ag:In:Cl Rb:Na:Ho:F Cs:Na:Bi:Cl Cs:K:Sc:F "
     "Cs:Na:Er:Cl Cs:Ag:Au:Cl Cs:Na:Yb:Br Cs:Tl:Sb:Cl Cs:Na:Tm:Cl", 1),
    ("elpasolite", (2, 3, 5, -2),
     "Ba:Y:Nb:O Sr:Fe:Re:O Ba:La:Ru:O Sr:Sc:Os:O Ba:Bi:Ir:O Sr:Al:Ta:O Ba:Lu:Sb:O Sr:Cr:Re:O "
     "Ba:Dy:Pa:O", 1),
    ("elpasolite", (2, 2, 6, -2),
     "Ba:Mg:W:O Sr:Ni:Mo:O Ba:Ca:Te:O Ba:Sr:U:O Ba:Zn:Os:O Ba:Mg:Np:O Ba:Ca:Pu:O Sr:Co:Re:O", 1),
    ("hexachloroplatinate", (1, 4, -1),
     "K:Pt:Cl K:Ir:Cl K:Os:Cl K:Re:Cl K:Tc:Cl Cs:Sn:I Cs:Te:Br Rb:Se:Cl Cs:Zr:Cl Cs:Hf:Br "
     "K:Si:F Cs:Ge:F Cs:Pd:Br K:Ru:F Cs:Ti:Br Cs:Th:Cl Cs:U:Cl Cs:Pu:Cl Tl:Pt:Br Rb:Rh:F "
     "Cs:Mn:F Cs:Np:Cl K:Mo:Cl", 1),
    ("hexafluorophosphate", (1, 5, -1),
     "Na:P:F K:As:F Na:Sb:F Na:Nb:F K:Ta:F Na:V:F K:Bi:F K:Os:F Cs:Au:F Ag:U:F K:Ru:F Na:Pa:F "
     "K:P:F", 1),
    ("perchlorate", (1, 7, -2), "K:Cl:O Rb:Cl:O Cs:Br:O Tl:Cl:O Cs:Re:O", 1),
    ("perchlorate", (2, 6, -2), "Ba:S:O Sr:Se:O Pb:S:O", 1),
    ("ordered-rocksalt", (1, 3, -2),
     "Li:Co:O Li:Ni:O Na:Fe:O Li:Cr:O Na:Mn:O Na:Ti:O Li:V:O Na:Bi:S K:Tl:O Li:Rh:O Na:Ho:S "
     "Na:In:O Na:Er:Se K:Ce:S Li:Sc:S Na:Pm:S Na:Ru:O K:Ac:S K:Lu:S", 1),
    ("delafossite", (1, 3, -2),
     "Cu:Al:O Cu:Fe:O Ag:Cr:O Pd:Co:O Pt:Co:O Pd:Rh:O Cu:Rh:O Ag:In:O", 1),
    ("potassium-tetrafluoronickelate", (1, 2, -1), "K:Ni:F Rb:Mn:F K:Mg:F Cs:Ag:F K:Zn:F", 1),
    ("potassium-tetrafluoronickelate", (2, 4, -2),
     "Sr:Ti:O Sr:Ru:O Sr:Ir:O Ba:Sn:O Sr:Rh:O Sr:Mo:O", 1),
    ("chalcopyrite", (1, 3, -2), "Cu:In:Se Cu:Ga:S Ag:Ga:Te Cu:Al:S Cu:Fe:S Ag:In:S", 1),
    ("chalcopyrite", (2, 4, -3), "Zn:Ge:P Cd:Ge:As Zn:Si:P Zn:Sn:Sb Cd:Sn:As", 1),
    ("matlockite", (2, -1, -1), "Ba:F:Cl Sr:F:Br Pb:F:Cl Eu:F:Br Ca:H:Br Sm:F:Cl", 1),
    ("matlockite", (3, -2, -1),
     "Bi:O:Cl La:O:Cl Nd:O:Br Dy:O:Cl Bi:O:Br Pr:O:F Ac:O:Br Pu:O:Cl Sb:O:F U:O:Cl Tm:O:Cl", 1),
    ("calcite", (2, 4, -2), "Ca:C:O Mg:C:O Mn:C:O Zn:C:O Cd:C:O Fe:C:O", 1),
    ("calcite", (1, 5, -2), "Na:N:O Li:N:O", 1),
    ("calcite", (3, 3, -2), "Sc:B:O Lu:B:O In:B:O Y:B:O Fe:B:O", 1),
    ("zircon", (4, 4, -2), "Zr:Si:O Hf:Si:O Th:Si:O", 1),
    ("zircon", (3, 5, -2), "Y:V:O Lu:P:O Gd:As:O Yb:P:O Sc:P:O Eu:V:O", 1),
    ("scheelite", (2, 6, -2), "Ca:W:O Ba:Mo:O Pb:W:O Sr:W:O Cd:Mo:O", 1),
    ("scheelite", (1, 7, -2), "Na:I:O K:Re:O Ag:Tc:O Na:Tc:O K:Tc:O", 1),
    ("boron-phosphate", (3, 5, -2), "B:P:O Al:P:O B:As:O Ga:P:O", 1),
    ("brucite", (2, -2, 1), "Mg:O:H Ca:O:H Ni:O:H Cd:O:H Co:O:H", 1),
)  # fmt: skip

METALLIC: tuple[Row, ...] = (
    ("b2", (), (_RARE_EARTHS + " Ac", "Ag Zn Cu Mg Rh Au Cd Tl"), 2),
    ("b2", (),
     "Ni:Al Fe:Al Co:Al Cu:Zn Fe:Ti Co:Ti Ni:Ti Ru:Al Pd:Al Mg:Ag Hf:Ru Zr:Os Ti:Os Al:Os "
     "Ti:Re Mn:Rh Ga:Ni Ga:Ru V:Ru Ta:Ru V:Tc Nb:Ru Ti:Tc Al:Ir Be:Co Be:Cu Be:Pd Be:Ti Mg:Hg "
     "Sr:Tl Ca:Tl Li:Hg Li:Tl Li:Pb Cs:Au Rb:Au Al:Re Al:Tc Al:Rh Pu:Ru Th:Re Np:Rh Pa:Ru "
     "Be:Rh Ga:Rh", 1),
    ("b32", (), "Na:Tl Li:Al Li:Ga Li:In Li:Zn Li:Cd Na:In", 1),
    ("l10", (),
     "Ti:Al Fe:Pt Cu:Au Fe:Pd Co:Pt Mn:Ni Mn:Pt Ni:Pt Cd:Pt Zn:Pd In:Mg Bi:Na Bi:Li Ga:Ti "
     "Hg:Pd Hg:Ti V:Ir Nb:Ir Nb:Rh Ta:Rh Cr:Pt Cr:Pd Hg:Zr Mo:Ir Ar:Ne Kr:Ar Xe:Kr Ne:He Ar:He "
     "Xe:Ar Kr:Ne Xe:Ne Xe:Ni", 1),
    ("l12", (),
     "Au:Cu Al:Ni Ga:Ni Ge:Ni Si:Ni Mn:Pt Fe:Pt Cr:Ir Ti:Zn Sn:La In:La Pb:La Tl:La Ce:Pd "
     "Sn:Pr In:Nd Pb:Eu Tl:Gd Ce:Rh Y:Pt Sc:Pd Er:Al Yb:Al Tm:Ga Dy:In Pb:Pm In:Pm Sn:Pm U:Ga "
     "U:Ge U:Sn Np:In U:Si Np:Sn U:Rh Np:Ga Pu:Ga Pu:In Pu:Sn Pu:Rh Pb:Ac In:Ac Tl:Ac Sn:Ac "
     "Th:Rh Th:Pb Tb:Pt Hf:Ir Hf:Rh Ta:Rh Ta:Ir Nb:Ir V:Ir V:Rh Zr:Al Zr:Hg Co:W Mo:Ir Pa:Rh "
     "Pa:Ir Pa:Sn Xe:Fe Kr:He Xe:He Ne:Xe Ar:Xe He:Ar Ne:Kr He:Xe Ne:Ar He:Kr Dy:Pt Ho:Pd "
     "Er:Rh Nd:Sn Sm:In", 1),
    ("do3", (), "Si:Fe Bi:Li Sb:Li Bi:K Bi:Cs Hg:Li Sb:Rb Al:Fe", 1),
    ("a15", (), "Sn:Nb Si:V Ge:Nb Ga:V Si:Cr Al:Nb Os:Mo Ir:Cr Pt:Nb Re:W Ge:Ta Tc:Mo", 1),
    ("laves-c15", (),
     "Ca:Al La:Ni Ce:Fe Y:Al Zr:Co Hf:Mo Mg:Cu K:Bi Rb:Bi Cs:Bi Na:Ag Na:Au Gd:Fe Tb:Co Ho:Al "
     "Dy:Al Dy:Co Er:Mn Ta:Cr Pb:Au U:Al U:Fe Np:Fe Pu:Fe Pu:Al Th:Os Th:Ir Pa:Os Zr:W Ba:Rh "
     "Sr:Pt Lu:Ru Tm:Re Pm:Al Pm:Ni Eu:Pd Ce:Os He:Ne Sc:Tc Hf:V", 1),
    ("cacu5", (), "La:Ni Y:Co Ca:Cu Ba:Ag Sr:Ag Th:Fe Pm:Co Ba:Au Ce:Zn", 1),
    ("aluminium-diboride", (),
     "Ti:B Zr:B V:B Cr:B Nb:B Ta:B Sc:B Al:B Hf:B Mo:B W:B Re:B Os:B Ru:B Tc:B Mn:B U:B Pu:B "
     "Tb:B Lu:B Ca:Ga Sr:Ga La:Ga Th:Si Eu:Ga", 1),
    ("molybdenum-disilicide", (), "Mo:Si W:Si Re:Si Zr:Pd Hf:Pd Al:Cr Mo:Ge Pd:Ti Cu:Ti Ag:Ti", 1),
    ("half-heusler", (),
     "Ti:Ni:Sn Zr:Ni:Sn Hf:Ni:Sn Ti:Co:Sb Zr:Rh:Bi Nb:Fe:Sb V:Fe:Sb Ta:Ru:Sb Sc:Pt:Sb Lu:Pt:Bi "
     "Y:Pd:Sb Li:Zn:P Li:Mg:N Li:Al:Si Na:Mg:As K:Mg:P Mg:Cu:Sb Tm:Ni:Sb Ho:Pd:Bi U:Ni:Sn "
     "Rb:Ca:As Hf:Co:As Th:Pt:Sn Ti:Fe:Te Pm:Pt:Bi Hf:Ir:As Li:Be:As "
     "Np:Ni:Sn", 1),
    ("heusler", (),
     "Co:Mn:Si Ni:Mn:Ga Cu:Mn:Al Fe:V:Al Co:Fe:Ge Pd:Mn:In Au:Mn:Al Ru:Mn:Ge Rh:Mn:Pb Fe:Ti:Sn "
     "Ni:Hf:Al Co:Ti:Ga Cu:Sc:In Ir:Mn:Al Ag:Mg:Pr Pt:Mn:Ga Os:Cr:Al", 1),
    ("thcr2si2", (),
     "Ce:Cu:Si Ba:Fe:As Ca:Fe:As La:Ru:P U:Ru:Si Sr:Ni:P K:Fe:Se Eu:Rh:Si Th:Co:Ge Np:Cu:Si "
     "Pm:Co:Ge Rb:Fe:Se Tl:Co:Se Cs:Fe:Se Sr:Pd:As", 1),
)  # fmt: skip

# Compounds of noble gases under pressure, whose size no radius of a free atom gives: prototype,
# compound, volume per atom in Å^3.
NOBLE: tuple[tuple[str, str, float], ...] = (
    ("antifluorite", "Na:He", 10.0),
    ("antifluorite", "K:He", 17.0),
    ("perovskite", "K:Mg:F", 12.6),
)
