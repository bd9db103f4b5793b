"""Forces and embeddings of many structures, both from the same forward passes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import CaptureError, SpaceFileError
from platonic_ase.models.embed import evaluate_one
from platonic_ase.space.embeddings import EmbeddingSet
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.identity import ModelIdentity

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.models import Encoder

KIND = "evaluations"


@dataclass(frozen=True)
class EvaluationSet:
    """Embeddings and forces of all atoms of a list of structures by one model.

    Attributes
    ----------
    embedded : EmbeddingSet
    forces : ndarray, shape (n, 3)
        The model's, eV/Å; rows as in ``embedded``.
    """

    embedded: EmbeddingSet
    forces: np.ndarray

    def __post_init__(self) -> None:
        if self.forces.shape != (len(self.embedded), 3):
            raise SpaceFileError(
                f"forces have shape {self.forces.shape}; ({len(self.embedded)}, 3) is needed"
            )

    @property
    def identity(self) -> ModelIdentity:
        """The model."""
        return self.embedded.identity

    @property
    def source(self) -> Mapping[str, Any]:
        """What the structures are."""
        return self.embedded.source

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a safetensors file with a JSON header."""
        arrays, header = self.embedded.to_arrays()
        return write_arrays(path, KIND, {**arrays, "forces": self.forces}, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> EvaluationSet:
        """Read a file of :meth:`save`.

        Raises
        ------
        SpaceFileError
            If the file is missing, truncated, malformed or holds values that are not finite.
        """
        arrays, header = read_arrays(path, KIND)
        try:
            return cls(EmbeddingSet.from_arrays(arrays, header), arrays["forces"])
        except KeyError as error:
            raise SpaceFileError(f"{path} lacks {error}; evaluate the structures anew") from error

    @classmethod
    def failed(cls, identity: ModelIdentity, error: str) -> EvaluationSet:
        """One structure that the model could not evaluate."""
        return cls(EmbeddingSet.failed(identity, error), np.empty((0, 3)))

    @classmethod
    def join(
        cls, parts: Sequence[EvaluationSet], size: int, source: Mapping[str, Any]
    ) -> EvaluationSet:
        """See :meth:`EmbeddingSet.join`."""
        embedded = EmbeddingSet.join([part.embedded for part in parts], size, source)
        return cls(embedded, np.concatenate([part.forces for part in parts]))


def evaluate_each(
    encoder: Encoder,
    structures: Sequence[Atoms],
    identity: ModelIdentity,
) -> EvaluationSet:
    """Evaluate structures one by one; all of them may fail.

    Parameters
    ----------
    encoder : Encoder
        From :meth:`Encoder.many`.
    structures : sequence of Atoms
    identity : ModelIdentity
        Recorded in the result.

    Raises
    ------
    CaptureError
        If the model cannot be observed.
    """
    rows = [np.empty((0, identity.width), dtype=identity.dtype)]
    forces = [np.empty((0, 3))]
    numbers, owners = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    failures: dict[int, str] = {}
    for index, atoms in enumerate(structures):
        try:
            embedding, force = evaluate_one(encoder, atoms)
            if not (np.isfinite(embedding).all() and np.isfinite(force).all()):
                raise ValueError("embeddings or forces are not finite")
        except CaptureError:
            raise
        except Exception as error:
            failures[index] = f"{type(error).__name__}: {error}"
        else:
            rows.append(embedding)
            forces.append(force)
            numbers.append(atoms.numbers)
            owners.append(np.full(len(atoms), index))
    embedded = EmbeddingSet(
        embeddings=np.concatenate(rows),
        numbers=np.concatenate(numbers),
        structures=np.concatenate(owners),
        identity=identity,
        failures=failures,
    )
    return EvaluationSet(embedded, np.concatenate(forces))
