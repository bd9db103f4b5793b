"""How early relaxations that break are announced, by the shipped rule and by others, as JSON.

    python tests/benchmarks/symmetry_early.py                                # from the table
    python tests/benchmarks/symmetry_early.py --record FOLDER --set second [--optimizer BFGS]
    python tests/benchmarks/symmetry_early.py --replay first=FOLDER second=FOLDER 7net-0=FOLDER ...

Recorded are relaxations as in symmetry_labels.py (rattled by 0.01 Å, with the cell to 2 meV),
perovskites in the 20-atom cell, ended 8 steps after they broke. Replayed is the rule alone: the
curvature along the asymmetry and the largest displacement of each geometry, from stored positions,
forces and stresses. Early: before spglib at 0.1 Å sees another space group for good.

Sets: "first" and "second" are relaxations of CHGNet 0.3.0 by FIRE, with "BFGS" by that; those
named after a model are the relaxations of symmetry_labels.py --quick. The shipped rule was chosen
on those in CHOSEN_ON; all others are pooled by the kind of steps.
"""

import argparse
import json
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import symmetry_labels as labels
from ase import Atoms
from ase.build import make_supercell
from ase.data import atomic_numbers
from ase.optimize import BFGS, FIRE
from symmetry import rate
from symmetry_models import show

from platonic_ase import ManifoldDistance, OrbitSplitting, PlatonicCalculator
from platonic_ase.crystals.building import build
from platonic_ase.models import load_calculator
from platonic_ase.monitor.symmetry.curvature import asymmetry_of
from platonic_ase.monitor.symmetry.growth import Growth
from platonic_ase.monitor.symmetry.operations import operations_of
from platonic_ase.monitor.symmetry.orbits import find_orbits, fractional_shift
from platonic_ase.phonons.structure import relax_crystal
from platonic_ase.stability.run import doubled, primitive

TABLE = Path(__file__).with_name("symmetry_early.json")
NAMES = "softening", "steep", "leap", "rises", "displacement", "near", "growth"
SHIPPED = {name: getattr(OrbitSplitting(), name) for name in NAMES}
RULES = {
    "shipped": SHIPPED,
    "three geometries or steep, from 0.03 Å on": {**SHIPPED, "leap": np.inf, "near": 0.03},
    "below -0.2 eV/Å² three times": {
        "softening": 0.2, "steep": 1e9, "leap": np.inf, "rises": 3, "displacement": 2e-3,
        "near": 2e-3, "growth": 1.0,
    },
}  # fmt: skip
TENSORNET = "tensornet-matpes-pbe-v2025.1-pes"
CHOSEN_ON = ("first", "second, BFGS", "chgnet-0.3.0", TENSORNET)
OPTIMIZERS = {"FIRE": FIRE, "BFGS": BFGS}


def record(folder, model_name, chosen, optimizer):
    folder.mkdir(parents=True, exist_ok=True)
    labels.AFTER = 8
    model = load_calculator(model_name)
    calculator = PlatonicCalculator(model, diagnostics=[ManifoldDistance()], on_warning="ignore")
    crystals = json.loads(labels.CRYSTALS.read_text(encoding="utf-8"))
    for crystal in labels.in_turns([each for each in crystals if each["set"] == chosen]):
        path = folder / f"{crystal['name'].replace(' ', '-')}.npz"
        if path.exists():
            continue
        family, *elements = crystal["name"].split()
        prototype = "perovskite" if family == "antiperovskite" else family
        numbers = [atomic_numbers[symbol] for symbol in elements]
        atoms = primitive(build(prototype, numbers, crystal["charges"], a=crystal.get("a")))
        atoms.pbc = True
        relax_crystal(atoms, calculator, relax=True, fmax=labels.FMAX, steps=300)
        atoms.calc = None
        tilts = labels.SIZES.get(family) == 5
        ideal = make_supercell(atoms, labels.TILTS) if tilts else atoms * doubled(atoms)
        seed = zlib.crc32(crystal["name"].encode()) % 2**31
        _, frames = labels.put_to_the_test(model, ideal, seed, optimizer=optimizer)
        np.savez_compressed(path, **frames)
        print(path.stem, flush=True)


