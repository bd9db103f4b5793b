"""What the wrapper costs: whole runs, wrapped against bare, as JSON.

    python tests/benchmarks/overhead.py [--steps 5] [--rounds 101] [--log] [--cases chgnet-64 ...]

Bare and wrapped runs of the same trajectory alternate in one process; each pair gives a ratio of
wall times and one of CPU times, and their medians over the pairs are reported with quartiles: short
runs and many pairs, since a shared machine is noisy. One torch thread.
"""

import argparse
import json
import os
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase import units
from ase.build import bulk
from ase.filters import FrechetCellFilter
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase.optimize import FIRE

from platonic_ase import PlatonicCalculator
from platonic_ase.models import load_calculator

CASES = {
    "chgnet-8": ("chgnet-0.3.0", 8, 1.05, "md"),
    "chgnet-64": ("chgnet-0.3.0", 64, 1.02, "md"),
    "7net-0-64": ("7net-0", 64, 1.01, "md"),
    "chgnet-8-relax": ("chgnet-0.3.0", 8, None, "relax"),
    "7net-0-8-relax": ("7net-0", 8, None, "relax"),
}
"""Model, atoms, aim and use: molecular dynamics, or FIRE with the cell from one 2 % too large."""


def silicon(n_atoms: int):
    atoms = bulk("Si", "diamond", a=5.46, cubic=True)
    return atoms.repeat(round((n_atoms / 8) ** (1 / 3)))


def seconds(atoms, calculator, steps: int, use: str = "md") -> tuple[float, float]:
    """Wall and CPU seconds of a run."""
    atoms = atoms.copy()
    if use == "relax":
        atoms.set_cell(1.02 * atoms.cell.array, scale_atoms=True)
        atoms.calc = calculator
        relaxation = FIRE(FrechetCellFilter(atoms), logfile=None)
        atoms.get_forces()
        wall, cpu = time.perf_counter(), time.process_time()
        relaxation.run(fmax=1e-12, steps=steps)
        return time.perf_counter() - wall, time.process_time() - cpu
    thermalize_momenta(atoms, 300, rng=np.random.default_rng(0))
    atoms.calc = calculator
    dynamics = VelocityVerlet(atoms, 1 * units.fs)
    atoms.get_forces()  # the first geometry starts a history, once per run
    wall, cpu = time.perf_counter(), time.process_time()
    dynamics.run(steps)
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(case: str, steps: int, rounds: int, log: bool) -> dict:
    name, n_atoms, target, use = CASES[case]
    atoms = silicon(n_atoms)
    inner = load_calculator(name, device="cpu")
    wrapped = PlatonicCalculator(inner, log=os.devnull if log else None)
    for calculator in (inner, wrapped):
        seconds(atoms, calculator, 2, use)
    bare, ratios = [], []
    for k in range(rounds):
        order = (inner, wrapped) if k % 2 == 0 else (wrapped, inner)
        times = {calculator: seconds(atoms, calculator, steps, use) for calculator in order}
        bare.append(times[inner][0] / steps)
        ratios.append([w / b for w, b in zip(times[wrapped], times[inner], strict=True)])
    low, median, high = np.quantile(ratios, [0.25, 0.5, 0.75], axis=0).round(4).tolist()
    return {
        "case": case,
        "atoms": n_atoms,
        "bare_seconds_per_step": round(float(np.median(bare)), 4),
        "wall_ratio": median[0],
        "wall_quartiles": [low[0], high[0]],
        "cpu_ratio": median[1],
        "cpu_quartiles": [low[1], high[1]],
        "target": target,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=101)
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
