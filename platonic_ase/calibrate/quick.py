"""A quick calibration: the level of a model from fifteen crystals whose true spectra are shipped.

::

    platonic-ase calibrate MODEL --quick

The universal phonon risk knows how stiff a crystal should be, but not how far the model in use is
off on the average. Fifteen binaries, ten anions among them, tell that in minutes.
"""

from __future__ import annotations

import os
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.calibrate.label_crystals import label_crystals
from platonic_ase.calibrate.materials import Material, read_materials
from platonic_ase.errors import CalibrationError
from platonic_ase.phonons.packs import UNIVERSAL
from platonic_ase.phonons.universal import UniversalRisk
from platonic_ase.runs.placement import HERE, Placement
from platonic_ase.space.folders import packaged_folder

if TYPE_CHECKING:
    from platonic_ase.calculator import PlatonicCalculator

SPECTRA = "quick_phonons.json"
FEWEST = 8
"""Crystals with a factor below which no level is stated."""


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
    """The universal phonon risk with the level of a model.

    Parameters
    ----------
    calculator : PlatonicCalculator
        With a policy that does not end runs, such as ``on_warning="ignore"``.
    folder : path-like
        For the results of each crystal, so that the same call goes on after a kill.
    placement : Placement
        Where the phonons are computed: in this process by default, or over Dask.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    CalibrationError
        If fewer than eight crystals could be computed.
    """
    rows = label_crystals(
        calculator, quick_materials(), folder, placement=placement, progress=progress
    )
    ratios = -np.array([row.log_factor for row in rows], dtype=float)
    ratios = ratios[np.isfinite(ratios)]
    if len(ratios) < FEWEST:
        raise CalibrationError(
            f"{len(ratios)} of the crystals have a spectrum that can be compared; at least "
            f"{FEWEST} are needed for the level of a model. Why others failed is in "
            f"{os.fspath(folder)}."
        )
    universal = UniversalRisk.load(packaged_folder() / UNIVERSAL)
    return universal.sharpened(calculator.encoder.identity, ratios)
