"""Growth of the resident memory over many steps of MD, as JSON.

    python tests/benchmarks/memory.py [--steps 10000] [--calculator chgnet]

8 atoms of NaCl at 300 K with the default diagnostics and a log; the first tenth of the steps is
warm-up (allocator, caches). A bare run of the same model beside it tells the model's own growth.
"""

import argparse
import gc
import json
import os
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import psutil
from ase import units
from ase.build import bulk
from ase.md.bussi import Bussi
from ase.md.velocitydistribution import thermalize_momenta

from platonic_ase import PlatonicCalculator
from platonic_ase.models import load_calculator


def growth(calculator, steps: int) -> dict[str, float]:
    atoms = bulk("NaCl", "rocksalt", a=5.69, cubic=True)
    rng = np.random.default_rng(0)
    thermalize_momenta(atoms, 300, rng=rng)
    atoms.calc = calculator
    dynamics = Bussi(atoms, 1 * units.fs, 300, taut=100 * units.fs, rng=rng)
    process = psutil.Process()
    samples = []
    for _ in range(10):
        dynamics.run(steps // 10)
        gc.collect()
        samples.append(process.memory_info().rss / 2**20)
    return {"growth_mb": round(samples[-1] - samples[0], 1), "resident_mb": round(samples[-1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--calculator", default="chgnet")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    inner = load_calculator(arguments.calculator, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        wrapped = PlatonicCalculator(inner, log=Path(folder) / "run.jsonl")
        result = growth(wrapped, arguments.steps)
        wrapped.close()
    bare = growth(inner, arguments.steps)
    print(json.dumps({"steps": arguments.steps, "atoms": 8, "wrapped": result, "bare": bare}))


if __name__ == "__main__":
    main()
