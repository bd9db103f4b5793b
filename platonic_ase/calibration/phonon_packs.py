"""The phonon pack of a model: packaged, in the cache, or the universal one."""

from __future__ import annotations

import logging

from platonic_ase.calibration.defaults import cache_folder, identity_key, packaged_folder
from platonic_ase.calibration.phonon_risk import PhononRisk
from platonic_ase.errors import SpaceFileError
from platonic_ase.space.anchors import AnchorSet

logger = logging.getLogger("platonic_ase")

UNIVERSAL = "universal.phonons.safetensors"


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
