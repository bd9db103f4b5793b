"""Small Platonic spaces that take a moment to make."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from platonic_ase.models.embed import embed
from platonic_ase.models.encoder import Encoder
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.reference import ReferenceManifold
from platonic_ase.space.reference_fit import fit_reference
from platonic_ase.space.selection import farthest_point


def small_space(
    encoder: Encoder,
    structures: Sequence[Atoms],
    *,
    copies: int = 24,
    rattle: float = 0.08,
    n_anchors: int = 8,
    seed: int = 0,
) -> tuple[AnchorSet, ReferenceManifold]:
    """Anchors and a reference manifold of rattled and strained copies of a few structures.

    For tests: coverage is loose (levels 0.8 and 0.7), so that some twenty structures suffice.

    Parameters
    ----------
    encoder : Encoder
        Its calculator embeds the copies.
    structures : sequence of Atoms
        Left as they are.
    copies : int
        How many structures to embed in total, at least 20.
    rattle : float
        Standard deviation of the displacements, Å; cells are strained by a tenth of that.
    n_anchors : int
        Fewer are taken where there are fewer distinct environments.
    seed : int
        Of displacements and selection.
    """
    rng = np.random.default_rng(seed)
    pool = []
    for index in range(copies):
        atoms = structures[index % len(structures)].copy()
        atoms.calc = None
        atoms.set_constraint()
        if atoms.cell.rank == 3:
            strain = np.eye(3) + rng.normal(scale=0.1 * rattle, size=(3, 3))
            atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.positions += rng.normal(scale=rattle, size=(len(atoms), 3))
        pool.append(atoms)
    embedded = embed(encoder, pool, progress=False)
    distinct = len(np.unique(embedded.embeddings, axis=0))
    rows = farthest_point(embedded.embeddings, min(n_anchors, distinct), seed=seed)
    anchors = AnchorSet(
        embeddings=embedded.embeddings[rows],
        numbers=embedded.numbers[rows],
        identity=embedded.identity,
        provenance={"source": "rattled copies, for tests", "seed": seed},
    )
    reference = fit_reference(
        anchors.project(embedded.embeddings),
        embedded.numbers,
        embedded.structures,
        [f"copy {index}" for index in range(copies)],
        anchors,
        level=0.8,
        alarm_level=0.7,
        seed=seed,
    )
    return anchors, reference
