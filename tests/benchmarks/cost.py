"""What the watch costs beyond the bare calculator, in every use: thread CPU time, as a table.

    python tests/benchmarks/cost.py [--uses md relax ...] [--atoms 8 64 ...] [--json FILE]
    python tests/benchmarks/cost.py --models chgnet-0.3.0 7net-0

The model is instant (`_instant.py`), so that what is measured is the watch; `--models` gives the
ratio of wrapped and bare runs with real ones, `overhead.py` that of more pairs. One thread; `ms` is
the median over geometries of the wrapped run less the median of the bare one, of one process;
`mean_ms` is that of the means, in which the geometries at which everything is computed, one in ten,
count in full. `least_ms` is the same of the fastest geometries: what other processes on the machine
take away from its caches is not in it.
"""

import argparse
import json
import logging
import os
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from _instant import InstantCalculator, InstantEncoder
from ase import Atoms, units
from ase.build import bulk
from ase.filters import FrechetCellFilter
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase.optimize import FIRE, BFGSLineSearch

from platonic_ase import PlatonicCalculator, register_encoder

CRYSTALS = {
    "Si": lambda: bulk("Si", "diamond", a=5.43, cubic=True),
    "NaCl": lambda: bulk("NaCl", "rocksalt", a=5.64, cubic=True),
}
SIZES = {
    "md": (8, 64, 216, 512, 1000, 10000),
    "relax": (8, 64, 216, 512, 1000, 10000),
    "alarm": (8, 64, 216, 512, 1000),
    "unfamiliar": (8, 64, 1000),
    "search": (8, 64, 216, 512, 1000),
    "phonons": (64, 216),
    "first": (8, 64, 216, 512, 1000),
}
AIMS = {
    ("md", 8): 0.25, ("md", 64): 0.35, ("md", 216): 0.6, ("md", 1000): 2.0,
    ("relax", 64): 0.5, ("relax", 216): 1.0, ("relax", 512): 2.0,
    ("alarm", 64): 0.5, ("alarm", 216): 1.0, ("alarm", 512): 2.0,
    ("first", 64): 40, ("first", 216): 100, ("first", 512): 250,
    ("phonons", 64): 3.0,
}  # fmt: skip
GEOMETRIES = {
    "md": 60,
    "unfamiliar": 60,
    "relax": 60,
    "alarm": 60,
    "search": 40,
    "phonons": 205,
    "first": 1,
}


