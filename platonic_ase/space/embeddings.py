"""Embeddings of many structures, as arrays and as a file that any environment can read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.pack_schemas import EMBEDDINGS

KIND = "embeddings"


@dataclass(frozen=True)
class EmbeddingSet:
    """Embeddings of all atoms of a list of structures by one model.

    Attributes
    ----------
    embeddings : ndarray, shape (n, d)
        One row an atom, structure after structure, in the order of the atoms.
    numbers : ndarray of int, shape (n,)
        Atomic numbers.
    structures : ndarray of int, shape (n,)
        Index of the structure that each row belongs to, 0..S-1 in the list given.
    identity : ModelIdentity
        The model, layer and settings that made them.
    source : mapping
        What the structures are: names, groups, a hash; JSON-safe.
    failures : mapping of int to str
        Structures that the model could not evaluate, with the reason; they have no rows.
    """

    embeddings: np.ndarray
    numbers: np.ndarray
    structures: np.ndarray
    identity: ModelIdentity
    source: Mapping[str, Any] = field(default_factory=dict)
    failures: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.embeddings)
        if self.embeddings.ndim != 2 or self.embeddings.shape[1] != self.identity.width:
            raise SpaceFileError(
                f"embeddings have shape {self.embeddings.shape}; (n, {self.identity.width}) is "
                "needed for this model"
            )
        if self.numbers.shape != (n,) or self.structures.shape != (n,):
            raise SpaceFileError(
                f"{n} embeddings come with {self.numbers.shape} atomic numbers and "
                f"{self.structures.shape} structure indices; ({n},) each is needed"
            )

    def __len__(self) -> int:
        return len(self.embeddings)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a safetensors file with a JSON header."""
        return write_arrays(path, KIND, *self.to_arrays())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> EmbeddingSet:
        """Read a file of :meth:`save`.

        Raises
        ------
        SpaceFileError
            If the file is missing, truncated, malformed or holds values that are not finite.
        """
        try:
            return cls.from_arrays(*read_arrays(path, KIND, EMBEDDINGS))
        except (KeyError, ValueError) as error:
            raise SpaceFileError(
                f"{path} is damaged ({error}); embed the structures anew"
            ) from error

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON-safe header of a file."""
        arrays = {
            "embeddings": self.embeddings,
            "numbers": self.numbers.astype(np.int64),
            "structures": self.structures.astype(np.int64),
        }
        header = {
            "identity": self.identity.to_dict(),
            "source": dict(self.source),
            "failures": {str(index): reason for index, reason in self.failures.items()},
        }
        return arrays, header

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]
    ) -> EmbeddingSet:
        """The set of :meth:`to_arrays`; KeyError where something is missing."""
        return cls(
            embeddings=arrays["embeddings"],
            numbers=arrays["numbers"],
            structures=arrays["structures"],
            identity=ModelIdentity.from_dict(header["identity"]),
            source=header["source"],
            failures={int(index): text for index, text in header["failures"].items()},
        )

    @classmethod
    def failed(cls, identity: ModelIdentity, error: str) -> EmbeddingSet:
        """One structure that the model could not evaluate."""
        none = np.empty(0, dtype=np.int64)
        rows = np.empty((0, identity.width), dtype=identity.dtype)
        return cls(rows, none, none, identity, failures={0: error})

    @classmethod
    def join(
        cls, parts: Sequence[EmbeddingSet], size: int, source: Mapping[str, Any]
    ) -> EmbeddingSet:
        """One set of those of consecutive structures.

        Parameters
        ----------
        parts : sequence of EmbeddingSet
            Of one model.
        size : int
            Structures of each part but the last, which may have fewer.
        source : mapping
            Of the whole.
        """
        starts = range(0, size * len(parts), size)
        return cls(
            embeddings=np.concatenate([part.embeddings for part in parts]),
            numbers=np.concatenate([part.numbers for part in parts]),
            structures=np.concatenate(
                [part.structures + start for part, start in zip(parts, starts, strict=True)]
            ),
            identity=parts[0].identity,
            source=source,
            failures={
                index + start: reason
                for part, start in zip(parts, starts, strict=True)
                for index, reason in part.failures.items()
            },
        )
