"""How long a run waits for its first step: bare, with stored packs, and at first use, as JSON.

    python tests/benchmarks/first_use.py --calculator nequix-mp-1 [--weights nequix-mp-1.nqx]

Each case is a process of its own: imports, weights, anchors, reference, and one step of MD of 64
atoms of NaCl. "stored" has the packs of the package; "first use" has none, and an empty cache. The
seconds are those until the step is done, of the wall clock and of the processor; "beyond_bare" is
what the watch adds, most of it "space_cpu_s", the making of anchors and reference.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CASES = ("bare", "stored", "first use")


def one_step(name: str, weights: str | None, case: str, began: float) -> None:
    import warnings

    import numpy as np
    from ase.build import bulk
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from ase.md.verlet import VelocityVerlet
    from ase.units import fs

    from platonic_ase.models import load_calculator

    warnings.simplefilter("ignore")
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * 2
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=np.random.default_rng(0))
    atoms.calc = load_calculator(name, device="cpu", model_path=weights)
    spent = {}
    if case != "bare":
        from platonic_ase import PlatonicCalculator
        from platonic_ase.space import folders

        if case == "first use":
            folders.packaged_folder = folders.cache_folder
        start = time.process_time()
        atoms.calc = PlatonicCalculator(atoms.calc, on_warning="ignore")
        spent["space_cpu_s"] = time.process_time() - start
    VelocityVerlet(atoms, 2 * fs).run(1)
    spent |= {"wall_s": time.time() - began, "cpu_s": time.process_time()}
    print(json.dumps({key: round(value, 1) for key, value in spent.items()}))


def measured(name: str, weights: str | None, case: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, __file__, "--calculator", name, "--case", case]
        command += ["--began", repr(time.time())] + (["--weights", weights] if weights else [])
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PLATONIC_ASE_CACHE": cache},
        )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calculator", default="chgnet-0.3.0")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    weights = None if options.weights is None else str(options.weights)
    if options.case:
        one_step(options.calculator, weights, options.case, options.began)
        return
    measured(options.calculator, weights, "bare")  # some packages convert the weights once
    found = {case: measured(options.calculator, weights, case) for case in CASES}
    beyond = {
        key: round(found["first use"][key] - found["bare"][key], 1) for key in ("wall_s", "cpu_s")
    }
    load = [round(each, 1) for each in os.getloadavg()]
    print(json.dumps({"model": options.calculator, **found, "beyond_bare": beyond, "load": load}))


if __name__ == "__main__":
    main()
