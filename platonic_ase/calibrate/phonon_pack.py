"""From crystals to the phonon pack of a model: its errors against DFT, or a better model."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ase.data import chemical_symbols

from platonic_ase.calibrate.compute_crystals import SETTINGS
from platonic_ase.calibrate.label_crystals import label_crystals
from platonic_ase.calibrate.materials import Material
from platonic_ase.crystals.compounds import all_compounds
from platonic_ase.errors import CalibrationError
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.phonons.scores import left_out_scores
from platonic_ase.phonons.table import PhononTable, fit_table
from platonic_ase.runs.placement import HERE, Placement

if TYPE_CHECKING:
    from platonic_ase.calculator import PlatonicCalculator

PROTOTYPES = ("rocksalt", "zincblende", "wurtzite")
FEWEST = 20
"""Crystals below which eight features and their spread mean nothing."""


def lessons(count: int, elements: Iterable[int] | None = None) -> list[Material]:
    """Binary crystals for a teacher, anions in turn, without a true spectrum.

    Parameters
    ----------
    count : int
        At most.
    elements : iterable of int, optional
        Atomic numbers that both models know; all by default.
    """
    known = None if elements is None else set(elements)
    by_anion: dict[int, list[Material]] = {}
    for compound in all_compounds():
        if compound.prototype not in PROTOTYPES or len(compound.charges) != 2:
            continue
        if known is not None and not known >= set(compound.numbers):
            continue
        formula = "".join(chemical_symbols[z] for z in compound.numbers)
        by_anion.setdefault(compound.numbers[1], []).append(Material(formula, compound.prototype))
    chosen: list[Material] = []
    while len(chosen) < count and any(by_anion.values()):
        chosen += [left.pop(0) for left in by_anion.values() if left]
    return chosen[:count]


def build_phonon_risk(
    calculator: PlatonicCalculator,
    materials: Iterable[Material],
    folder: str | os.PathLike[str],
    *,
    placement: Placement = HERE,
    progress: bool = True,
) -> PhononRisk:
    """Calibrate the phonon risk of a model.

    Parameters
    ----------
    materials : iterable of Material
        With their true spectra.
    calculator, folder, placement, progress
        See :func:`~platonic_ase.calibrate.compute_crystals.compute_crystals`.

    Raises
    ------
    CalibrationError
        If fewer than 20 crystals could be computed, or they have fewer than three anions.
    """
    materials = list(materials)
    rows = label_crystals(calculator, materials, folder, placement=placement, progress=progress)
    if len(rows) < FEWEST:
        raise CalibrationError(
            f"{len(rows)} of {len(materials)} crystals have both spectra; at least {FEWEST} are "
            f"needed for a phonon risk. Add crystals; why others failed is in {os.fspath(folder)}."
        )
    anions = {row.anion for row in rows}
    if len(anions) < 3:
        raise CalibrationError(
            f"all crystals are of {', '.join(sorted(anions))}; at least 3 anions are needed, to "
            "leave one out at a time. Add crystals of others."
        )
    identity = calculator.encoder.identity
    table = PhononTable(identity.model, identity.model, rows)
    sources = ", ".join(sorted({each.source for each in materials if each.source}))
    return fit_table(
        table,
        f"{identity.model}, {len(rows)} binary crystals ({sources})",
        identity=identity,
        provenance={
            "labels": sources,
            "settings": dict(SETTINGS),
            "scores": left_out_scores(table),
        },
    )
