"""What the wrapper costs: whole MD runs, wrapped against bare, as JSON.

    python tests/benchmarks/overhead.py [--steps 20] [--rounds 15] [--log] [--cases chgnet-64 ...]

Bare and wrapped runs of the same trajectory alternate in one process; each pair gives a ratio,
and the median over the pairs is reported with its quartiles. One torch thread.
"""

import argparse
import json
import os
import statistics
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase import units
from ase.build import bulk
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet

from platonic_ase import PlatonicCalculator
from platonic_ase.loading import load_calculator

CASES = {
    "chgnet-8": ("chgnet-0.3.0", 8, 1.05),
    "chgnet-64": ("chgnet-0.3.0", 64, 1.02),
    "7net-0-64": ("7net-0", 64, 1.01),
}


def silicon(n_atoms: int):
    atoms = bulk("Si", "diamond", a=5.46, cubic=True)
    return atoms.repeat(round((n_atoms / 8) ** (1 / 3)))


def seconds(atoms, calculator, steps: int) -> float:
    atoms = atoms.copy()
    thermalize_momenta(atoms, 300, rng=np.random.default_rng(0))
    atoms.calc = calculator
    dynamics = VelocityVerlet(atoms, 1 * units.fs)
    start = time.perf_counter()
    dynamics.run(steps)
    return time.perf_counter() - start


def measure(case: str, steps: int, rounds: int, log: bool) -> dict:
    name, n_atoms, target = CASES[case]
    atoms = silicon(n_atoms)
    inner = load_calculator(name, device="cpu")
    wrapped = PlatonicCalculator(inner, log=os.devnull if log else None)
    for calculator in (inner, wrapped):
        seconds(atoms, calculator, 2)
    bare_times, ratios = [], []
    for k in range(rounds):
        order = (inner, wrapped) if k % 2 == 0 else (wrapped, inner)
        times = {calculator: seconds(atoms, calculator, steps) for calculator in order}
        bare_times.append(times[inner] / (steps + 1))
        ratios.append(times[wrapped] / times[inner])
    low, median, high = statistics.quantiles(ratios, n=4)
    return {
        "case": case,
        "atoms": n_atoms,
        "bare_seconds_per_step": round(statistics.median(bare_times), 4),
        "ratio": round(median, 4),
        "quartiles": [round(low, 4), round(high, 4)],
        "target": target,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--log", action="store_true", help="write a run log as well")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    results = [
        measure(case, arguments.steps, arguments.rounds, arguments.log) for case in arguments.cases
    ]
    print(json.dumps({"threads": 1, "log": arguments.log, "results": results}, indent=2))


if __name__ == "__main__":
    main()
