"""From structures and calculators to a comparison."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platonic_ase.compare.alignment import align
from platonic_ase.compare.catalogue import Catalogue, describe
from platonic_ase.compare.comparison import Comparison, compare
from platonic_ase.compare.embedding import embed_to_file
from platonic_ase.compare.teacher import with_predicted_moments
from platonic_ase.compare.views import Views
from platonic_ase.errors import ComparisonError
from platonic_ase.runs.placement import HERE, Placement
from platonic_ase.space.embeddings import EmbeddingSet

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger("platonic_ase")

Stream = Callable[[], Iterable["Atoms"]]
"""Starts reading the structures from the beginning, each time that it is called."""


def compare_models(
    structures: Sequence[Atoms] | Stream,
    calculators: Mapping[str, Any],
    *,
    folder: str | os.PathLike[str],
    embeddings: Iterable[str | os.PathLike[str]] = (),
    centred: bool = False,
    moments_of: tuple[str, Any] | None = None,
    placement: Placement = HERE,
    progress: bool = True,
    **options: Any,
) -> tuple[Comparison, Views]:
    """Embed structures with each calculator and compare all models.

    Parameters
    ----------
    structures : sequence of Atoms, or callable that returns an iterable of them
        A callable is read once for the catalogue and once for each calculator, so that sets that
        do not fit in memory can be compared.
    calculators : mapping of str to ase calculator
        By the name in tables and figures; a calculator may be given as a function that opens it,
        so that only one is in memory at a time.
    folder : path-like
        Where the embedding file of each calculator is written, or read if it is complete.
    embeddings : iterable of path-like
        Embedding files of further models, made in other environments; named after the file.
    centred : bool
        Whether to subtract the mean anchor before cosines.
    moments_of : (str, ase calculator), optional
        Name of a model, and the model (or a function that opens it), whose predictions stand for
        magnetic moments that the structures do not have; the tables say so.
    placement : Placement
        Where the models run: in this process by default, or over Dask.
    progress : bool
        Whether to show progress bars.
    **options
        See :func:`~platonic_ase.compare.comparison.compare`.

    Returns
    -------
    comparison : Comparison
    views : Views
        The arrays, for figures and measures of your own.

    Raises
    ------
    ComparisonError
        If fewer than two models can be compared, or files do not fit the structures.
    """
    read = structures if callable(structures) else lambda: structures
    catalogue = describe(read(), progress=progress)
    if not len(catalogue):
        raise ComparisonError("there are no structures to compare models on")
    sets = embed_models(
        read, catalogue, calculators, folder=folder, placement=placement, progress=progress
    )
    for path in map(Path, embeddings):
        name = path.name.removesuffix(".safetensors").removesuffix(".embeddings")
        if name in sets:
            raise ComparisonError(f"two models are called {name!r}; rename {path}")
        sets[name] = _require_catalogue(path, EmbeddingSet.load(path), catalogue)
    views = align(sets, centred=centred)
    if moments_of is not None:
        name, teacher = moments_of
        catalogue = with_predicted_moments(
            catalogue, read(), _opened(teacher), name, progress=progress
        )
    return compare(views, catalogue, progress=progress, **options), views


def embed_models(
    read: Stream,
    catalogue: Catalogue,
    calculators: Mapping[str, Any],
    *,
    folder: str | os.PathLike[str],
    placement: Placement = HERE,
    progress: bool = True,
) -> dict[str, EmbeddingSet]:
    """Embed structures with each calculator, one file a model.

    Parameters
    ----------
    read : callable
        Returns an iterable of the structures, from the first one.
    catalogue : Catalogue
        Of the structures.
    calculators : mapping of str to ase calculator, or to a function that opens it
    folder : path-like
    placement : Placement
        Where the models run.
    progress : bool
        Whether to show progress bars.
    """
    from platonic_ase.models import find_encoder

    sets = {}
    for name, calculator in calculators.items():
        opened = _opened(calculator)
        path = Path(folder) / file_name(name)
        sets[name] = embed_to_file(
            find_encoder(opened),
            read(),
            catalogue.digests,
            path,
            calculator=calculator,
            placement=placement,
            progress=progress,
        )
        failed = sets[name].failures
        if failed:
            logger.warning("%s could not evaluate %d structures", name, len(failed))
    return sets


def file_name(model: str) -> str:
    """Name of the embedding file of a model: what a file system dislikes becomes a dash."""
    safe = "".join(c if c.isalnum() or c in "-._" else "-" for c in model)
    return f"{safe}.embeddings.safetensors"


def _opened(calculator: Any) -> Any:
    return calculator if hasattr(calculator, "calculate") else calculator()


def _require_catalogue(path: Path, embedded: EmbeddingSet, catalogue: Catalogue) -> EmbeddingSet:
    before = int(embedded.source.get("before", 0))
    digests = list(embedded.source.get("digests", ()))[before:]
    if digests and digests != list(catalogue.digests):
        same = sorted(digests) == sorted(catalogue.digests)
        raise ComparisonError(
            f"{path} holds "
            + ("these structures in another order" if same else "other structures")
            + f" ({len(digests)} against {len(catalogue)} given); give the file of structures that "
            "it was made from"
        )
    return embedded
