"""The default anchors and reference of a model: packaged, cached, or made on first use.

The pool of generated structures is the same for every model, and so are the anchor
environments in :data:`ANCHORS_FILE`. Whatever model embeds them, the axes of its Platonic space
are the same physical environments.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from platonic_ase.crystals.groups import group_of
from platonic_ase.models.default_anchors import (
    GENERATED,
    N_ANCHORS,
    find_anchors,
    select_anchors,
)
from platonic_ase.models.embed import embed
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.embeddings import EmbeddingSet
from platonic_ase.space.folders import (
    POOL_SEED,
    cache_folder,
    file_stem,
)
from platonic_ase.space.packs import find_pack
from platonic_ase.space.reference import ReferenceManifold, fit_reference

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.models import Encoder

logger = logging.getLogger("platonic_ase")


AnchorsLike = AnchorSet | str | os.PathLike[str]
ReferenceLike = ReferenceManifold | str | os.PathLike[str] | None


def resolve_space(
    encoder: Encoder,
    anchors: AnchorsLike = "default",
    reference: ReferenceLike = "default",
    *,
    calibration: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> tuple[AnchorSet, ReferenceManifold | None]:
    """Turn what a user says of anchors and reference into objects that fit the model.

    Parameters
    ----------
    encoder : Encoder
    anchors : AnchorSet, path or "default"
    reference : ReferenceManifold, path, None or "default"
        The default of anchors that are not the default is None: uncalibrated.
    calibration : path-like, optional
        Folder of ``platonic-ase calibrate``, whose anchors and reference are the default then.
    progress : bool
        Whether embedding on first use shows a progress bar.

    Raises
    ------
    SpaceFileError, ModelMismatchError
        If a file is broken, or belongs to another model, layer or setting.
    """
    if isinstance(anchors, str) and anchors == "default":
        if isinstance(reference, str) and reference == "default":
            return default_space(encoder, calibration=calibration, progress=progress)
        chosen = find_anchors(encoder, calibration=calibration, progress=progress)
    else:
        chosen = anchors if isinstance(anchors, AnchorSet) else AnchorSet.load(anchors)
        chosen.require(encoder.identity)
        if isinstance(reference, str) and reference == "default":
            return chosen, None
    if reference is None:
        return chosen, None
    loaded = (
        reference if isinstance(reference, ReferenceManifold) else ReferenceManifold.load(reference)
    )
    loaded.require(chosen)
    return chosen, loaded


def default_space(
    encoder: Encoder,
    *,
    calibration: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> tuple[AnchorSet, ReferenceManifold]:
    """Default anchors and reference of a model: calibrated, packaged, cached, or made now.

    Parameters
    ----------
    encoder : Encoder
    calibration : path-like, optional
        Folder of ``platonic-ase calibrate``, looked into first.
    progress : bool
        Whether embedding on first use shows a progress bar.
    """
    anchors = find_anchors(encoder, calibration=calibration, progress=progress)
    reference = find_pack(anchors, ReferenceManifold, "reference", calibration=calibration)
    if reference is not None:
        return anchors, reference
    logger.info("no stored reference for %s: embedding the pool", encoder.identity.model)
    from platonic_ase.crystals.pool import (
        generate_pool,  # imports spacegroups and scipy
    )

    reference = build_reference(encoder, anchors, generate_pool(seed=POOL_SEED), progress=progress)
    stem = file_stem(encoder.identity)
    try:
        anchors.save(cache_folder() / f"{stem}.anchors.safetensors")
        reference.save(cache_folder() / f"{stem}.reference.safetensors")
    except OSError as error:
        logger.warning("the anchors could not be cached (%s); they are made anew each time", error)
    return anchors, reference


def build_reference(
    encoder: Encoder, anchors: AnchorSet, structures: Sequence[Atoms], *, progress: bool = True
) -> ReferenceManifold:
    """Make the reference manifold of a model from generated structures.

    Parameters
    ----------
    encoder : Encoder
    anchors : AnchorSet
    structures : sequence of Atoms
        The pool of :func:`generate_pool`.
    progress : bool
        Whether to show a progress bar.
    """
    usable = known_structures(encoder, structures)
    embedded = embed(encoder, usable, progress=progress)
    return reference_of(anchors, [(embedded, usable)], GENERATED)


def known_structures(encoder: Encoder, structures: Sequence[Atoms]) -> list[Atoms]:
    """Only the structures whose elements a model knows."""
    known = encoder.elements
    return [a for a in structures if known is None or known >= set(a.numbers.tolist())]


def reference_of(
    anchors: AnchorSet,
    parts: Sequence[tuple[EmbeddingSet, Sequence[Atoms]]],
    source: str,
) -> ReferenceManifold:
    """Reference manifold of structures that a model has embedded.

    Parameters
    ----------
    anchors : AnchorSet
    parts : sequence of pairs
        Embeddings, and the structures that they are of.
    source : str
        Where the structures come from and under which licence; recorded.

    Raises
    ------
    ValueError
        With too few structures.
    """
    starts = np.cumsum([0, *(len(structures) for _, structures in parts)])
    embedded = [each for each, _ in parts]
    failed = sum(len(each.failures) for each in embedded)
    return fit_reference(
        anchors.project(np.concatenate([each.embeddings for each in embedded])),
        np.concatenate([each.numbers for each in embedded]),
        np.concatenate([e.structures + s for e, s in zip(embedded, starts[:-1], strict=True)]),
        [group_of(atoms) for _, structures in parts for atoms in structures],
        anchors,
        provenance={
            "structures": int(starts[-1]) - failed,
            "environments": sum(len(each) for each in embedded),
            "source": source,
            "pool_seed": POOL_SEED,
            "failed": failed,
        },
    )


def build_custom_space(
    encoder: Encoder,
    structures: Sequence[Atoms],
    *,
    n: int = N_ANCHORS,
    method: Literal["direct", "farthest_point"] = "direct",
    centred: bool = False,
    seed: int = 0,
    source: str = "",
    progress: bool = True,
) -> tuple[AnchorSet, ReferenceManifold | None]:
    """Anchors chosen among structures of your own, and the reference that goes with them.

    Parameters
    ----------
    encoder : Encoder
    structures : sequence of Atoms
    n, method, centred, seed
        See :func:`select_anchors`.
    source : str
        Where the structures come from; recorded.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    anchors : AnchorSet
    reference : ReferenceManifold or None
        None where the structures are too few to calibrate thresholds.
    """
    embedded = embed(encoder, structures, source={"source": source}, progress=progress)
    anchors = select_anchors(embedded, n, method=method, centred=centred, seed=seed)
    try:
        reference = fit_reference(
            anchors.project(embedded.embeddings),
            embedded.numbers,
            embedded.structures,
            [group_of(atoms) for atoms in structures],
            anchors,
            seed=seed,
            provenance={"source": source, "structures": len(structures)},
        )
    except ValueError as error:
        logger.warning("no reference manifold: %s", error)
        return anchors, None
    return anchors, reference
