"""The default anchors and reference of a model: packaged, cached, or made on first use.

The pool of generated structures is the same for every model, and so are the anchor
environments: :data:`ANCHORS_FILE` names them as (structure, atom) in the pool. Whatever model
embeds them, the axes of its Platonic space are the same physical environments.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from platonic_ase.calibration.embed import embed
from platonic_ase.calibration.pool import generate_pool
from platonic_ase.errors import PlatonicError, SpaceFileError
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.embeddings import EmbeddingSet
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.reference import ReferenceManifold, fit_reference
from platonic_ase.space.selection import direct

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.encoders import Encoder

logger = logging.getLogger("platonic_ase")

ANCHORS_FILE = "default_anchors.json"
POOL_SEED = 0
N_ANCHORS = 100

AnchorsLike = AnchorSet | str | os.PathLike[str]
ReferenceLike = ReferenceManifold | str | os.PathLike[str] | None


def resolve_space(
    encoder: Encoder,
    anchors: AnchorsLike = "default",
    reference: ReferenceLike = "default",
    *,
    progress: bool = True,
) -> tuple[AnchorSet, ReferenceManifold | None]:
    """Turn what a user says of anchors and reference into objects that fit the model.

    Parameters
    ----------
    encoder : Encoder
    anchors : AnchorSet, path or "default"
    reference : ReferenceManifold, path, None or "default"
        The default of anchors that are not the default is None: uncalibrated.
    progress : bool
        Whether embedding on first use shows a progress bar.

    Raises
    ------
    SpaceFileError, ModelMismatchError
        If a file is broken, or belongs to another model, layer or setting.
    """
    if isinstance(anchors, str) and anchors == "default":
        default = default_space(encoder, progress=progress)
        chosen = default[0]
        if isinstance(reference, str) and reference == "default":
            return default
    else:
        chosen = anchors if isinstance(anchors, AnchorSet) else AnchorSet.load(anchors)
        chosen.require(encoder.identity)
        if isinstance(reference, str) and reference == "default":
            return chosen, None
    if reference is None:
        return chosen, None
    loaded = (
        reference
        if isinstance(reference, ReferenceManifold)
        else ReferenceManifold.load(reference)
    )
    loaded.require(chosen)
    return chosen, loaded


def default_space(
    encoder: Encoder, *, progress: bool = True
) -> tuple[AnchorSet, ReferenceManifold]:
    """Default anchors and reference of a model: packaged, cached, or made now and cached.

    Parameters
    ----------
    encoder : Encoder
    progress : bool
        Whether embedding on first use shows a progress bar.
    """
    key = identity_key(encoder.identity)
    for folder in (packaged_folder(), cache_folder()):
        found = _load_pair(folder, key, encoder)
        if found is not None:
            return found
    logger.info("no stored anchors for %s: embedding the pool", encoder.identity.model)
    structures = generate_pool(seed=POOL_SEED)
    anchors, reference = build_space(encoder, structures, progress=progress)
    stem = file_stem(encoder.identity)
    try:
        anchors.save(cache_folder() / f"{stem}.anchors.safetensors")
        reference.save(cache_folder() / f"{stem}.reference.safetensors")
    except OSError as error:
        logger.warning("the anchors could not be cached (%s); they are made anew each time", error)
    return anchors, reference


def build_space(
    encoder: Encoder,
    structures: Sequence[Atoms],
    *,
    extra: Sequence[Atoms] = (),
    extra_source: str | None = None,
    progress: bool = True,
) -> tuple[AnchorSet, ReferenceManifold]:
    """Make anchors and reference manifold of a model.

    Parameters
    ----------
    encoder : Encoder
    structures : sequence of Atoms
        The pool of :func:`generate_pool`, whole: the default anchors are named by position in it.
    extra : sequence of Atoms
        Further structures for the reference manifold, such as frames of the training set.
    extra_source : str, optional
        Where they come from and under which licence; recorded.
    progress : bool
        Whether to show a progress bar.
    """
    known = encoder.elements
    everything = [*structures, *extra]
    usable = [
        i for i, atoms in enumerate(everything) if known is None or known >= set(atoms.numbers)
    ]
    embedded = embed(encoder, [everything[i] for i in usable], progress=progress)
    position = np.array(usable)[embedded.structures]
    anchors = _default_anchors(embedded, position)
    groups = [
        atoms.info.get("group", atoms.get_chemical_formula(empirical=True)) for atoms in everything
    ]
    reference = fit_reference(
        anchors.project(embedded.embeddings),
        embedded.numbers,
        position,
        groups,
        anchors,
        provenance={
            "structures": len(usable) - len(embedded.failures),
            "environments": len(embedded),
            "source": "generated by platonic_ase (no licence needed)"
            + (f"; {extra_source}" if extra_source else ""),
            "pool_seed": POOL_SEED,
            "failed": len(embedded.failures),
        },
    )
    return anchors, reference


def _default_anchors(embedded: EmbeddingSet, position: np.ndarray) -> AnchorSet:
    """Rows of the environments named in the package; those the model does not know are left out."""
    first_row = {int(s): int(np.flatnonzero(position == s)[0]) for s in np.unique(position)}
    entries = anchor_environments()
    rows = [first_row[s] + atom for s, atom in entries if s in first_row]
    if not rows:
        raise PlatonicError("the model knows none of the elements of the default anchors")
    return AnchorSet(
        embeddings=embedded.embeddings[rows],
        numbers=embedded.numbers[rows],
        identity=embedded.identity,
        provenance={
            "source": "generated by platonic_ase (no licence needed)",
            "selection": "default environments (DIRECT)",
            "pool_seed": POOL_SEED,
            "left_out": len(entries) - len(rows),
        },
    )


def anchor_environments() -> list[tuple[int, int]]:
    """The default anchor environments: (structure, atom) in the pool."""
    text = (files("platonic_ase") / "data" / ANCHORS_FILE).read_text(encoding="utf-8")
    return [(int(s), int(a)) for s, a in json.loads(text)["environments"]]


def select_anchors(
    embedded: EmbeddingSet,
    n: int = N_ANCHORS,
    *,
    method: Literal["direct", "farthest_point"] = "direct",
    centred: bool = False,
    seed: int = 0,
) -> AnchorSet:
    """Choose anchors of your own among embedded environments.

    Parameters
    ----------
    embedded : EmbeddingSet
    n : int
        How many.
    method : {"direct", "farthest_point"}
        See :mod:`platonic_ase.space.selection`.
    centred : bool
        Whether to subtract the mean over the pool before cosines.
    seed : int
        Of the selection.
    """
    from platonic_ase.space.selection import farthest_point

    choose = {"direct": direct, "farthest_point": farthest_point}[method]
    rows = choose(embedded.embeddings, n, seed=seed)
    return AnchorSet(
        embeddings=embedded.embeddings[rows],
        numbers=embedded.numbers[rows],
        identity=embedded.identity,
        centre=embedded.embeddings.mean(axis=0) if centred else None,
        provenance={**embedded.source, "selection": method, "seed": seed, "pool": len(embedded)},
    )


def identity_key(identity: ModelIdentity) -> str:
    """Short hash of all that makes embeddings differ."""
    values: dict[str, Any] = identity.to_dict()
    for recorded_only in ("model", "package_version"):
        values.pop(recorded_only)
    values["pool_seed"] = POOL_SEED
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def file_stem(identity: ModelIdentity) -> str:
    """Readable file name of a model's space, ending in its key."""
    readable = "".join(c if c.isalnum() or c in "-." else "_" for c in identity.model)
    return f"{readable}-{identity.layer}-{identity_key(identity)}".replace(" ", "_")


def cache_folder() -> Path:
    """Where spaces made on first use are kept; ``PLATONIC_ASE_CACHE`` overrides it."""
    from platformdirs import user_cache_path

    override = os.environ.get("PLATONIC_ASE_CACHE")
    return Path(override) if override else user_cache_path("platonic_ase")


def packaged_folder() -> Path:
    """Where the spaces that come with the package are."""
    with as_file(files("platonic_ase") / "data") as folder:
        return folder


def _load_pair(
    folder: Path, key: str, encoder: Encoder
) -> tuple[AnchorSet, ReferenceManifold] | None:
    for path in sorted(folder.glob(f"*-{key}.anchors.safetensors")):
        try:
            anchors = AnchorSet.load(path)
            reference = ReferenceManifold.load(
                path.with_name(path.name.replace(".anchors.", ".reference."))
            )
            anchors.require(encoder.identity)
            reference.require(anchors)
        except SpaceFileError as error:
            logger.warning("stored anchors are unusable and are made anew: %s", error)
            continue
        return anchors, reference
    return None
