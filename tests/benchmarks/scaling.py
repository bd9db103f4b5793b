"""Projection and manifold distance against the number of atoms, as JSON.

    python tests/benchmarks/scaling.py

100 anchors, 2,000 reference points, width 128, one thread; random embeddings of one element, so
that every atom is compared with every reference point (the worst case: live structures only meet
references of their own elements).
"""

import json
import sys
import time

import numpy as np
from _measure import in_subprocess, peak_mb

ANCHORS, REFERENCES, WIDTH = 100, 2_000, 128
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)


def case(n: int) -> dict[str, float]:
    import torch

    from platonic_ase.space.neighbours import nearest_distances
    from platonic_ase.space.projection import TorchProjector, project
    from platonic_ase.space.reference import NEIGHBOURS

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    anchors = rng.normal(size=(ANCHORS, WIDTH)).astype(np.float32)
    references = project(rng.normal(size=(REFERENCES, WIDTH)).astype(np.float32), anchors)
    embeddings = torch.as_tensor(rng.normal(size=(n, WIDTH)).astype(np.float32))
    projector = TorchProjector(anchors)
    projector(embeddings[:10])
    nearest_distances(references[:10], references, NEIGHBOURS)
    before = peak_mb()
    start = time.perf_counter()
    platonic = projector(embeddings).numpy()
    middle = time.perf_counter()
    nearest_distances(platonic, references, NEIGHBOURS)
    end = time.perf_counter()
    return {
        "projection_seconds": round(middle - start, 4),
        "distance_seconds": round(end - middle, 4),
        "peak_growth_mb": round(peak_mb() - before),
    }


def main() -> None:
    if len(sys.argv) == 2:
        print(json.dumps(case(int(sys.argv[1]))))
        return
    results = [{"atoms": n} | in_subprocess(__file__, str(n)) for n in SIZES]
    settings = {"threads": 1, "anchors": ANCHORS, "references": REFERENCES, "width": WIDTH}
    print(json.dumps({**settings, "results": results}, indent=2))


if __name__ == "__main__":
    main()
