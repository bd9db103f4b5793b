"""Labels and features for symmetry.py: which crystals break under a model, hours of computing.

    python tests/benchmarks/symmetry_labels.py FOLDER [--model chgnet-0.3.0] [--weights FILE]
        [--quick] [--table TABLE.json] [--crystals 100]

With --table, crystals that it has are not computed again, and are kept when it is written.

Every crystal is built in its prototype, forecast by ``run_forecast``, and then put to the test:
the supercell is rattled by 0.01 Å and relaxed, cell included (FIRE, 2 meV/Å, 250 steps at most),
and has broken if its space group at symprec 0.1 Å is another at the end; runs end 20 steps after
they broke. One JSON file a crystal goes into FOLDER, and the relaxation (positions, cells, forces,
stresses) into an .npz file beside it, from which symmetry_early.py tries rules of warning; those
that are there are not made again. Perovskites and others (smallest cells first) take turns, so that
a run that is cut short has both.

With --quick, some third of the cost: perovskites are rattled in the 20-atom cell, which holds one
arm of each star that the 40-atom one holds, and relaxations go downhill in the metric of the force
constants of the forecast, with the signs of their eigenvalues taken away, instead of by FIRE. That
is done in few steps, in which soft modes hardly move: it ends at 0.5 meV/Å instead of 2. Soft modes
are followed by energies without their gradients.
"""

import argparse
import json
import warnings
import zlib
from pathlib import Path
from unittest.mock import patch

import numpy as np
from ase.build import make_supercell
from ase.data import atomic_numbers
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE
from ase.optimize.optimize import Optimizer

from platonic_ase import ManifoldDistance, OrbitSplitting, PlatonicCalculator
from platonic_ase.crystals.building import build
from platonic_ase.models import load_calculator
from platonic_ase.monitor.symmetry.orbits import symmetry_dataset
from platonic_ase.phonons.instability import follow_soft_modes
from platonic_ase.stability import run as workflow
from platonic_ase.stability.run import run_forecast

CRYSTALS = Path(__file__).with_name("symmetry_crystals.json")
SYMPREC, RATTLE, FMAX, STEPS = 0.1, 0.01, 2e-3, 250
AFTER, QUICK_AFTER = 20, 4
FLOOR, CELL_STIFFNESS, LONGEST, QUICK_FMAX = 0.1, 25.0, 0.2, 5e-4  # eV/Å², Å, eV/Å
TILTS = [[1, 1, 0], [-1, 1, 0], [0, 0, 2]]
SIZES = {"fluorite": 3, "antifluorite": 3, "half-heusler": 3, "rhenium-trioxide": 4}
SIZES |= {"perovskite": 5, "antiperovskite": 5, "rutile": 6}


def group(atoms):
    found = symmetry_dataset(
        (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), SYMPREC
    )
    return 0 if found is None else int(found.number)


def follow_by_energies(*args, **options):
    """As follow_soft_modes, but what torch differentiates is zero: three times as fast."""
    import torch

    def nothing(outputs, inputs, *args, **options):
        inputs = [inputs] if isinstance(inputs, torch.Tensor) else inputs
        return tuple(torch.zeros_like(each) for each in inputs)

    with patch.object(torch.autograd, "grad", nothing):
        return follow_soft_modes(*args, **options)


class Downhill(Optimizer):
    """Steps along the forces in a metric that makes stiff and soft modes alike.

    A mode of negative curvature grows; a step that raises the energy is taken back and halved.
    """

    def __init__(self, target, constants):
        super().__init__(target, logfile=None)
        n = len(constants)
        values, vectors = np.linalg.eigh(constants.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n))
        self._inverse = (vectors / np.maximum(np.abs(values), FLOOR)) @ vectors.T
        self._target, self._atoms, self._share, self._kept = target, n, 1.0, None

    def step(self, forces=None):
        target = self._target
        energy, forces = target.atoms.get_potential_energy(), target.get_forces()
        if self._kept is not None and energy > self._kept[0] + 1e-6 * self._atoms:
            self._share /= 2
            energy, positions, forces = self._kept
        else:
            positions = target.get_positions()
            self._share = min(1.0, 1.5 * self._share)
        self._kept = energy, positions, forces
        n = self._atoms
        step = np.empty_like(forces)
        step[:n] = (self._inverse @ forces[:n].ravel()).reshape(n, 3)
        step[n:] = forces[n:] * n / CELL_STIFFNESS
        lengths = np.linalg.norm(step, axis=1)
        longest = max(lengths[:n].max(), 10 * lengths[n:].max() / n)
        target.set_positions(positions + self._share * min(1.0, LONGEST / longest) * step)


