"""Results of many structures in shards, each in a file, so that little is lost to a kill."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from platonic_ase.errors import OutputError, SpaceFileError
from platonic_ase.runs.placement import Engine, Lost, Parcel
from platonic_ase.space.identity import ModelIdentity

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger("platonic_ase")

Source = Mapping[str, Any]


class Stored(Protocol):
    """What a model says of some structures, in a file."""

    @property
    def identity(self) -> ModelIdentity:
        """The model."""

    @property
    def source(self) -> Source:
        """What the structures are."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a file."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file."""

    @classmethod
    def failed(cls, identity: ModelIdentity, error: str) -> Self:
        """One structure that could not be computed."""

    @classmethod
    def join(cls, parts: Sequence[Self], size: int, source: Source) -> Self:
        """One of those of consecutive structures, so many a part."""


S = TypeVar("S", bound=Stored)


def partial_folder(store: Path) -> Path:
    """Where the shards of a file lie until it is complete."""
    return store.with_name(store.name + ".partial")


def load_same(kind: type[S], path: Path, identity: ModelIdentity, source: Source) -> S | None:
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


def save(result: Stored, path: Path) -> None:
    """Write a shard, or what they were joined to.

    Raises
    ------
    OutputError
        If it cannot be written, on a full disk say; shards that are written stay.
    """
    try:
        result.save(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error}. The partial files that are written are kept; free some "
            "space and give the same command again."
        ) from error


def in_shards(
    kind: type[S],
    structures: Iterable[Atoms],
    store: Path,
    size: int,
    identity: ModelIdentity,
    source: Callable[[Sequence[Atoms]], Source],
    engine: Engine,
    done: Callable[[int], object],
) -> list[S]:
    """Make what is not there yet, a shard at a time.

    Parameters
    ----------
    kind : type
        Of a shard, and of the result of each parcel of the engine.
    structures : iterable of Atoms
        Read once.
    store : Path
        File that the shards are going to be joined in.
    size : int
        Structures of a shard: at most so many are lost to a kill, for each worker.
    identity : ModelIdentity
        Of the model.
    source : callable
        What to record of the structures of a shard, JSON-safe.
    engine : Engine
    done : callable
        Called with the number of structures of a shard that is there.

    Returns
    -------
    list
        In the order of the structures.

    Raises
    ------
    OutputError
        If a shard cannot be written.
    """
    shards: dict[int, S] = {}
    pieces: dict[int, dict[int, S]] = {}
    sizes: dict[int, tuple[int, Source]] = {}

    def path_of(number: int) -> Path:
        return partial_folder(store) / f"shard-{number:06d}.safetensors"

    def missing() -> Iterator[Parcel]:
        for number, chunk in enumerate(_chunks(structures, size)):
            made_of = source(chunk)
            known = load_same(kind, path_of(number), identity, made_of)
            if known is None:
                sizes[number] = len(chunk), made_of
                yield Parcel(chunk, number)
            else:
                shards[number] = known
                done(len(chunk))

    for parcel, found in engine.results(missing()):
        part = kind.failed(identity, found.error) if isinstance(found, Lost) else found
        number = parcel.key
        pieces.setdefault(number, {})[parcel.start] = part
        count, made_of = sizes[number]
        there = pieces[number]
        if len(parcel.items) < count > len(there):  # it comes in single structures
            continue
        ordered = [there[start] for start in sorted(there)]
        shards[number] = kind.join(ordered, len(parcel.items), made_of)
        save(shards[number], path_of(number))
        del pieces[number], sizes[number]
        done(count)
    return [shards[number] for number in sorted(shards)]


def _chunks(structures: Iterable[Atoms], size: int) -> Iterator[list[Atoms]]:
    iterator = iter(structures)
    while chunk := list(islice(iterator, size)):
        yield chunk
