"""All tables of a comparison in one object that goes to JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.compare.catalogue import Catalogue
from platonic_ase.compare.disagreement import Disagreement, disagreements
from platonic_ase.compare.portraits import (
    Departure,
    Dimension,
    departures,
    dimensions,
)
from platonic_ase.compare.properties import Stitch, stitches
from platonic_ase.compare.retrieval import Analogies, arithmetic
from platonic_ase.compare.similarity import (
    KERNEL_ATOMS,
    OWN_SPACES,
    Similarity,
    similarities,
)
from platonic_ase.compare.transport import TransportAccuracy, transports
from platonic_ase.compare.views import Views
from platonic_ase.monitor.log import to_json
from platonic_ase.outputs import write_atomically


@dataclass(frozen=True)
class Comparison:
    """Tables of a comparison of models.

    Attributes
    ----------
    models : tuple of str
    data : mapping
        What was compared: structures, atoms, anchors, settings.
    similarity : list of Similarity
    transport : list of TransportAccuracy
    stitching : list of Stitch
    analogies : list of Analogies
    bias : list of Departure
    dimension : list of Dimension
    structures : list of Disagreement
        Most disputed first.
    failures : mapping of str to mapping of int to str
        By model, structures that it could not evaluate; they are left out for all.
    """

    models: tuple[str, ...]
    data: Mapping[str, Any]
    similarity: list[Similarity]
    transport: list[TransportAccuracy]
    stitching: list[Stitch]
    analogies: list[Analogies]
    bias: list[Departure]
    dimension: list[Dimension]
    structures: list[Disagreement]
    failures: Mapping[str, Mapping[int, str]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary; what is not finite becomes None."""
        found: dict[str, Any] = to_json(asdict(self))
        return found

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the tables as JSON."""
        return write_atomically(path, json.dumps(self.to_dict(), indent=1, allow_nan=False))


def compare(
    views: Views,
    catalogue: Catalogue | None = None,
    *,
    k: int = 10,
    n_resamples: int = 50,
    n_permutations: int = 50,
    transport_atoms: int = 800,
    gromov_atoms: int = 200,
    seed: int = 0,
    progress: bool = True,
) -> Comparison:
    """Compare models on the same atoms.

    Parameters
    ----------
    views : Views
        From :func:`~platonic_ase.compare.views.make_views` (arrays) or
        :func:`~platonic_ase.compare.alignment.align` (embedding files).
    catalogue : Catalogue, optional
        Of the structures of the views; without it nothing is stitched, no bias tested, no
        structure named, and no orbits are known.
    k : int
        Neighbours of the mutual nearest-neighbour measure.
    n_resamples, n_permutations : int
        For intervals and permutation baselines; 0 for none, as is wise beyond 10⁴ atoms.
    transport_atoms, gromov_atoms : int
        Distinct atoms that are transported, at most: in a common space, and between raw spaces by
        Gromov–Wasserstein.
    seed : int
        Of every random draw.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    ComparisonError
        If the atoms are too few for k.
    """
    from tqdm.auto import tqdm

    m = len(views.names)
    halves = max(2 * n_resamples // 5, 5) if n_resamples else 0  # for the slower measures
    total = len(OWN_SPACES) + m * (m - 1) // 2 + m + (m * m if catalogue is not None else 0)
    with tqdm(total=total, desc="comparing", disable=not progress) as bar:
        tick = bar.update
        found_similarities = similarities(
            views,
            k=k,
            n_resamples=n_resamples,
            n_permutations=n_permutations,
            seed=seed,
            tick=tick,
        )
        found_transports, distances = transports(
            views,
            None if catalogue is None else _orbits(views, catalogue),
            n_atoms=transport_atoms,
            gromov_atoms=gromov_atoms,
            n_resamples=halves,
            n_permutations=n_permutations,
            seed=seed,
            tick=tick,
        )
        found_dimensions = dimensions(views, n_resamples=halves, seed=seed, tick=tick)
        stitched: list[Stitch] = []
        bias: list[Departure] = []
        if catalogue is not None:
            stitched = stitches(views, catalogue, seed=seed, tick=tick)
            bias = departures(views, catalogue, seed=seed, tick=tick)
    return Comparison(
        models=tuple(views.names),
        data={
            "n_structures": views.n_structures,
            "n_atoms": len(views.numbers),
            "n_distinct": len(views.distinct),
            "n_anchors": len(next(iter(views.anchors.values()))),
            "left_out_anchors": list(views.left_out_anchors),
            "centred": views.centred,
            "k": k,
            "kernel_atoms": min(KERNEL_ATOMS, len(views.distinct)),
            "transport_atoms": min(transport_atoms, len(views.distinct)),
            "gromov_atoms": min(gromov_atoms, len(views.distinct)),
            "n_resamples": n_resamples,
            "n_slow_resamples": halves,
            "n_permutations": n_permutations,
            "seed": seed,
        },
        similarity=[*found_similarities, *distances],
        transport=found_transports,
        stitching=stitched,
        analogies=arithmetic(views),
        bias=bias,
        dimension=found_dimensions,
        structures=[] if catalogue is None else disagreements(views, catalogue),
        failures=views.failures,
    )


def _orbits(views: Views, catalogue: Catalogue) -> np.ndarray:
    """Orbits of the atoms that all models evaluated."""
    return catalogue.orbits[np.isin(catalogue.structures, np.unique(views.structures))]
