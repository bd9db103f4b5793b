"""Embedding a file of structures: with a progress bar, and resumable after a kill."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platonic_ase.errors import EncoderError, StructureError
from platonic_ase.models import Encoder, find_encoder
from platonic_ase.models.embed import embed_each
from platonic_ase.outputs import check_outputs, keep_previous
from platonic_ase.runs.placement import HERE, Placement, facts_of, open_model
from platonic_ase.runs.replay import read_frames
from platonic_ase.runs.shards import in_shards, load_same, partial_folder, save
from platonic_ase.space.embeddings import EmbeddingSet

if TYPE_CHECKING:
    from ase import Atoms

SHARD = 50
"""Structures per partial file: at most so many are lost to a kill."""


@dataclass(frozen=True)
class EmbedWork:
    """See :class:`~platonic_ase.runs.placement.Work`; of a parcel comes an EmbeddingSet.

    Parameters
    ----------
    calculator, device
        See :func:`~platonic_ase.runs.placement.open_model`.
    layer : str or None
    batch_atoms : int or None
        See :func:`~platonic_ase.models.embed.embed_each`.
    """

    calculator: Any
    layer: str | None = None
    device: str | None = None
    batch_atoms: int | None = None

    def open(self) -> EmbedWorker:
        """Load the model."""
        encoder = find_encoder(open_model(self.calculator, self.device), self.layer)
        return EmbedWorker(encoder, self.batch_atoms)

    def name(self, item: Atoms) -> str:
        """Its formula."""
        return str(item.symbols)


class EmbedWorker:
    """See :class:`~platonic_ase.runs.placement.Worker`.

    Parameters
    ----------
    encoder : Encoder
    batch_atoms : int or None
    """

    def __init__(self, encoder: Encoder, batch_atoms: int | None = None) -> None:
        self.encoder, self._batch_atoms = encoder, batch_atoms

    @property
    def facts(self) -> Mapping[str, str]:
        """Versions and fingerprint."""
        return facts_of(self.encoder)

    def do(self, items: Sequence[Atoms]) -> EmbeddingSet:
        """Embed some structures."""
        with self.encoder.many() as reader:
            return embed_each(
                reader,
                items,
                self.encoder.identity,
                lambda _: None,
                batch_atoms=self._batch_atoms,
            )


def embed_file(
    structures: str | os.PathLike[str],
    calculator: Any,
    output: str | os.PathLike[str],
    *,
    layer: str | None = None,
    device: str | None = None,
    batch_atoms: int | None = None,
    placement: Placement = HERE,
    resume: bool = True,
    progress: bool = True,
) -> EmbeddingSet:
    """Embed all atoms of all structures of a file.

    The result is read in any environment by :meth:`EmbeddingSet.load`. Until it is complete,
    partial files lie in a folder beside it, ``OUTPUT.partial``; the same call again goes on from
    there, if the structures, the model and its settings are still the same.

    Parameters
    ----------
    structures : path-like
        Anything that ``ase.io.read`` reads, with any number of structures.
    calculator : str or ase calculator
        A name for :func:`~platonic_ase.models.load_calculator`, or a calculator.
    output : path-like
        File to write, safetensors.
    layer : str, optional
        Layer to read; the encoder's first by default.
    device : str, optional
        For a calculator given by name.
    batch_atoms : int, optional
        Most atoms in a batch, where the package can run structures in batches; see
        :func:`~platonic_ase.models.embed.embed_each`.
    placement : Placement
        Where the model runs: in this process by default, or over Dask.
    resume : bool
        Whether to go on from partial files; if not, they are made anew.
    progress : bool
        Whether to show a progress bar on standard error.

    Returns
    -------
    EmbeddingSet
        As written; structures that the model could not evaluate are listed in ``failures``.

    Raises
    ------
    StructureError
        If the file is missing, cannot be read or holds no structure.
    EncoderError
        If no structure could be embedded.
    OutputError
        If the output would be written over something else, or cannot be written.
    ClusterError
        If a scheduler or its workers will not do.
    """
    check_outputs({"arrays": output}, inputs=[structures])
    atoms = list(read_frames(structures))
    if not atoms:
        raise StructureError(f"{os.fspath(structures)} holds no structure")
    encoder = find_encoder(open_model(calculator, device), layer)
    source = {
        "file": Path(structures).name,
        "sha256": hashlib.sha256(Path(structures).read_bytes()).hexdigest(),
        "structures": len(atoms),
    }
    return embed_structures(
        encoder,
        atoms,
        output,
        source=source,
        calculator=calculator,
        device=device,
        batch_atoms=batch_atoms,
        placement=placement,
        resume=resume,
        progress=progress,
    )


def embed_structures(
    encoder: Encoder,
    atoms: Sequence[Atoms],
    output: str | os.PathLike[str],
    *,
    source: dict[str, Any],
    calculator: Any = None,
    device: str | None = None,
    batch_atoms: int | None = None,
    placement: Placement = HERE,
    resume: bool = True,
    progress: bool = True,
) -> EmbeddingSet:
    """Embed structures into a file, as :func:`embed_file` does with those of a file.

    Parameters
    ----------
    encoder : Encoder
    atoms : sequence of Atoms
    output, device, batch_atoms, placement, resume, progress
        See :func:`embed_file`.
    source : dict
        JSON-safe, recorded; files of another source are made anew.
    calculator : str, callable or ase calculator, optional
        What workers elsewhere open (:func:`~platonic_ase.runs.placement.open_model`); the
        encoder's calculator, pickled, if None.
    """
    from tqdm.auto import tqdm

    output = Path(output)
    identity = encoder.identity
    check_outputs({"arrays": output})
    if not resume:
        shutil.rmtree(partial_folder(output), ignore_errors=True)
    elif (complete := load_same(EmbeddingSet, output, identity, source)) is not None:
        return complete
    work = EmbedWork(
        encoder.calculator if calculator is None else calculator,
        encoder.layer,
        device,
        batch_atoms,
    )
    with (
        placement.engine(work, EmbedWorker(encoder, batch_atoms)) as engine,
        tqdm(
            total=len(atoms), desc=f"embedding with {identity.model}", disable=not progress
        ) as bar,
    ):
        parts = in_shards(
            EmbeddingSet, atoms, output, SHARD, identity, lambda _: source, engine, bar.update
        )
    result = EmbeddingSet.join(parts, SHARD, source)
    if not len(result):
        reasons = "; ".join(dict.fromkeys(result.failures.values()))
        raise EncoderError(f"none of {len(atoms)} structures could be embedded: {reasons}")
    keep_previous(output)
    save(result, output)
    shutil.rmtree(partial_folder(output))
    return result