def crystal(kind: str, n_atoms: int) -> Atoms:
    """A supercell of the cubic cell of 8 atoms, as near to a cube as the number allows."""
    cells = n_atoms // 8
    sides = [round(cells ** (1 / 3))] * 3
    if np.prod(sides) != cells:  # 10,000: the divisors that come next
        sides = min(
            ((a, b, cells // (a * b)) for a in range(1, cells + 1) if cells % a == 0
             for b in range(1, cells // a + 1) if cells // a % b == 0),
            key=max,
        )  # fmt: skip
    return CRYSTALS[kind]().repeat(sides)


class Stopwatch:
    """Thread CPU time of each call of ``calculate``, in ms."""

    def __init__(self, calculator) -> None:
        self.times: list[float] = []
        inner_calculate, check_state = calculator.calculate, calculator.check_state

        def calculate(*args, **kwargs):
            start = time.thread_time()
            try:
                return inner_calculate(*args, **kwargs)
            finally:
                self.times.append(1e3 * (time.thread_time() - start) + self._checks)
                self._checks = 0.0

        def checked(*args, **kwargs):
            start = time.thread_time()
            try:
                return check_state(*args, **kwargs)
            finally:
                self._checks += 1e3 * (time.thread_time() - start)

        self._checks = 0.0
        calculator.calculate, calculator.check_state = calculate, checked


def run(use: str, atoms: Atoms, calculator, geometries: int) -> list[float]:
    """Times of all geometries of a run, the first included."""
    clock = Stopwatch(calculator)
    atoms.calc = calculator
    if use in ("md", "unfamiliar"):
        thermalize_momenta(atoms, 300, rng=np.random.default_rng(0))
        dynamics = VelocityVerlet(atoms, 1 * units.fs)
        if isinstance(calculator, PlatonicCalculator):
            calculator.attach(dynamics)
        dynamics.run(geometries)
    elif use == "relax":
        FIRE(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-12, steps=geometries)
    elif use == "alarm":
        FIRE(atoms, logfile=None).run(fmax=1e-12, steps=geometries)
    elif use == "search":
        BFGSLineSearch(atoms, logfile=None).run(fmax=1e-12, steps=geometries)
    elif use == "first":
        atoms.get_forces()
    else:
        atoms.get_forces()
        for k in range(geometries):
            displaced = atoms.copy()
            displaced.positions[k // 3 % len(atoms), k % 3] += 0.01
            displaced.calc = calculator
            displaced.get_forces()
    return clock.times


def prepared(use: str, kind: str, n_atoms: int) -> tuple[Atoms, Atoms]:
    """Starting structure, and the sites that the springs pull to."""
    atoms = crystal(kind, n_atoms)
    sites = atoms.copy()
    if use == "relax":  # a symmetric structure whose cell is too large: positions and cell relax
        atoms.set_cell(atoms.cell.array * 1.02, scale_atoms=True)
    elif use == "alarm":  # the sites have lost all symmetry: relaxing breaks it
        sites.rattle(0.15, seed=0)
    elif use == "search":
        atoms.rattle(0.05, seed=0)
    elif use == "phonons":  # a crystal without symmetry
        atoms.rattle(0.02, seed=0)
        sites = atoms.copy()
    return atoms, sites


def measure(use: str, kind: str, n_atoms: int, folder: Path) -> dict:
    atoms, sites = prepared(use, kind, n_atoms)
    geometries = GEOMETRIES[use] if n_atoms < 5000 else 30
    familiar = use != "unfamiliar"  # else the alarm of the force error is up all the time
    bare = run(use, atoms.copy(), InstantCalculator(sites, familiar=familiar), geometries)
    log = folder / f"{use}-{kind}-{n_atoms}.jsonl"
    wrapped = PlatonicCalculator(
        InstantCalculator(sites, familiar=familiar), log=log, on_warning="ignore"
    )
    times = run(use, atoms.copy(), wrapped, geometries)
    wrapped.close()
    summary = wrapped.summary()
    row = {"use": use, "crystal": kind, "atoms": n_atoms, "geometries": len(times)}
    if use == "first":
        row["ms"] = times[0] - bare[0]
    else:
        base = float(np.median(bare[1:]))
        row["ms"] = float(np.median(times[1:])) - base
        row["least_ms"] = min(times[1:]) - min(bare[1:])
        row["mean_ms"] = float(np.mean(times[1:]) - np.mean(bare[1:]))
        row["worst_ms"] = float(np.max(times[1:])) - base
        row["first_ms"] = times[0] - bare[0]
        row["last_ms"] = float(np.median(times[-5:])) - base
        row["log_bytes"] = round(_bytes(log))
    row["raised"] = dict(summary.raised)
    if summary.switched_off:
        row["switched_off"] = dict(summary.switched_off)
    row["aim_ms"] = AIMS.get((use, n_atoms))
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}


def _bytes(log: Path) -> float:
    """Bytes of one geometry, all records of it; the header, the first and last geometry aside."""
    sizes = [len(line) for line in log.read_bytes().splitlines(keepends=True)]
    return sum(sizes[3:-2]) / max(1, sum(b'"geometry"' in line[:40] for line in
                                         log.read_bytes().splitlines()[3:-2]))  # fmt: skip


def ratio(model: str, kind: str, n_atoms: int, steps: int, rounds: int, folder: Path) -> dict:
    """Wall and CPU time of MD, wrapped with a log over bare, medians of alternating pairs."""
    from platonic_ase.models import load_calculator

    inner = load_calculator(model, device="cpu")
    wrapped = PlatonicCalculator(
        inner, log=folder / f"{model}-{n_atoms}.jsonl", on_warning="ignore"
    )
    atoms = crystal(kind, n_atoms)
    pairs = []
    for k in range(rounds + 1):
        order = (inner, wrapped) if k % 2 else (wrapped, inner)
        times = {calc: _md_seconds(atoms.copy(), calc, steps) for calc in order}
        pairs.append([times[wrapped][i] / times[inner][i] for i in (0, 1)] + [times[inner][0]])
    wall, cpu, bare = np.median(pairs[1:], axis=0)
    return {
        "model": model, "crystal": kind, "atoms": n_atoms, "bare_ms": round(1e3 * bare / steps, 2),
        "wall_ratio": round(float(wall), 4), "cpu_ratio": round(float(cpu), 4),
    }  # fmt: skip


def _md_seconds(atoms: Atoms, calculator, steps: int) -> tuple[float, float]:
    thermalize_momenta(atoms, 300, rng=np.random.default_rng(0))
    atoms.calc = calculator
    dynamics = VelocityVerlet(atoms, 1 * units.fs)
    atoms.get_forces()
    wall, cpu = time.perf_counter(), time.process_time()
    dynamics.run(steps)
    return time.perf_counter() - wall, time.process_time() - cpu


def table(rows: list[dict]) -> str:
    """Markdown."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [" | ".join(names), " | ".join("---" for _ in names)]
    for row in rows:
        lines.append(" | ".join("–" if row.get(n) in (None, {}) else str(row[n]) for n in names))
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uses", nargs="*", choices=SIZES, default=list(SIZES))
    parser.add_argument("--atoms", nargs="*", type=int, help="sizes; those of the table by default")
    parser.add_argument("--crystals", nargs="*", choices=CRYSTALS, default=list(CRYSTALS))
    parser.add_argument("--models", nargs="*", default=[], help="real models: ratios instead")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.getLogger("platonic_ase").setLevel(logging.CRITICAL)
    register_encoder(InstantEncoder)
    with tempfile.TemporaryDirectory() as folder:
        if options.models:
            rows = [
                ratio(model, kind, n, options.steps, options.rounds, Path(folder))
                for model in options.models
                for kind in options.crystals
                for n in options.atoms or (8, 64)
            ]
        else:
            rows = [
                measure(use, kind, n, Path(folder))
                for use in options.uses
                for kind in options.crystals
                for n in options.atoms or SIZES[use]
            ]
    print(table(rows))
    if options.json is not None:
        options.json.write_text(json.dumps({"threads": 1, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
