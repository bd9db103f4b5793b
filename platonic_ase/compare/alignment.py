"""From embedding files to views: the same structures, the same anchors, the failures listed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from platonic_ase.compare.views import Views, make_views
from platonic_ase.errors import ComparisonError
from platonic_ase.models.default_anchors import anchor_environments
from platonic_ase.space.embeddings import EmbeddingSet


def align(sets: Mapping[str, EmbeddingSet], *, centred: bool = False) -> Views:
    """Line up what several models saw.

    Parameters
    ----------
    sets : mapping of str to EmbeddingSet
        By model, of :func:`~platonic_ase.compare.embedding.embed_to_file`.
    centred : bool
        Whether to subtract the mean anchor before cosines.

    Raises
    ------
    ComparisonError
        If the files hold different structures or orders, or nothing that all models evaluated.
    """
    if len(sets) < 2:
        raise ComparisonError(
            f"a comparison needs at least 2 models, got {sorted(sets) or 'none'}; name another"
        )
    first, *others = sets
    for name in sets:
        _require_parts(name, sets[name])
    for name in others:
        _require_same(first, sets[first], name, sets[name])
    before = int(sets[first].source["before"])
    n_anchors = int(sets[first].source["anchors"])
    failed = {index for embedded in sets.values() for index in embedded.failures}
    kept = {
        name: (s.structures >= before) & ~np.isin(s.structures, list(failed))
        for name, s in sets.items()
    }
    if not kept[first].any():
        reasons = {name: next(iter(s.failures.values())) for name, s in sets.items() if s.failures}
        raise ComparisonError(
            "no structure was evaluated by all models; first failures: "
            + "; ".join(f"{name}: {why}" for name, why in reasons.items())
        )
    environments = {
        index: environment
        for index, environment in enumerate(anchor_environments())
        if index not in failed
    }
    analogies = range(n_anchors, before)
    whole = not failed & set(analogies)
    return make_views(
        {name: s.embeddings[kept[name]] for name, s in sets.items()},
        {
            name: np.stack(
                [s.embeddings[s.structures == i][atom] for i, (_, atom) in environments.items()]
            )
            for name, s in sets.items()
        },
        sets[first].numbers[kept[first]],
        sets[first].structures[kept[first]] - before,
        centred=centred,
        failures={
            name: {index - before: why for index, why in s.failures.items() if index >= before}
            for name, s in sets.items()
        },
        left_out_anchors=tuple(sorted(i for i in failed if i < n_anchors)),
        analogies={name: _means(s, analogies) for name, s in sets.items()} if whole else {},
        anchor_names=tuple(
            f"{i}: {atoms.symbols[atom]} in {atoms.get_chemical_formula('metal', empirical=True)}"
            for i, (atoms, atom) in environments.items()
        ),
    )


def _means(embedded: EmbeddingSet, structures: range) -> np.ndarray:
    """Mean embedding of each structure, shape (len(structures), d)."""
    return np.stack(
        [embedded.embeddings[embedded.structures == i].mean(axis=0) for i in structures]
    )


def _require_parts(name: str, embedded: EmbeddingSet) -> None:
    missing = [key for key in ("digests", "anchors", "before") if key not in embedded.source]
    if missing:
        raise ComparisonError(
            f"the embedding file of {name} lacks {', '.join(missing)}: it was not made for a "
            "comparison. Make it with 'platonic-ase compare STRUCTURES --calculators MODEL "
            "--embed-only', in whichever environment has the model"
        )
    if embedded.source["anchors"] != len(anchor_environments()):
        raise ComparisonError(
            f"the embedding file of {name} has {embedded.source['anchors']} anchors and this "
            f"version of platonic_ase {len(anchor_environments())}; embed with one version"
        )


def _require_same(first: str, a: EmbeddingSet, name: str, b: EmbeddingSet) -> None:
    mine, theirs = list(a.source["digests"]), list(b.source["digests"])
    if mine == theirs:
        return
    before = int(a.source["before"])
    if sorted(mine) == sorted(theirs):
        raise ComparisonError(
            f"{first} and {name} hold the same structures in another order; embed them from one "
            "file"
        )
    if len(mine) != len(theirs):
        raise ComparisonError(
            f"{first} holds {len(mine) - before} structures and {name} {len(theirs) - before}; "
            "embed the same file with both"
        )
    at = next(i for i, (p, q) in enumerate(zip(mine, theirs, strict=True)) if p != q)
    which = f"structure {at - before}" if at >= before else f"reference structure {at}"
    raise ComparisonError(
        f"{which} is not the same in {first} and {name} (nor are "
        f"{sum(p != q for p, q in zip(mine, theirs, strict=True)) - 1} others); embed the same "
        "file with both, with one version of platonic_ase"
    )
