"""A quick calibration: what a model does on fifteen crystals whose true spectra are shipped.

::

    platonic-ase calibrate MODEL --quick

The universal phonon risk knows errors of other models on many crystals, but not what the model in
use does. Fifteen binaries, ten anions among them, tell that in minutes.
"""

from __future__ import annotations

import os
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.calibrate.label_crystals import label_crystals
from platonic_ase.calibrate.materials import Material, read_materials
from platonic_ase.errors import CalibrationError
from platonic_ase.phonons.cases import case_quantities, case_vector
from platonic_ase.phonons.packs import UNIVERSAL
from platonic_ase.phonons.universal import UniversalRisk
from platonic_ase.runs.placement import HERE, Placement
from platonic_ase.space.folders import packaged_folder

if TYPE_CHECKING:
    from platonic_ase.calculator import PlatonicCalculator

SPECTRA = "quick_phonons.json"
FEWEST = 8
"""Crystals with a factor below which nothing is said of the model."""


def quick_materials() -> list[Material]:
    """The crystals, with their DFT spectra."""
    with as_file(files("platonic_ase") / "data" / SPECTRA) as path:
        return read_materials(path)


def quick_phonon_risk(
    calculator: PlatonicCalculator,
    folder: str | os.PathLike[str],
    *,
    placement: Placement = HERE,
    progress: bool = True,
) -> UniversalRisk:
    """The universal phonon risk with the cases of a model.

    Parameters
    ----------
    calculator, folder, placement, progress
        See :func:`~platonic_ase.calibrate.compute_crystals.compute_crystals`.

    Raises
    ------
    CalibrationError
        If fewer than eight crystals could be computed.
    """
    rows = label_crystals(
        calculator, quick_materials(), folder, placement=placement, progress=progress
    )
    rows = tuple(row for row in rows if np.isfinite(row.log_factor))
    if len(rows) < FEWEST:
        raise CalibrationError(
            f"{len(rows)} of the crystals have a spectrum that can be compared; at least "
            f"{FEWEST} are needed to know a model. Why others failed is in "
            f"{os.fspath(folder)}."
        )
    universal = UniversalRisk.load(packaged_folder() / UNIVERSAL)
    return universal.sharpened(
        calculator.encoder.identity,
        np.array([case_vector(case_quantities(r.features.to_dict(), r.numbers)) for r in rows]),
        [row.relative_error for row in rows],
        [-row.log_factor for row in rows],
        [row.key for row in rows],
    )