def replay(path, chosen):
    """Curvature and largest displacement of each geometry, and where each rule is raised."""
    kept = np.load(path)
    ideal = Atoms(kept["numbers"], positions=kept["ideal"], cell=kept["ideal_cell"], pbc=True)
    orbits = find_orbits(ideal)
    operations = operations_of(orbits)
    found = dict.fromkeys(RULES)
    states = {name: Growth(**values) for name, values in RULES.items()}
    parts = (kept[name] for name in ("positions", "cell", "forces", "stress"))
    for step, (positions, cell, forces, stress) in enumerate(zip(*parts, strict=True)):
        atoms = Atoms(kept["numbers"], positions=positions, cell=cell, pbc=True)
        shift = fractional_shift(orbits, atoms)
        broken = asymmetry_of(orbits, operations, atoms, shift, forces, stress)
        for name, state in states.items():
            state.add(broken.curvature, broken.largest)
            if found[name] is None and state.level(broken.largest) >= 1:
                found[name] = step
    same = np.flatnonzero(kept["groups"] == kept["groups"][0])
    broke = bool(kept["groups"][-1] != kept["groups"][0])
    return {
        "name": path.stem,
        "set": chosen,
        "broke": broke,
        "spglib_step": int(same[-1]) + 1 if broke else None,
        "alarms": found,
    }


def scored(rows, rule):
    broke = [row for row in rows if row["broke"]]
    kept = [row for row in rows if not row["broke"]]
    steps = [(row["spglib_step"], row["alarms"][rule]) for row in broke]
    early = [alarm is not None and alarm < seen for seen, alarm in steps]
    late = [alarm is None or alarm > seen for seen, alarm in steps]
    lead = [seen - alarm for seen, alarm in steps if alarm is not None]
    false = [row["name"] for row in kept if row["alarms"][rule] is not None]
    return {
        "early": rate(sum(early), len(broke)),
        "early_or_at_once": rate(len(broke) - sum(late), len(broke)),
        "median_lead_steps": float(np.median(lead)) if lead else None,
        "median_spglib_step": float(np.median([seen for seen, _ in steps])) if steps else None,
        "late_or_never": [row["name"] for row, is_late in zip(broke, late, strict=True) if is_late],
        "false_alarms": rate(len(false), len(kept)),
        "false": false,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, metavar="FOLDER")
    parser.add_argument("--set", choices=("first", "second"), default="second")
    parser.add_argument("--model", default="chgnet-0.3.0")
    parser.add_argument("--optimizer", choices=tuple(OPTIMIZERS), default="FIRE")
    parser.add_argument("--replay", nargs="+", metavar="SET=FOLDER")
    parser.add_argument("--table", type=Path, default=TABLE)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.record:
        record(options.record, options.model, options.set, OPTIMIZERS[options.optimizer])
        return
    if options.replay:
        rows = [
            replay(path, chosen)
            for chosen, _, folder in (each.partition("=") for each in options.replay)
            for path in sorted(Path(folder).glob("*.npz"))
        ]
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        options.table.write_text(f'{{"rows": [\n{lines}\n]}}\n', encoding="utf-8")
    rows = json.loads(options.table.read_text(encoding="utf-8"))["rows"]
    sets = {
        name: [row for row in rows if row["set"] == name] for name in {r["set"]: 0 for r in rows}
    }
    ours = ("first", "second")
    models = [name for name in sets if name not in CHOSEN_ON and not name.startswith(ours)]
    sets["downhill, pooled"] = [row for name in models for row in sets[name]]
    found = {name: {rule: scored(each, rule) for rule in RULES} for name, each in sets.items()}
    for chosen, rules in found.items():
        for rule, each in rules.items():
            print(
                f"{chosen}, {rule}: early {show(each['early'])}, or at once "
                f"{show(each['early_or_at_once'])}, lead {each['median_lead_steps']} of "
                f"{each['median_spglib_step']}, false {show(each['false_alarms'])}",
                file=sys.stderr,
            )
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
