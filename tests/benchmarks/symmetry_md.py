"""False alarms of broken symmetry in quiet molecular dynamics, and breaking that was planted.

    python tests/benchmarks/symmetry_md.py [--runs 100] [--steps 2000] [--model chgnet-0.3.0]

Quiet: a quarter are fcc metals (EMT, 16 atoms), the rest a rocksalt of springs (DoubleWellCrystal
with a single well, 8 atoms), 2 fs, 300 K, Bussi, Langevin and NVE in turn. Planted: the same
rocksalt with double wells, whose anions leave their sites by a known length, started on the
symmetric sites. A hot one hops between the eight domains of its broken phase and is symmetric in
the mean, so that detection is asked for where it is cold. OrbitSplitting sees every step as it
ships; all its events count.
"""

import argparse
import json
import sys
import warnings

import numpy as np
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase.md.verlet import VelocityVerlet
from scipy.stats import beta
from tqdm import tqdm

from platonic_ase import OrbitSplitting
from platonic_ase.models import load_calculator
from platonic_ase.monitor.frame import Frame
from platonic_ase.testing import DoubleWellCrystal

METALS = ("Cu", "Ag", "Au", "Ni", "Pd", "Pt", "Al")
PLANTED = ((0.3, 50.0), (0.3, 100.0), (0.2, 50.0), (0.1, 50.0))  # Å, K
DEPTH = 2.0  # eV/Å²
SEED = 6000  # lower ones were looked at when the tests were adjusted
REAL = (
    bulk("NaCl", "rocksalt", a=5.7, cubic=True),
    bulk("Si", cubic=True),
    bulk("MgO", "rocksalt", a=4.25, cubic=True),
)


def rocksalt():
    return bulk("NaCl", "rocksalt", a=5.6, cubic=True)


def thermostat(kind, atoms, temperature, rng):
    step = 2 * units.fs
    if kind == "bussi":
        return Bussi(atoms, step, temperature, taut=100 * units.fs, rng=rng)
    if kind == "langevin":
        friction = 0.01 / units.fs
        return Langevin(
            atoms, step, temperature_K=temperature, friction=friction, rng=rng, fixcm=True
        )
    return VelocityVerlet(atoms, step)


def run(atoms, calculator, temperature, steps, seed, kind="bussi"):
    """Step of the first event by kind of event, of one run."""
    rng = np.random.default_rng(seed)
    diagnostic = OrbitSplitting()
    state = diagnostic.start(atoms)
    atoms.calc = calculator
    # NVE: half of the kinetic energy goes into the potential
    thermalize_momenta(atoms, temperature * (2 if kind == "nve" else 1), rng=rng)
    Stationary(atoms)
    dynamics = thermostat(kind, atoms, temperature, rng)
    first, blank = {}, np.zeros((len(atoms), 1))

    def look():
        frame = Frame(
            atoms=atoms, embeddings=blank, platonic=blank, moving=True,
            results={"forces": calculator.results["forces"]},
            index=dynamics.nsteps,
        )  # fmt: skip
        for signal in diagnostic.examine(frame, state).signals:
            if signal.level >= 1:
                first.setdefault(signal.kind, dynamics.nsteps)

    dynamics.attach(look)
    dynamics.run(steps)
    return first


def rate(count, total):
    low = beta.ppf(0.025, count, total - count + 1) if count else 0.0
    high = beta.ppf(0.975, count + 1, total - count) if count < total else 1.0
    return {"count": count, "of": total, "interval": [round(low, 4), round(high, 4)]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--planted", type=int, default=10, help="runs of each kind")
    parser.add_argument("--model", help="real potential for quiet cells of eight atoms besides")
    parser.add_argument("--model-runs", type=int, default=6)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    kinds = ("bussi", "langevin", "nve")
    quiet = {"metals": [], "springs": []}
    for k in tqdm(range(options.runs), desc="quiet"):
        kind, seed = kinds[k // 4 % 3], SEED + k
        if k % 4 == 0:
            atoms = bulk(METALS[k // 4 % len(METALS)], cubic=True) * (2, 2, 1)
            quiet["metals"].append(run(atoms, EMT(), 300.0, options.steps, seed, kind))
        else:
            inner = DoubleWellCrystal(-DEPTH, 0.3)
            quiet["springs"].append(run(rocksalt(), inner, 300.0, options.steps, seed, kind))
    if options.model:
        inner = load_calculator(options.model)
        quiet[options.model] = [
            run(REAL[seed % len(REAL)].copy(), inner, 300.0, options.steps, SEED + seed)
            for seed in tqdm(range(options.model_runs), desc=options.model)
        ]
    found = {
        "steps": options.steps,
        "stated_false_alarm_rate_per_run": OrbitSplitting().false_alarms,
        "quiet": {name: rate(sum(map(bool, each)), len(each)) for name, each in quiet.items()},
        "quiet_all": rate(
            sum(bool(e) for each in quiet.values() for e in each), sum(map(len, quiet.values()))
        ),
        "planted": [],
    }
    for width, temperature in PLANTED:
        steps = [
            run(
                rocksalt(), DoubleWellCrystal(DEPTH, width), temperature, options.steps, SEED + seed
            )
            for seed in tqdm(range(options.planted), desc=f"planted {width} Å, {temperature:.0f} K")
        ]
        seen = [first["symmetry_breaking"] for first in steps if "symmetry_breaking" in first]
        found["planted"].append(
            {
                "off_site_A": round(width * np.sqrt(3), 3),
                "temperature_K": temperature,
                "detected": rate(len(seen), len(steps)),
                "median_step": float(np.median(seen)) if seen else None,
            }
        )
    print(
        f"quiet runs of {options.steps} steps: {found['quiet_all']['count']} false alarms in "
        f"{found['quiet_all']['of']}",
        file=sys.stderr,
    )
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
