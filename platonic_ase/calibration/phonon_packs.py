"""The phonon pack of a model: packaged, in the cache, or the universal one."""

from __future__ import annotations

import logging
import os

from platonic_ase.calibration.defaults import cache_folder, identity_key, packaged_folder
from platonic_ase.calibration.phonon_risk import PhononRisk
from platonic_ase.errors import SpaceFileError
from platonic_ase.space.anchors import AnchorSet

logger = logging.getLogger("platonic_ase")

UNIVERSAL = "universal.phonons.safetensors"


def resolve_phonon_risk(
    anchors: AnchorSet, risk: PhononRisk | str | os.PathLike[str] | None = "default"
) -> PhononRisk | None:
    """Turn what a user says of the phonon calibration into an object that fits the model.

    Parameters
    ----------
    anchors : AnchorSet
        In use; they know the model.
    risk : PhononRisk, path, None or "default"

    Raises
    ------
    SpaceFileError, ModelMismatchError
        If a file is broken, or belongs to another model or other anchors.
    """
    if risk is None:
        return None
    if isinstance(risk, str) and risk == "default":
        return find_phonon_risk(anchors)
    pack = risk if isinstance(risk, PhononRisk) else PhononRisk.load(risk)
    pack.require(anchors)
    return pack


def find_phonon_risk(anchors: AnchorSet) -> PhononRisk | None:
    """The calibration that fits a model best.

    Files are named ``*-<key>.phonons.safetensors`` with the key of the model's identity, like its
    anchors; a pack of the user's in the cache folder comes first, ``universal`` last.

    Parameters
    ----------
    anchors : AnchorSet
        In use; they know the model.

    Returns
    -------
    PhononRisk or None
        None: uncalibrated.
    """
    key = identity_key(anchors.identity)
    own = [
        path
        for folder in (cache_folder(), packaged_folder())
        for path in sorted(folder.glob(f"*-{key}.phonons.safetensors"))
    ]
    for path in [*own, packaged_folder() / UNIVERSAL]:
        if not path.is_file():
            continue
        try:
            pack = PhononRisk.load(path)
            pack.require(anchors)
        except SpaceFileError as error:
            logger.warning("a stored phonon pack is not used: %s", error)
            continue
        return pack
    return None
