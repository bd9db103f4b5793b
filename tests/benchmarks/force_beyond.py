"""How a shipped force bound does on frames of another kind than it was calibrated on, as JSON.

    python tests/benchmarks/force_beyond.py HIGH_STRESS.xyz OTHER_TP.xyz --known MPTRJ.xyz \
        --calculator nequix-mp-1 --weights nequix-mp-1.nqx

The frames are NUMBER of each file at random, of at most MAX_ATOMS atoms, and of no compound that
is in the file of the calibration: the bound has seen neither kind nor compound. Scores as in
force_error.py, and the model's own force as a rank beside the bound. What has been evaluated is
kept in the folder STORE.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from force_error import WORST, alarm_scores, bound_scores, geometry_scores, with_intervals

from platonic_ase.calibrate.evaluate import evaluate_structures
from platonic_ase.calibrate.forces import force_errors
from platonic_ase.calibrate.labelled import LabelledFrames, read_labelled
from platonic_ase.crystals.groups import group_of
from platonic_ase.models import Encoder, find_encoder, load_calculator
from platonic_ase.models.default_anchors import find_anchors
from platonic_ase.monitor.force_bound import ForceBound
from platonic_ase.phonons.scores import auroc
from platonic_ase.space.packs import find_pack

LIMIT = 0.5  # eV/Å


def chosen(path: Path, known: set[str], most: int, number: int) -> LabelledFrames:
    """Frames of compounds that the bound has not seen."""
    frames = read_labelled([path])
    fit = [
        k
        for k, atoms in enumerate(frames.structures)
        if len(atoms) <= most and group_of(atoms) not in known
    ]
    kept = sorted(np.random.default_rng(0).permutation(fit)[:number].tolist())
    return LabelledFrames(
        tuple(frames.structures[k] for k in kept), tuple(frames.forces[k] for k in kept)
    )


def scores(encoder: Encoder, bound: ForceBound, frames: LabelledFrames, store: Path):
    evaluated = evaluate_structures(encoder, frames.structures, store)
    anchors = find_anchors(encoder, progress=False)
    table = force_errors(evaluated, frames.structures, frames.forces, anchors)
    error, structure, compound = table.errors, table.structures, table.compounds
    sizes = np.empty(len(table))
    for each in np.unique(structure):
        own = structure == each
        arrays = (table.forces[own], table.platonic[own], table.embeddings[own])
        sizes[own] = bound.sizes(*arrays, table.numbers[own])
    likely = bound.probabilities(sizes, LIMIT)
    worst = error >= np.quantile(error, 1 - WORST)
    return {
        "frames": len(np.unique(structure)),
        "compounds": len(np.unique(compound)),
        "atoms": len(error),
        "median_error_eV_per_A": round(float(np.median(error)), 4),
        "bound": with_intervals(bound_scores, (error, bound.bounds(sizes), structure), compound),
        "auroc_of_the_force": round(auroc(worst, np.linalg.norm(table.forces, axis=1)), 3),
        "alarm of geometries": with_intervals(
            lambda e, p, s: geometry_scores(e, p, s, LIMIT), (error, likely, structure), compound
        ),
        "alarm": with_intervals(lambda e, p: alarm_scores(e, p, LIMIT), (error, likely), compound),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path, nargs="+")
    parser.add_argument("--known", type=Path, required=True, help="frames of the calibration")
    parser.add_argument("--calculator", default="chgnet-0.2.0")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--max-atoms", type=int, default=20)
    parser.add_argument("--number", type=int, default=150)
    parser.add_argument("--store", type=Path, default=Path("force_beyond"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    calculator = load_calculator(options.calculator, device="cpu", model_path=options.weights)
    encoder = find_encoder(calculator)
    bound = find_pack(find_anchors(encoder, progress=False), ForceBound, "forces")
    if bound is None:
        parser.error(f"there is no force bound of {options.calculator}")
    known = {group_of(atoms) for atoms in read_labelled([options.known]).structures}
    found = {"model": options.calculator, "calibration": bound.name, "limit": LIMIT}
    for path in options.frames:
        frames = chosen(path, known, options.max_atoms, options.number)
        store = options.store / f"{options.calculator}-{path.stem}.safetensors"
        found[path.stem] = scores(encoder, bound, frames, store)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
