"""Forces and embeddings of a list of structures: with a progress bar, and resumable."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.calibrate.evaluation import EvaluationSet, evaluate_each
from platonic_ase.errors import EncoderError
from platonic_ase.models import Encoder
from platonic_ase.runs.shards import in_shards, load_same, partial_folder
from platonic_ase.space.embeddings import EmbeddingSet

if TYPE_CHECKING:
    from ase import Atoms

SHARD = 25
"""Structures per partial file: at most so many are lost to a kill."""


def evaluate_structures(
    encoder: Encoder,
    structures: Sequence[Atoms],
    store: str | os.PathLike[str],
    *,
    progress: bool = True,
) -> EvaluationSet:
    """Run a model over structures; what is in the store already is not run again.

    Parameters
    ----------
    encoder : Encoder
    structures : sequence of Atoms
    store : path-like
        File for the result, safetensors; partial files lie in ``STORE.partial`` until it is
        complete. Those of other structures, or of another model, are made anew.
    progress : bool
        Whether to show a progress bar on standard error.

    Raises
    ------
    EncoderError
        If no structure could be evaluated.
    CaptureError
        If the model cannot be observed.
    """
    from tqdm.auto import tqdm

    store = Path(store)
    identity = encoder.identity
    source = {"structures": len(structures), "sha256": structures_digest(structures)}
    known = load_same(EvaluationSet, store, identity, source)
    if known is not None:
        return known
    with (
        encoder.many() as reader,
        tqdm(
            total=len(structures), desc=f"forces of {identity.model}", disable=not progress
        ) as bar,
    ):
        make = partial(evaluate_each, reader, identity=identity, done=bar.update, source=source)
        parts = in_shards(
            EvaluationSet, structures, store, SHARD, identity, source, make, bar.update
        )
    embedded = EmbeddingSet.join([part.embedded for part in parts], SHARD, source)
    if not len(embedded):
        reasons = "; ".join(dict.fromkeys(embedded.failures.values())) or "there were none"
        raise EncoderError(f"none of {len(structures)} structures could be evaluated: {reasons}")
    result = EvaluationSet(embedded, np.concatenate([part.forces for part in parts]))
    result.save(store)
    shutil.rmtree(partial_folder(store), ignore_errors=True)
    return result


def structures_digest(structures: Sequence[Atoms]) -> str:
    """Hash of elements, positions, cells and boundary conditions of a list of structures."""
    digest = hashlib.sha256()
    for atoms in structures:
        digest.update(np.ascontiguousarray(atoms.numbers, dtype=np.int64).tobytes())
        digest.update(np.ascontiguousarray(atoms.positions).tobytes())
        digest.update(np.ascontiguousarray(atoms.cell.array).tobytes())
        digest.update(np.ascontiguousarray(atoms.pbc).tobytes())
    return digest.hexdigest()
