"""Embedding in batches against one structure after the other, as JSON.

python tests/benchmarks/batches.py [NAME...] [--frames MPTRJ_FRAMES.xyz] [--structures N]

CHGNet and SevenNet have their real weights, the others random ones in the real architecture: their
ratios hold for models of that size only.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from ase.io import read
from invariance import CASES, OPTIONS

from platonic_ase.crystals.pool import generate_pool
from platonic_ase.models import find_encoder, find_entry, load_calculator
from platonic_ase.models.embed import embed_each
from platonic_ase.models.encoder import Encoder

SIZES = (64, 256, 1024)
ROUNDS = 3


class OneByOne:
    """The same encoder, without its batches."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder, self.batches = encoder, False

    def __getattr__(self, name: str) -> object:
        return getattr(self.encoder, name)


def compare(encoder: Encoder, structures: list) -> dict[str, object]:
    """CPU seconds one by one, ratios of batches to it in alternation, and how the rows differ."""
    ways = {0: OneByOne(encoder), **dict.fromkeys(SIZES, encoder)}
    seconds = {size: [] for size in ways}
    rows = {}
    for _ in range(ROUNDS):
        for size, reader in ways.items():
            start = time.process_time()  # of one thread; others share the machine
            found = embed_each(
                reader, structures, encoder.identity, lambda n: None, batch_atoms=size or 1
            )
            seconds[size].append(time.process_time() - start)
            assert not found.failures, found.failures
            rows[size] = found.embeddings.astype(float)
    scale = np.sqrt((rows[0] ** 2).sum(axis=1).mean())
    return {
        "structures": len(structures),
        "atoms": sum(map(len, structures)),
        "one_by_one_cpu_s": round(statistics.median(seconds[0]), 2),
        "speed_up": {
            size: round(
                statistics.median(
                    one / many for one, many in zip(seconds[0], seconds[size], strict=True)
                ),
                2,
            )
            for size in SIZES
        },
        "largest_relative_difference": {
            size: float(np.linalg.norm(rows[size] - rows[0], axis=1).max() / scale)
            for size in SIZES
        },
    }


def measure(name: str, frames: Path | None, n: int, folder: Path) -> dict[str, object]:
    family = find_entry(name)[0].family
    save = CASES[name]
    path = None if save is None else save(folder / name)
    calculator = load_calculator(name, model_path=path, device="cpu", **OPTIONS.get(family, {}))
    with find_encoder(calculator).many() as encoder:
        known = encoder.elements
        pool = [a for a in generate_pool() if known is None or set(a.numbers.tolist()) <= known]
        sets = {"generated crystals": pool[:: max(1, len(pool) // n)][:n]}
        if frames is not None:
            sets["MPtrj frames"] = [
                a for a in read(frames, ":") if known is None or set(a.numbers.tolist()) <= known
            ][:n]
        return {label: compare(encoder, structures) for label, structures in sets.items()}


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["chgnet-0.3.0", "7net-0"])
    parser.add_argument("--frames", type=Path)
    parser.add_argument("--structures", type=int, default=100)
    given = parser.parse_args()
    if len(given.names) == 1:  # some packages change global settings of torch: one process each
        with tempfile.TemporaryDirectory() as folder:
            found = measure(given.names[0], given.frames, given.structures, Path(folder))
        print(json.dumps({given.names[0]: found}))
        return
    found = {}
    for name in given.names:
        rest = sys.argv[1:]
        for other in given.names:
            if other in rest:
                rest.remove(other)
        done = subprocess.run(
            [sys.executable, __file__, name, *rest], stdout=subprocess.PIPE, text=True, check=True
        )
        found |= json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
