"""How far the teacher of phonon labels is from DFT itself: the floor of what the labels resolve.

    python tests/benchmarks/phonon_teacher.py run PHONONDB_PBE_73.json FOLDER --weights FILE
    python tests/benchmarks/phonon_teacher.py score    # JSON, from the committed table

The teacher relaxes each binary and is displaced in the supercells of the phonon table (64 atoms,
72 for wurtzite); one file a crystal, so that a killed run goes on. "floor" is the relative error
(Wasserstein-1 distance of 17 quantiles over the mean DFT frequency), "after_one_factor" what is
left of it once all frequencies of the teacher are multiplied by one and the same number.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from platonic_ase.calibrate.compute_crystals import read_crystal, write_crystal
from platonic_ase.calibrate.crystal_phonons import SETTINGS, phonons, relax
from platonic_ase.calibrate.materials import SUPERCELLS, bulk_cell, read_materials
from platonic_ase.crystals.radii import covalent_length
from platonic_ase.models import load_calculator
from platonic_ase.outputs import write_atomically
from platonic_ase.phonons.spectra import best_log_factor, relative_error

TEACHER = "nequix-mp-1-pft"
TABLE = Path(__file__).with_name("phonon_teacher.json")


def run(spectra: Path, folder: Path, weights: Path | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    calculator = load_calculator(TEACHER, device="cpu", model_path=weights)
    materials = sorted(read_materials(spectra), key=lambda each: each.prototype == "wurtzite")
    made = {"model": TEACHER, "settings": {**SETTINGS, "supercells": "of the phonon table"}}
    for each in materials:
        path = folder / f"{each.key}.json"
        if read_crystal(path, made) is None:
            numbers = np.unique(bulk_cell(each, 2.0).numbers)
            atoms = bulk_cell(each, covalent_length(int(numbers[0]), int(numbers[1]), 6))
            supercell = np.array(SUPERCELLS[each.prototype])
            supercell = np.diag(supercell) if supercell.ndim == 1 else supercell
            try:
                steps = relax(atoms, calculator)
                found = phonons(atoms, calculator, supercell)
                error = relative_error(np.array(found["quantiles"]), np.array(each.truth))
                print(each.key, steps, round(error, 4), flush=True)
                write_crystal(path, {**made, "crystal": found})
            except (RuntimeError, ValueError) as reason:
                write_crystal(path, {**made, "failed": str(reason)})
    rows = []
    for each in materials:
        stored = read_crystal(folder / f"{each.key}.json", made)
        if stored is not None and "crystal" in stored:
            found, truth = stored["crystal"], np.array(each.truth)
            quantiles = np.array(found["quantiles"])
            rows.append({
                "formula": each.formula,
                "prototype": each.prototype,
                "relative_error": round(relative_error(quantiles, truth), 5),
                "wasserstein_THz": round(relative_error(quantiles, truth) * truth_mean(truth), 4),
                "log_factor": round(best_log_factor(quantiles, truth), 5),
                "lowest": round(found["lowest_commensurate"], 3),
                "excess": round(found["features"]["stiffness_excess"], 4),
            })  # fmt: skip
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    head = json.dumps({"teacher": TEACHER, "truth": "DFT-PBE phonon spectra of PhononDB"})
    write_atomically(TABLE, f'{head[:-1]}, "rows": [\n{lines}\n]}}\n')


def truth_mean(truth: np.ndarray) -> float:
    return float(np.mean((truth[1:] + truth[:-1]) / 2))


def score() -> dict[str, object]:
    rows = json.loads(TABLE.read_text(encoding="utf-8"))["rows"]
    errors = np.array([row["relative_error"] for row in rows])
    factors = np.array([row["log_factor"] for row in rows])
    prototypes = [row["prototype"] for row in rows]
    return {
        "crystals": {kind: prototypes.count(kind) for kind in sorted(set(prototypes))},
        "floor": quantiles_of(errors),
        "mean_wasserstein_THz": round(float(np.mean([r["wasserstein_THz"] for r in rows])), 3),
        "frequencies_over_DFT": round(float(np.exp(-np.median(factors))), 3),
        "scatter_of_ln": round(float(factors.std()), 3),
        "after_one_factor": quantiles_of(np.abs(factors - np.median(factors))),
        "above_15_percent": int((errors > 0.15).sum()),
    }


def quantiles_of(values: np.ndarray) -> dict[str, float]:
    median, ninth, most = np.quantile(values, [0.5, 0.9, 1.0])
    return {"median": round(median, 3), "90 %": round(ninth, 3), "largest": round(most, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("run", "score"))
    parser.add_argument("spectra", type=Path, nargs="?")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--weights", type=Path)
    given = parser.parse_args()
    if given.what == "run":
        run(given.spectra, given.folder, given.weights)
    print(json.dumps(score(), indent=1))


if __name__ == "__main__":
    main()
