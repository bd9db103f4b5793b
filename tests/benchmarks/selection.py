"""Seconds and peak memory of anchor selection against the size of the pool, as JSON.

    python tests/benchmarks/selection.py

The pool imitates embeddings: clusters of unequal size and width on a curved, low-dimensional set,
with duplicated rows as symmetry-equivalent atoms have.
"""

import json
import sys

import numpy as np
from _measure import in_subprocess, timed

from platonic_ase.space import selection

WIDTH = 128
ANCHORS = 100
POOLS = (1_000, 10_000, 100_000, 282_847)


def pool(n: int, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(90, 8))
    spread = rng.gamma(1.0, 0.2, size=90)
    kind = rng.choice(90, size=n, p=rng.dirichlet(np.ones(90)))
    latent = centres[kind] + spread[kind, None] * rng.normal(size=(n, 8))
    points = np.tanh(latent @ rng.normal(size=(8, width)) / 3)
    points += 0.01 * rng.normal(size=points.shape)
    twins = rng.random(n) < 0.3
    points[twins] = points[rng.integers(n, size=twins.sum())]
    return points.astype(np.float32)


def main() -> None:
    if len(sys.argv) == 3:
        method, n = getattr(selection, sys.argv[1]), int(sys.argv[2])

        def prepare():
            points = pool(n)
            return lambda: method(points, ANCHORS)

        print(json.dumps(timed(prepare)))
        return
    results = [
        {"method": method, "pool": n, "width": WIDTH, "anchors": ANCHORS}
        | in_subprocess(__file__, method, str(n))
        for method in ("direct", "farthest_point")
        for n in POOLS
    ]
    print(json.dumps({"threads": 1, "results": results}, indent=2))


if __name__ == "__main__":
    main()
