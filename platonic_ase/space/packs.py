"""Finding the calibration pack of a model: the user's own, or a packaged one."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from platonic_ase.errors import SpaceFileError
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.folders import identity_key, pack_folders
from platonic_ase.space.stored import Stored, stored_in

logger = logging.getLogger("platonic_ase")


class Pack(Protocol):
    """A calibration in a file, made for one model."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file."""

    def require(self, anchors: AnchorSet) -> None:
        """Refuse a model, or anchors, that the pack was not made with."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a file."""


P = TypeVar("P", bound=Pack)


def resolve_pack(
    anchors: AnchorSet,
    given: Any,
    kind: type[P],
    suffix: str,
    *,
    calibration: str | os.PathLike[str] | None = None,
    last: Path | None = None,
) -> P | None:
    """Turn what a user says of a calibration into a pack that fits the model.

    Parameters
    ----------
    anchors : AnchorSet
        In use; they know the model.
    given : Pack, path, None or "default"
    kind : type
        Class of the pack.
    suffix : str
        Files are named ``*-<key>.<suffix>.safetensors`` with the key of the model's identity.
    calibration : path-like, optional
        Folder of ``platonic-ase calibrate``, looked into first.
    last : Path, optional
        File that serves where there is no other.

    Raises
    ------
    SpaceFileError, ModelMismatchError
        If a file is broken, or belongs to another model or other anchors.
    """
    if given is None:
        return None
    if isinstance(given, str) and given == "default":
        return find_pack(anchors, kind, suffix, calibration=calibration, last=last)
    pack = given if isinstance(given, kind) else kind.load(given)
    pack.require(anchors)
    return pack


def find_pack(
    anchors: AnchorSet,
    kind: type[P],
    suffix: str,
    *,
    calibration: str | os.PathLike[str] | None = None,
    last: Path | None = None,
) -> P | None:
    """The first stored pack that fits; None, uncalibrated, where there is none.

    Parameters
    ----------
    anchors : AnchorSet
        In use; they know the model.
    kind, suffix, calibration, last
        See :func:`resolve_pack`.
    """
    pattern = f"*-{identity_key(anchors.identity)}.{suffix}.safetensors"
    paths = [p for folder in pack_folders(calibration) for p in sorted(folder.glob(pattern))]
    if last is not None and last.is_file():
        paths.append(last)
    for path in paths:
        try:
            pack = kind.load(path)
            pack.require(anchors)
        except SpaceFileError as error:
            logger.warning("a stored %s pack is not used: %s", suffix, error)
            continue
        return stored_in(pack, path) if isinstance(pack, Stored) else pack
    return None
