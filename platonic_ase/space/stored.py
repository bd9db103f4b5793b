"""Packs in pickles: one that lies among the stored ones is named there, and opened again.

A reference of some megabytes in each copy of a calculator would travel to every worker and into
every checkpoint. What comes with the package, or lies in the cache, is the same there: a copy names
the file and the hash of its bytes. A pack from elsewhere travels as a whole.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Self, TypeVar

from platonic_ase.errors import SpaceFileError
from platonic_ase.space.folders import cache_folder, packaged_folder

S = TypeVar("S", bound="Stored")


class Stored:
    """Mixed into frozen dataclasses with a ``load`` that are kept in files."""

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        source = self.__dict__.get("_source")
        if source is not None and _state(source[0]) == source[1]:  # the file is as it was read
            return _reopened, (type(self), source[0].name, _hashed(source[0], source[1]))
        values = {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]
        return _made_anew, (type(self), values)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # nothing of it ever changes


def stored_in(pack: S, path: Path) -> S:
    """Remember the file of a pack, if it lies where every installation or user has it.

    Parameters
    ----------
    pack : Stored
        As read from there, or written there.
    path : Path
    """
    if path.parent in (packaged_folder(), cache_folder()):
        object.__setattr__(pack, "_source", (path, _state(path)))
    return pack


def _state(path: Path) -> tuple[int, int] | None:
    """Time of change and size of a file, None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


@lru_cache(maxsize=32)
def _hashed(path: Path, _state: tuple[int, int] | None) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _find(name: str, digest: str) -> Path | None:
    for folder in (packaged_folder(), cache_folder()):
        path = folder / name
        if path.is_file() and _hashed(path, _state(path)) == digest:
            return path
    return None


@lru_cache(maxsize=8)
def _reopened(kind: Any, name: str, digest: str) -> Any:
    path = _find(name, digest)
    if path is None:
        raise SpaceFileError(
            f"a copy of a calculator needs {name} with the SHA-256 {digest[:12]}…, and neither "
            f"{packaged_folder()} nor {cache_folder()} has it; install the same version of "
            "platonic_ase here, or copy the file into the cache"
        )
    return stored_in(kind.load(path), path)


def _made_anew(kind: Any, values: dict[str, Any]) -> Any:
    return kind(**values)
