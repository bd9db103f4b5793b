"""Labels for a phonon pack: the same crystals with a model, and with DFT or a better model.

::

    materials = read_materials("phonondb.json")                    # DFT spectra
    rows = label_crystals(calc, materials, "labels")               # resumable
    table = PhononTable("my-model", "My model", rows)
    pack = fit_table(table, "My model, 73 crystals", identity=calc.encoder.identity)

Where DFT is lacking, a better model is the teacher: its spectra stand for the truth.

    lessons = taught(better, [Material("NaBr", "rocksalt"), ...], "teacher")
    rows = label_crystals(calc, lessons, "labels")
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.calibrate.compute_crystals import ComputedCrystal, compute_crystals
from platonic_ase.calibrate.materials import Material, bulk_cell
from platonic_ase.phonons.chemistry import ELECTRONEGATIVITY
from platonic_ase.phonons.spectra import best_log_factor, relative_error
from platonic_ase.phonons.spectrum import IMAGINARY
from platonic_ase.phonons.table import PhononRow
from platonic_ase.runs.placement import HERE, Placement

if TYPE_CHECKING:
    from platonic_ase.calculator import PlatonicCalculator


def label_crystals(
    calculator: PlatonicCalculator,
    materials: Iterable[Material],
    folder: str | os.PathLike[str],
    *,
    placement: Placement = HERE,
    progress: bool = True,
) -> tuple[PhononRow, ...]:
    """Phonon errors of a model on crystals whose spectrum is known.

    Parameters
    ----------
    materials : iterable of Material
        Those without a truth are left out.
    calculator, folder, placement, progress
        See :func:`compute_crystals`.

    Returns
    -------
    tuple of PhononRow
        For :class:`~platonic_ase.phonons.table.PhononTable`, and with it
        :func:`~platonic_ase.phonons.table.fit_table`.
    """
    known = [material for material in materials if material.truth is not None]
    computed = compute_crystals(calculator, known, folder, placement=placement, progress=progress)
    return tuple(label(computed[each.key], each) for each in known if each.key in computed)


def taught(
    teacher: PlatonicCalculator,
    materials: Iterable[Material],
    folder: str | os.PathLike[str],
    *,
    placement: Placement = HERE,
    progress: bool = True,
) -> list[Material]:
    """The same crystals with the spectra of a better model for the truth.

    Crystals that the teacher itself finds unstable are left out: they teach nothing.

    Parameters
    ----------
    teacher, materials, folder, placement, progress
        See :func:`compute_crystals`.
    """
    materials = list(materials)
    computed = compute_crystals(teacher, materials, folder, placement=placement, progress=progress)
    source = f"teacher: {teacher.encoder.identity.model}"
    return [
        replace(each, truth=computed[each.key].quantiles, source=source)
        for each in materials
        if each.key in computed and computed[each.key].lowest >= IMAGINARY
    ]


def label(crystal: ComputedCrystal, material: Material) -> PhononRow:
    """Compare a computed spectrum with the true one.

    Raises
    ------
    ValueError
        If the material has no true spectrum.
    """
    if material.truth is None:
        raise ValueError(f"{material.key} has no true spectrum")
    truth, quantiles = np.array(material.truth), np.array(crystal.quantiles)
    symbols = {chemical_symbols[z] for z in bulk_cell(material, 2.0).numbers}
    return PhononRow(
        formula=crystal.formula,
        prototype=crystal.prototype,
        anion=max(symbols, key=lambda s: ELECTRONEGATIVITY[chemical_symbols.index(s)]),
        supercell_atoms=crystal.supercell_atoms,
        relative_error=relative_error(quantiles, truth),
        log_factor=best_log_factor(quantiles, truth),
        imaginary=crystal.lowest < IMAGINARY <= truth[0],
        mean=crystal.mean,
        lowest=crystal.lowest,
        quantiles=crystal.quantiles,
        features=crystal.features,
    )
