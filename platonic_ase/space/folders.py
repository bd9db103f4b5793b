"""Where anchors, references and calibration packs are, and how their files are named."""

from __future__ import annotations

import hashlib
import json
import os
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.space.identity import ModelIdentity

POOL_SEED = 0


def identity_key(identity: ModelIdentity) -> str:
    """Short hash of all that makes embeddings differ."""
    values: dict[str, Any] = identity.to_dict()
    for recorded_only in ("model", "package_version"):
        values.pop(recorded_only)
    values["pool_seed"] = POOL_SEED
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def file_stem(identity: ModelIdentity) -> str:
    """Readable file name of a model's space, ending in its key."""
    readable = "".join(c if c.isalnum() or c in "-." else "_" for c in identity.model)
    return f"{readable}-{identity.layer}-{identity_key(identity)}".replace(" ", "_")


def cache_folder() -> Path:
    """Where spaces made on first use are kept; ``PLATONIC_ASE_CACHE`` overrides it."""
    from platformdirs import user_cache_path

    override = os.environ.get("PLATONIC_ASE_CACHE")
    return Path(override) if override else user_cache_path("platonic_ase")


def packaged_folder() -> Path:
    """Where the spaces that come with the package are."""
    with as_file(files("platonic_ase") / "data") as folder:
        return folder


def pack_folders(calibration: str | os.PathLike[str] | None = None) -> tuple[Path, ...]:
    """Where spaces and packs are looked for, first to last.

    Parameters
    ----------
    calibration : path-like, optional
        Folder of the user's own, made by ``platonic-ase calibrate``.
    """
    own = () if calibration is None else (Path(calibration),)
    return *own, packaged_folder(), cache_folder()


def require_calibration(folder: str | os.PathLike[str], identity: ModelIdentity) -> None:
    """Refuse a calibration folder that holds nothing for a model.

    Raises
    ------
    SpaceFileError
        If there is no such folder, or it holds no calibration at all.
    ModelMismatchError
        If it holds those of other models, layers or settings only.
    """
    made = sorted(Path(folder).glob("*.*.safetensors"))
    remedy = f"make one with 'platonic-ase calibrate --calculator {identity.model} --output FOLDER'"
    if not made:
        raise SpaceFileError(f"{os.fspath(folder)} is no folder with a calibration; {remedy}")
    if not any(f"-{identity_key(identity)}." in path.name for path in made):
        others = ", ".join(sorted({path.name.rsplit(".", 2)[0] for path in made}))
        raise ModelMismatchError(
            f"{os.fspath(folder)} holds calibrations of {others}, and none of "
            f"{file_stem(identity)}, the model in use; {remedy}"
        )
