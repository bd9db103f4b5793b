"""The phonon pack of a model: its own, packaged, in the cache, or the universal one."""

from __future__ import annotations

import os

from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.folders import packaged_folder
from platonic_ase.space.packs import resolve_pack

UNIVERSAL = "universal.phonons.safetensors"


def resolve_phonon_risk(
    anchors: AnchorSet,
    risk: PhononRisk | str | os.PathLike[str] | None = "default",
    *,
    calibration: str | os.PathLike[str] | None = None,
) -> PhononRisk | None:
    """Turn what a user says of the phonon calibration into an object that fits the model.

    Parameters
    ----------
    anchors : AnchorSet
        In use; they know the model.
    risk : PhononRisk, path, None or "default"
        The default is the first stored pack of the model, and ``universal`` without one.
    calibration : path-like, optional
        Folder of ``platonic-ase calibrate``, looked into first.

    Raises
    ------
    SpaceFileError, ModelMismatchError
        If a file is broken, or belongs to another model or other anchors.
    """
    return resolve_pack(
        anchors,
        risk,
        PhononRisk,
        "phonons",
        calibration=calibration,
        last=packaged_folder() / UNIVERSAL,
    )
