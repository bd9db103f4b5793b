"""The default anchors and reference of a model: packaged, cached, or made on first use.

The pool of generated structures is the same for every model, and so are the anchor
environments in :data:`ANCHORS_FILE`. Whatever model embeds them, the axes of its Platonic space
are the same physical environments.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
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
from platonic_ase.models.first_look import EvaluatedFrame, first_look
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.embeddings import EmbeddingSet
from platonic_ase.space.folders import (
    POOL_SEED,
    cache_folder,
    file_stem,
)
from platonic_ase.space.packs import find_pack
from platonic_ase.space.reference import ReferenceManifold
from platonic_ase.space.reference_fit import fit_reference
from platonic_ase.space.stored import stored_in

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.models import Encoder

logger = logging.getLogger("platonic_ase")

ALARM_LEVEL = 0.99
FIRST_POOL, FIRST_ALARM_LEVEL = 130, 0.96
"""Structures of the small pool. Of the 26 that set the alarm, the farthest does; with so few, one
familiar structure in 25 may lie beyond it (one in 100 of the whole pool)."""

AnchorsLike = AnchorSet | str | os.PathLike[str]
ReferenceLike = ReferenceManifold | str | os.PathLike[str] | None
FirstUse = Callable[[AnchorSet, Sequence[EvaluatedFrame]], object]
"""Told of the anchors of a model, and of the first look at it, when it is first used."""


def resolve_space(
    encoder: Encoder,
    anchors: AnchorsLike = "default",
    reference: ReferenceLike = "default",
    at_first_use: FirstUse | None = None,
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
    at_first_use : callable, optional
        See :data:`FirstUse`.
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
            return default_space(encoder, at_first_use, calibration=calibration, progress=progress)
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
    at_first_use: FirstUse | None = None,
    *,
    calibration: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> tuple[AnchorSet, ReferenceManifold]:
    """Default anchors and reference of a model: calibrated, packaged, cached, or made now.

    What is made now is small, so that a run begins soon: fewer reference environments, whose
    thresholds are wider for it. The whole pool is embedded by ``platonic-ase calibrate``. The
    model is looked at by the doctor, once.

    Parameters
    ----------
    encoder : Encoder
    at_first_use : callable, optional
        See :data:`FirstUse`.
    calibration : path-like, optional
        Folder of ``platonic-ase calibrate``, looked into first.
    progress : bool
        Whether embedding on first use shows a progress bar.

    Warns
    -----
    UnsoundModelWarning
        If the model is not what it claims to be.
    """
    anchors = find_anchors(encoder, calibration=calibration, progress=progress)
    reference = find_pack(anchors, ReferenceManifold, "reference", calibration=calibration)
    if reference is not None:
        return anchors, reference
    name = encoder.identity.model
    _say(
        f"no stored reference for {name}: a small one is made now, whose alarm one familiar "
        "structure in 25 passes, and a force bound from thirty frames with DFT labels. "
        f"'platonic-ase calibrate --calculator {name} --output FOLDER' "
        "makes a whole one, and with --quick finds in minutes how stiff the model is; "
        "'platonic-ase anchors build' makes anchors and reference of your own structures.",
        progress,
    )
    from platonic_ase.crystals.pool import generate_sample  # imports spacegroups and scipy

    frames = first_look(encoder)
    sample = generate_sample(FIRST_POOL, encoder.elements, seed=POOL_SEED)
    reference = build_reference(
        encoder, anchors, sample, alarm_level=FIRST_ALARM_LEVEL, progress=progress
    )
    stem = file_stem(encoder.identity)
    try:
        stored_in(anchors, anchors.save(cache_folder() / f"{stem}.anchors.safetensors"))
        stored_in(reference, reference.save(cache_folder() / f"{stem}.reference.safetensors"))
    except OSError as error:
        logger.warning("the anchors could not be cached (%s); they are made anew each time", error)
    if at_first_use is not None:
        at_first_use(anchors, frames)
    return anchors, reference


def _say(message: str, aloud: bool) -> None:
    """To the log, and where progress is shown to standard error."""
    from tqdm.auto import tqdm

    logger.info(message)
    if aloud:
        tqdm.write(message, file=sys.stderr)


def build_reference(
    encoder: Encoder,
    anchors: AnchorSet,
    structures: Sequence[Atoms],
    *,
    alarm_level: float = ALARM_LEVEL,
    progress: bool = True,
) -> ReferenceManifold:
    """Make the reference manifold of a model from generated structures.

    Parameters
    ----------
    encoder : Encoder
    anchors : AnchorSet
    structures : sequence of Atoms
        Of the pool.
    alarm_level : float
        See :func:`~platonic_ase.space.reference_fit.fit_reference`.
    progress : bool
        Whether to show a progress bar.
    """
    usable = known_structures(encoder, structures)
    embedded = embed(encoder, usable, progress=progress)
    return reference_of(anchors, [(embedded, usable)], GENERATED, alarm_level=alarm_level)


def known_structures(encoder: Encoder, structures: Sequence[Atoms]) -> list[Atoms]:
    """Only the structures whose elements a model knows."""
    known = encoder.elements
    return [a for a in structures if known is None or known >= set(a.numbers.tolist())]


def reference_of(
    anchors: AnchorSet,
    parts: Sequence[tuple[EmbeddingSet, Sequence[Atoms]]],
    source: str,
    *,
    alarm_level: float = ALARM_LEVEL,
) -> ReferenceManifold:
    """Reference manifold of structures that a model has embedded.

    Parameters
    ----------
    anchors : AnchorSet
    parts : sequence of pairs
        Embeddings, and the structures that they are of.
    source : str
        Where the structures come from and under which licence; recorded.
    alarm_level : float
        See :func:`~platonic_ase.space.reference_fit.fit_reference`.

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
        alarm_level=alarm_level,
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