def folded(constants, large, small):
    """Force constants of a cell from those of a supercell of it."""
    fractional = large.positions @ np.linalg.inv(small.cell.array)
    gap = fractional[:, None] - small.get_scaled_positions()[None]
    same = np.abs(gap - np.rint(gap)).max(axis=2) < 1e-3
    assert (same.sum(axis=1) == 1).all()
    first = same.argmax(axis=0)
    return np.einsum("ijab,jk->ikab", constants[first], same.astype(float))


def put_to_the_test(calculator, ideal, seed, constants=None, optimizer=FIRE):
    """Rattle and relax; when did it break, and when was it announced?"""
    warned = []
    watched = PlatonicCalculator(
        calculator, diagnostics=[OrbitSplitting()], reference=None, on_warning=warned.append
    )
    watched.reset_reference(ideal)
    live = ideal.copy()
    live.rattle(RATTLE, seed=seed)
    live.calc = watched
    target, after = FrechetCellFilter(live), AFTER if constants is None else QUICK_AFTER
    if constants is None:
        relaxation = optimizer(target, logfile=None)
    else:
        relaxation = Downhill(target, constants)
    groups, alarm = [], None
    frames = {"positions": [], "cell": [], "forces": [], "stress": []}

    def look():
        nonlocal alarm
        groups.append(group(live))
        frames["positions"].append(live.positions.copy())
        frames["cell"].append(live.cell.array.copy())
        frames["forces"].append(live.get_forces())
        frames["stress"].append(live.get_stress(voigt=True))
        if alarm is None and any(event.kind == "symmetry_breaking" for event in warned):
            alarm = len(groups) - 1
        if len(groups) > after and all(g != before for g in groups[-after - 1 :]):
            relaxation.max_steps = relaxation.nsteps

    before = group(ideal)
    relaxation.attach(look)
    converged = bool(relaxation.run(FMAX if constants is None else QUICK_FMAX, STEPS))
    broke = groups[-1] != before
    kept = [k for k, g in enumerate(groups) if g == before]
    frames = {name: np.array(values) for name, values in frames.items()}
    ideal_frame = {"numbers": ideal.numbers, "ideal": ideal.positions, "ideal_cell": ideal.cell}
    tested = {
        "broke": broke,
        "converged": converged,
        "steps": len(groups),
        "end": groups[-1],
        "spglib_step": (kept[-1] + 1 if kept else 0) if broke else None,
        "alarm_step": alarm,
    }
    return tested, {**frames, **ideal_frame, "groups": np.array(groups)}


def label(calculator, crystal, model, quick):
    family, *elements = crystal["name"].split()
    prototype = "perovskite" if family == "antiperovskite" else family
    numbers = [atomic_numbers[symbol] for symbol in elements]
    atoms = build(prototype, numbers, crystal["charges"], a=crystal.get("a"))
    found = run_forecast(atoms, calculator, progress=False)
    constants = found.force_constants
    features = found.features
    calculator.calculate(found.supercell)
    gaps = calculator.embeddings[:, None] - calculator.anchors.embeddings[None]
    on_site = [np.linalg.eigvalsh(constants[i, i])[0] for i in range(len(constants))]
    seed = zlib.crc32(crystal["name"].encode()) % 2**31
    if quick:
        small = make_supercell(found.atoms, TILTS) if SIZES.get(family) == 5 else found.supercell
        softened = folded(constants, found.supercell, small)
        tested, frames = put_to_the_test(model, small, seed, softened)
    else:
        tested, frames = put_to_the_test(model, found.supercell, seed)
    row = {
        "name": crystal["name"],
        "charges": crystal["charges"],
        "supercell_atoms": len(found.supercell),
        "max_force": found.relaxation.max_force,
        "curvature": found.forecast.leading.curvature,
        "heads_for": found.forecast.leading.subgroup,
        "eigenvalue": min(way.eigenvalue for way in found.forecast.directions),
        "on_site": float(min(on_site)),
        "probe_curvature": features.softest_curvature,
        "restoring": features.softest_restoring,
        "force_share": features.force_share,
        "distance": features.manifold_distance,
        "raw_distance": float(np.linalg.norm(gaps, axis=2).min(axis=1).mean()),
        **tested,
    }
    return row, frames


