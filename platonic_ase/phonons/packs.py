"""The phonon pack of a model: its own, packaged, in the cache, or the universal one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons import universal
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.phonons.universal import UniversalRisk
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.folders import packaged_folder
from platonic_ase.space.packs import find_pack
from platonic_ase.space.stored import stored_in

UNIVERSAL = "universal.phonons.safetensors"
QUICK = "quick-phonons"
"""Suffix of the universal pack with the cases of a model, as a quick calibration writes it."""


def resolve_phonon_risk(
    anchors: AnchorSet,
    risk: PhononRisk | UniversalRisk | str | os.PathLike[str] | None = "default",
    *,
    calibration: str | os.PathLike[str] | None = None,
    level: float | None = None,
) -> PhononRisk | UniversalRisk | None:
    """Turn what a user says of the phonon calibration into an object that fits the model.

    Parameters
    ----------
    anchors : AnchorSet
        In use; they know the model.
    risk : PhononRisk, UniversalRisk, path, None or "default"
        The default is the first stored pack of the model, and ``universal`` without one. The
        universal pack speaks for crystals that a stored one is not made for.
    calibration : path-like, optional
        Folder of ``platonic-ase calibrate``, looked into first.
    level : float, optional
        Force level of the model, see :mod:`~platonic_ase.phonons.levels`.

    Raises
    ------
    SpaceFileError, ModelMismatchError
        If a file is broken, or belongs to another model or other anchors.
    """
    if risk is None:
        return None
    pack: PhononRisk | UniversalRisk | None
    if isinstance(risk, str) and risk == "default":
        pack = find_pack(anchors, PhononRisk, "phonons", calibration=calibration)
    else:
        if isinstance(risk, PhononRisk | UniversalRisk):
            risk.require(anchors)
            return risk
        pack = _load(Path(risk))
        pack.require(anchors)
    if isinstance(pack, UniversalRisk):
        return pack.for_model(anchors.identity, level)
    beyond = _universal(anchors, calibration, level)
    return beyond if pack is None else replace(pack, beyond=pack.beyond or beyond)


def _universal(
    anchors: AnchorSet, calibration: str | os.PathLike[str] | None, level: float | None
) -> UniversalRisk:
    quick = find_pack(anchors, UniversalRisk, QUICK, calibration=calibration)
    if quick is not None:
        return quick
    path = packaged_folder() / UNIVERSAL
    return stored_in(UniversalRisk.load(path), path).for_model(anchors.identity, level)


def _load(path: Path) -> PhononRisk | UniversalRisk:
    """A file of either kind."""
    try:
        return PhononRisk.load(path)
    except SpaceFileError as error:
        if universal.KIND not in str(error):
            raise
        return UniversalRisk.load(path)
