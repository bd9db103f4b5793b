"""Forces and embeddings of a list of structures: with a progress bar, and resumable."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.calibration.evaluate import EvaluationSet, evaluate_each
from platonic_ase.encoders import Encoder
from platonic_ase.errors import EncoderError, SpaceFileError
from platonic_ase.space.embeddings import EmbeddingSet
from platonic_ase.space.identity import ModelIdentity

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger("platonic_ase")

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
    known = _load(store, identity, source)
    if known is not None:
        return known
    folder = store.with_name(store.name + ".partial")
    parts = []
    with (
        encoder.many() as reader,
        tqdm(
            total=len(structures), desc=f"forces of {identity.model}", disable=not progress
        ) as bar,
    ):
        for start in range(0, len(structures), SHARD):
            chunk = structures[start : start + SHARD]
            path = folder / f"{start:09d}.safetensors"
            part = _load(path, identity, source)
            if part is None:
                part = evaluate_each(reader, chunk, identity, bar.update, source=source)
                part.save(path)
            else:
                bar.update(len(chunk))
            parts.append(part)
    result = _join([part.embedded for part in parts], [part.forces for part in parts])
    if not len(result.embedded):
        reasons = "; ".join(dict.fromkeys(result.embedded.failures.values())) or "there were none"
        raise EncoderError(f"none of {len(structures)} structures could be evaluated: {reasons}")
    result.save(store)
    shutil.rmtree(folder, ignore_errors=True)
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


def _load(path: Path, identity: ModelIdentity, source: dict[str, Any]) -> EvaluationSet | None:
    if not path.exists():
        return None
    try:
        found = EvaluationSet.load(path)
    except SpaceFileError as error:
        logger.warning("%s is made anew: %s", path, error)
        return None
    differences = found.embedded.identity.differences(identity)
    if differences or dict(found.embedded.source) != source:
        reason = "; ".join(differences) or "other structures"
        logger.warning("%s is of another run (%s) and is made anew", path, reason)
        return None
    return found


def _join(parts: list[EmbeddingSet], forces: list[np.ndarray]) -> EvaluationSet:
    """One set of the sets of consecutive shards."""
    starts = range(0, SHARD * len(parts), SHARD)
    embedded = EmbeddingSet(
        embeddings=np.concatenate([part.embeddings for part in parts]),
        numbers=np.concatenate([part.numbers for part in parts]),
        structures=np.concatenate([p.structures + s for p, s in zip(parts, starts, strict=True)]),
        identity=parts[0].identity,
        source=parts[0].source,
        failures={
            index + start: reason
            for part, start in zip(parts, starts, strict=True)
            for index, reason in part.failures.items()
        },
    )
    return EvaluationSet(embedded, np.concatenate(forces))
