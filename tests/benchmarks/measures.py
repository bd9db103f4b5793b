"""Seconds and peak memory of the measures at the largest sizes that they are meant for, as JSON.

    python tests/benchmarks/measures.py [--threads 2] [CASE ...]

The two models of a case are two random linear views, with noise, of one imitation of embeddings
(see selection.py).
"""

import argparse
import json
import sys
from functools import partial

import numpy as np
from _measure import in_subprocess, timed
from selection import pool

from platonic_ase.compare.measures.kernel_alignment import cka
from platonic_ase.compare.measures.mutual_neighbours import mutual_knn
from platonic_ase.compare.measures.procrustes import angular_procrustes
from platonic_ase.compare.measures.transport import entropic_transport

ATOMS, WIDTH, POINTS = 282_847, 100, 20_000
CASES = {
    "cka_linear_unbiased": (cka, ATOMS),
    "cka_linear_biased": (partial(cka, estimator="biased"), ATOMS),
    "angular_procrustes": (angular_procrustes, ATOMS),
    "entropic_transport": (entropic_transport, POINTS),
    "mutual_knn": (mutual_knn, ATOMS),
    "cka_rbf_unbiased": (partial(cka, kernel="rbf"), ATOMS),
}


def views(n: int) -> list[np.ndarray]:
    shared = pool(n)
    rng = np.random.default_rng(1)
    found = []
    for _ in range(2):
        mix = rng.normal(size=(shared.shape[1], WIDTH)).astype(np.float32)
        view = shared @ mix
        view += 0.1 * view.std() * rng.normal(size=view.shape).astype(np.float32)
        found.append(view)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="CASE")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="run one case in this process")
    options = parser.parse_args()
    if options.alone:
        measure, n = CASES[options.cases[0]]
        print(json.dumps(timed(lambda: partial(measure, *views(n)))))
        return
    results = []
    for name in options.cases:
        case = {"measure": name, "n": CASES[name][1], "width": WIDTH}
        case |= in_subprocess(__file__, name, "--alone", threads=options.threads)
        print(json.dumps(case), file=sys.stderr, flush=True)  # the larger cases take minutes
        results.append(case)
    print(json.dumps({"threads": options.threads, "results": results}, indent=2))


if __name__ == "__main__":
    main()
