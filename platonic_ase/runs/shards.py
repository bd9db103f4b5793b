"""Work over many structures in shards, each in a file, so that little is lost to a kill."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from platonic_ase.errors import SpaceFileError
from platonic_ase.space.identity import ModelIdentity

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger("platonic_ase")


class Stored(Protocol):
    """What a model says of some structures, in a file."""

    @property
    def identity(self) -> ModelIdentity:
        """The model."""

    @property
    def source(self) -> Mapping[str, Any]:
        """What the structures are."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a file."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file."""


S = TypeVar("S", bound=Stored)


def partial_folder(store: Path) -> Path:
    """Where the shards of a file lie until it is complete."""
    return store.with_name(store.name + ".partial")


def load_same(
    kind: type[S], path: Path, identity: ModelIdentity, source: Mapping[str, Any]
) -> S | None:
    """What an earlier run left, if it is whole and of this model and these structures.

    Parameters
    ----------
    kind : type
    path : Path
    identity : ModelIdentity
    source : mapping
    """
    if not path.exists():
        return None
    try:
        found = kind.load(path)
    except SpaceFileError as error:
        logger.warning("%s is made anew: %s", path, error)
        return None
    differences = found.identity.differences(identity)
    if differences or dict(found.source) != source:
        reason = "; ".join(differences) or "other structures"
        logger.warning("%s is of another run (%s) and is made anew", path, reason)
        return None
    return found


def in_shards(
    kind: type[S],
    structures: Sequence[Atoms],
    store: Path,
    size: int,
    identity: ModelIdentity,
    source: Mapping[str, Any],
    make: Callable[[Sequence[Atoms]], S],
    done: Callable[[int], object],
) -> list[S]:
    """Make what is not there yet, a shard at a time.

    Parameters
    ----------
    kind : type
        Of a shard.
    structures : sequence of Atoms
    store : Path
        File that the shards are going to be joined in.
    size : int
        Structures of a shard: at most so many are lost to a kill.
    identity, source
        See :func:`load_same`.
    make : callable
        Makes a shard of some structures.
    done : callable
        Called with the number of structures of a shard that was there.
    """
    parts = []
    for start in range(0, len(structures), size):
        chunk = structures[start : start + size]
        path = partial_folder(store) / f"{start:09d}.safetensors"
        part = load_same(kind, path, identity, source)
        if part is None:
            part = make(chunk)
            part.save(path)
        else:
            done(len(chunk))
        parts.append(part)
    return parts
