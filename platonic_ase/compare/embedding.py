"""Embedding for a comparison: one file a model, resumable, structures read as a stream."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platonic_ase.compare.analogies import analogy_structures
from platonic_ase.compare.catalogue import digest
from platonic_ase.errors import ComparisonError
from platonic_ase.models.default_anchors import anchor_environments
from platonic_ase.runs.embed import EmbedWork, EmbedWorker
from platonic_ase.runs.placement import HERE, Placement
from platonic_ase.runs.shards import in_shards, partial_folder, save
from platonic_ase.space.embeddings import EmbeddingSet

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.models import Encoder

logger = logging.getLogger("platonic_ase")

SHARD = 64
"""Structures embedded between two writes: what a killed run loses at most."""


def reference_structures() -> list[Atoms]:
    """Structures that come before the user's in every file: anchors, then analogies."""
    return [*(atoms for atoms, _ in anchor_environments()), *analogy_structures()]


def embed_to_file(
    encoder: Encoder,
    structures: Iterable[Atoms],
    digests: Sequence[str],
    path: str | os.PathLike[str],
    *,
    calculator: Any = None,
    placement: Placement = HERE,
    progress: bool = True,
) -> EmbeddingSet:
    """Embed anchors, analogies and structures with one model; go on where a run stopped.

    Parameters
    ----------
    encoder : Encoder
    structures : iterable of Atoms
        Read once, batch by batch.
    digests : sequence of str
        Their hashes, from the catalogue.
    path : path-like
        Written when all is done; a complete file is read and returned. Parts of an unfinished
        run lie beside it.
    calculator : str, callable or ase calculator, optional
        What workers elsewhere open (:func:`~platonic_ase.runs.placement.open_model`); the
        encoder's calculator, pickled, if None.
    placement : Placement
        Where the model runs: in this process by default, or over Dask.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    ComparisonError
        If the file is of other structures or of another model.
    CaptureError
        If the model cannot be observed.
    """
    from tqdm.auto import tqdm

    path = Path(path)
    before = reference_structures()
    expected = [*map(digest, before), *digests]
    if path.is_file():
        return _reuse(path, encoder, expected)
    label = f"embedding with {encoder.model_name}"
    work = EmbedWork(encoder.calculator if calculator is None else calculator, encoder.layer)
    with (
        placement.engine(work, EmbedWorker(encoder)) as engine,
        tqdm(total=len(expected), desc=label, disable=not progress) as bar,
    ):
        parts = in_shards(
            EmbeddingSet,
            chain(before, structures),
            path,
            SHARD,
            encoder.identity,
            lambda chunk: {"digests": [*map(digest, chunk)]},
            engine,
            bar.update,
        )
    joined = _join(encoder, parts, len(before))
    if joined.source["digests"] != expected:
        raise ComparisonError(
            f"{len(joined.source['digests'])} structures were read for {path.name}, which are not "
            f"the {len(expected)} of the catalogue; did the file change meanwhile? Run again"
        )
    save(joined, path)
    shutil.rmtree(partial_folder(path))
    return joined


def _join(encoder: Encoder, parts: list[EmbeddingSet], before: int) -> EmbeddingSet:
    joined = EmbeddingSet.join(
        parts,
        SHARD,
        {
            "anchors": len(anchor_environments()),
            "before": before,
            "digests": [value for part in parts for value in part.source["digests"]],
        },
    )
    if not len(joined):
        reasons = "; ".join(list(dict.fromkeys(joined.failures.values()))[:3])
        raise ComparisonError(f"{encoder.model_name} could not evaluate any structure: {reasons}")
    return joined


def _reuse(path: Path, encoder: Encoder, expected: list[str]) -> EmbeddingSet:
    stored = EmbeddingSet.load(path)
    differences = stored.identity.differences(encoder.identity)
    if differences:
        raise ComparisonError(
            f"{path} was made with another model: {'; '.join(differences)} (file against "
            "calculator); choose another folder or move the file away"
        )
    if list(stored.source.get("digests", ())) != expected:
        raise ComparisonError(
            f"{path} holds other structures, or the same in another order; choose another folder "
            "or move the file away"
        )
    logger.info("%s is complete and used as it is", path)
    return stored


def stream(paths: Iterable[Path]) -> Iterator[Atoms]:
    """Structures of several files, one after the other, never all in memory."""
    from platonic_ase.runs.replay import read_frames

    for path in paths:
        yield from read_frames(path)
