"""Do the thresholds of a reference manifold cover environments of new compounds? As JSON.

python tests/benchmarks/reference_coverage.py --calculator chgnet-0.3.0 --store FILE.safetensors

Generated crystals are embedded once, into the store. A fifth of the compounds is left out, in turn
and of several deals; the rest makes a manifold. Intervals draw compounds again.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from platonic_ase.calibrate.evaluate import structures_digest
from platonic_ase.crystals.groups import group_of
from platonic_ase.crystals.pool import generate_pool
from platonic_ase.models import find_encoder, load_calculator
from platonic_ase.models.default_anchors import find_anchors
from platonic_ase.models.default_reference import known_structures
from platonic_ase.runs.embed import embed_structures
from platonic_ase.space.folders import POOL_SEED
from platonic_ase.space.reference_fit import fit_reference

PARTS = 5


def shares(within: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Share of each group that is within, each group counting as one."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return np.bincount(inverse, within) / counts


def with_interval(each: np.ndarray, rng: np.random.Generator, resamples: int = 2000) -> list[float]:
    draws = [each[rng.integers(len(each), size=len(each))].mean() for _ in range(resamples)]
    return [round(float(x), 3) for x in (each.mean(), *np.quantile(draws, [0.025, 0.975]))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calculator", default="chgnet-0.3.0")
    parser.add_argument("--model-path", type=Path)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--deals", type=int, default=4)
    asked = parser.parse_args()

    encoder = find_encoder(load_calculator(asked.calculator, model_path=asked.model_path))
    pool = known_structures(encoder, generate_pool(seed=POOL_SEED))
    made_of = {"structures": len(pool), "sha256": structures_digest(pool)}
    embedded = embed_structures(encoder, pool, asked.store, source=made_of)
    anchors = find_anchors(encoder)
    z, numbers, structures = (
        anchors.project(embedded.embeddings),
        embedded.numbers,
        embedded.structures,
    )
    groups = np.array([group_of(atoms) for atoms in pool])
    names = np.unique(groups)

    kinds: dict[str, list[np.ndarray]] = {
        "all environments": [],
        "elements with a threshold of their own": [],
        "elements that share one": [],
        "the same, one threshold unscaled": [],
        "structures below the alarm": [],
    }
    owners: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
    stated = []
    for deal in range(asked.deals):
        fold = np.random.default_rng(deal).permutation(len(names)) % PARTS
        for part in range(PARTS):
            left_out = np.isin(groups, names[fold == part])[structures]
            manifold = fit_reference(
                z[~left_out], numbers[~left_out], structures[~left_out], groups, anchors, seed=deal
            )
            stated.append(manifold.alarm_level)
            distances = manifold.distances(z[left_out], numbers[left_out])
            scores = manifold.scores(distances, numbers[left_out])
            own_groups = groups[structures[left_out]]
            shared = ~np.isin(
                numbers[left_out],
                list(
                    set(manifold.thresholds)
                    - set(manifold.provenance["elements_sharing_a_threshold"])
                ),
            )
            worst = np.zeros(len(pool))
            np.maximum.at(worst, structures[left_out], scores)
            judged = np.unique(structures[left_out])
            for kind, within, of in (
                ("all environments", scores <= 1, own_groups),
                (
                    "elements with a threshold of their own",
                    scores[~shared] <= 1,
                    own_groups[~shared],
                ),
                ("elements that share one", scores[shared] <= 1, own_groups[shared]),
                (
                    "the same, one threshold unscaled",
                    distances[shared] <= manifold.pooled_threshold,
                    own_groups[shared],
                ),
                ("structures below the alarm", worst[judged] <= manifold.alarm, groups[judged]),
            ):
                kinds[kind].append(within)
                owners[kind].append(of)
    rng = np.random.default_rng(0)
    found = {
        kind: with_interval(shares(np.concatenate(kinds[kind]), np.concatenate(owners[kind])), rng)
        for kind in kinds
        if sum(map(len, kinds[kind]))
    }
    print(
        json.dumps(
            {
                "model": encoder.identity.model,
                "compounds": len(names),
                "structures": len(pool),
                "stated": 0.9,
                "stated_alarm": round(float(np.mean(stated)), 3),
                "coverage_and_95_percent_interval": found,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