def in_turns(crystals):
    """Perovskites and others evenly mixed."""
    kinds = [[], []]
    for crystal in sorted(crystals, key=lambda each: SIZES.get(each["name"].split()[0], 2)):
        kinds[crystal["name"].startswith("perovskite")].append(crystal)
    ranked = [((k + 0.5) / len(kind), each) for kind in kinds for k, each in enumerate(kind)]
    return [each for _, each in sorted(ranked, key=lambda pair: pair[0])]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="chgnet-0.3.0")
    parser.add_argument("--weights", type=Path, help="of models that cannot be downloaded")
    parser.add_argument("--set", choices=("first", "second"), help="both by default")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--table", type=Path, help="to write all rows to, once they are there")
    parser.add_argument("--crystals", type=int, help="so many rows, those of the table among them")
    parser.add_argument("--only", help="crystals whose names have one of these words, by commas")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    model = load_calculator(options.model, model_path=options.weights)
    calculator = PlatonicCalculator(model, diagnostics=[ManifoldDistance()], on_warning="ignore")
    crystals = json.loads(CRYSTALS.read_text(encoding="utf-8"))
    if options.quick:
        workflow.follow_soft_modes = follow_by_energies
    wanted = [c for c in crystals if options.set in (None, c["set"])]
    if options.only:
        wanted = [c for c in wanted if any(each in c["name"] for each in options.only.split(","))]
    identity = calculator.encoder.identity.to_dict()
    rows = known_rows(options, identity)
    failed = []
    for crystal in in_turns(wanted):
        if options.crystals is not None and len(rows) >= options.crystals:
            break
        if crystal["name"] in rows:
            continue
        path = options.folder / f"{crystal['name'].replace(' ', '-')}.json"
        try:
            row, frames = label(calculator, crystal, model, options.quick)
        except Exception as error:  # a crystal that cannot be had is no reason to stop
            print(f"{crystal['name']}: {type(error).__name__}: {error}", flush=True)
            failed.append(crystal["name"])
            continue
        rows[crystal["name"]] = row
        np.savez_compressed(path.with_suffix(".npz"), **frames)
        path.write_text(json.dumps(row, indent=1), encoding="utf-8")
        print(json.dumps(row), flush=True)
    print(f"{len(rows)} crystals; failed: {', '.join(failed) or 'none'}", flush=True)
    if options.table:
        write_table(options, identity, crystals, rows)


def known_rows(options, identity):
    """Rows by name, of the table and of the folder."""
    rows = {}
    if options.table is not None and options.table.exists():
        table = json.loads(options.table.read_text(encoding="utf-8"))
        theirs = table["identity"]
        for name in ("package", "fingerprint", "settings"):
            if theirs[name] != identity[name]:
                raise SystemExit(
                    f"{options.table} is of a model whose {name} is {theirs[name]!r}, not "
                    f"{identity[name]!r}: give the table of {options.model}, or a new file"
                )
        rows = {row["name"]: row for row in table["rows"]}
    found = [json.loads(p.read_text(encoding="utf-8")) for p in options.folder.glob("*.json")]
    return rows | {row["name"]: row for row in found}


def write_table(options, identity, crystals, rows):
    """All rows in one file, one line each."""
    sets = {crystal["name"]: crystal["set"] for crystal in crystals}
    order = list(sets)
    lines = []
    for row in sorted(rows.values(), key=lambda row: order.index(row["name"])):
        numbers = {k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}
        lines.append(json.dumps({"name": row["name"], "set": sets[row["name"]], **numbers}))
    about = __doc__[__doc__.index("Every crystal") :]
    head = {
        "title": options.model,
        "model": options.model,
        "identity": identity,
        "about": " ".join((about if options.quick else about.split("With --quick")[0]).split()),
    }
    text = json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n' + ",\n".join(lines) + "\n]}\n"
    options.table.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
