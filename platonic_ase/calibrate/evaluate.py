"""Forces and embeddings of a list of structures: with a progress bar, and resumable."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.calibrate.evaluation import EvaluationSet, evaluate_each
from platonic_ase.errors import EncoderError
from platonic_ase.models import Encoder, find_encoder
from platonic_ase.runs.placement import HERE, Placement, facts_of
from platonic_ase.runs.shards import in_shards, load_same, partial_folder, save

if TYPE_CHECKING:
    from ase import Atoms

SHARD = 25
"""Structures per partial file: at most so many are lost to a kill."""


@dataclass(frozen=True)
class EvaluateWork:
    """See :class:`~platonic_ase.runs.placement.Work`; of a parcel comes an EvaluationSet.

    Parameters
    ----------
    calculator : ase calculator
    layer : str or None
    """

    calculator: Any
    layer: str | None = None

    def open(self) -> EvaluateWorker:
        """Find the encoder."""
        return EvaluateWorker(find_encoder(self.calculator, self.layer))

    def name(self, item: Atoms) -> str:
        """Its formula."""
        return str(item.symbols)


class EvaluateWorker:
    """See :class:`~platonic_ase.runs.placement.Worker`.

    Parameters
    ----------
    encoder : Encoder
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @property
    def facts(self) -> Mapping[str, str]:
        """Versions and fingerprint."""
        return facts_of(self._encoder)

    def do(self, items: Sequence[Atoms]) -> EvaluationSet:
        """Evaluate some structures."""
        with self._encoder.many() as reader:
            return evaluate_each(reader, items, self._encoder.identity)


def evaluate_structures(
    encoder: Encoder,
    structures: Sequence[Atoms],
    store: str | os.PathLike[str],
    *,
    placement: Placement = HERE,
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
    placement : Placement
        Where the model runs: in this process by default, or over Dask.
    progress : bool
        Whether to show a progress bar on standard error.

    Raises
    ------
    EncoderError
        If no structure could be evaluated.
    CaptureError
        If the model cannot be observed.
    OutputError
        If a file cannot be written.
    """
    from tqdm.auto import tqdm

    store = Path(store)
    identity = encoder.identity
    source = {"structures": len(structures), "sha256": structures_digest(structures)}
    known = load_same(EvaluationSet, store, identity, source)
    if known is not None:
        return known
    work = EvaluateWork(encoder.calculator, encoder.layer)
    with (
        placement.engine(work, EvaluateWorker(encoder)) as engine,
        tqdm(
            total=len(structures), desc=f"forces of {identity.model}", disable=not progress
        ) as bar,
    ):
        parts = in_shards(
            EvaluationSet, structures, store, SHARD, identity, lambda _: source, engine, bar.update
        )
    if not parts:
        raise EncoderError("no structure could be evaluated: there were none")
    result = EvaluationSet.join(parts, SHARD, source)
    if not len(result.embedded):
        reasons = "; ".join(dict.fromkeys(result.embedded.failures.values()))
        raise EncoderError(f"none of {len(structures)} structures could be evaluated: {reasons}")
    save(result, store)
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
