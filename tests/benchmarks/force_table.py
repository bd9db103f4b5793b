"""The numbers behind force_error.py: bounds and probabilities by packs that saw nothing like it.

    python tests/benchmarks/force_table.py MPTRJ.xyz HIGH_STRESS.xyz OTHER_TP.xyz \
        --calculator nequix-mp-1 --weights nequix-mp-1.nqx --out force_nequix-mp-1.safetensors

Sizes of errors are fitted to the first file only. Atoms of the first file are bounded by packs that
have not seen their compound (five parts); those of the other files by packs that have seen neither
their compound nor any frame of their kind. "learnt" learns the growth of the widths from the
other of the two other kinds (in kind from both, all compounds); "of other models" takes the mean
growth of the models in force_growth.json, the model itself and the kind left out. The other
variants leave out parts of the bound, or put the difference of the forces of two models in the
place of the force.
What the store holds is not evaluated again. `--growth` only writes the model's own growth into
force_growth.json: first for all models, then the tables.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from force_error import LIMIT, atom_scores, with_intervals

from platonic_ase.calibrate.evaluate import evaluate_structures, structures_digest
from platonic_ase.calibrate.evaluation import EvaluationSet
from platonic_ase.calibrate.force_fit import fit_errors, growth_beyond
from platonic_ase.calibrate.force_table import ForceErrors, deal
from platonic_ase.calibrate.force_width import Growth
from platonic_ase.calibrate.forces import force_errors
from platonic_ase.calibrate.labelled import LabelledFrames, read_labelled
from platonic_ase.models import find_encoder, load_calculator
from platonic_ase.monitor.force_bound import ALARM, exceedance
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.files import write_arrays
from platonic_ase.space.folders import file_stem, packaged_folder

GROWTH = Path(__file__).with_name("force_growth.json")
KINDS = ("in kind", "high stress", "other T and p")
FOLDS = 5

Tables = list[ForceErrors]


def evaluate(name: str, weights: Path | None, paths: list[Path], store: Path, most: int) -> Tables:
    """Errors of a model on each file; of the first on frames of at most so many atoms."""
    safe, tables = name.replace(":", "_"), []
    for path in paths:
        frames = read_labelled([path])
        if path == paths[0]:
            kept = [k for k, atoms in enumerate(frames.structures) if len(atoms) <= most]
            frames = LabelledFrames(
                tuple(frames.structures[k] for k in kept), tuple(frames.forces[k] for k in kept)
            )
        kept_at = store / f"{safe}-{path.stem}.safetensors"
        if kept_at.exists():
            found = EvaluationSet.load(kept_at)
            if found.source["sha256"] != structures_digest(frames.structures):
                sys.exit(f"{kept_at} is of other structures than {path}")
        else:
            encoder = find_encoder(load_calculator(name, device="cpu", model_path=weights))
            found = evaluate_structures(encoder, frames.structures, kept_at)
        packaged = packaged_folder() / f"{file_stem(found.identity)}.anchors.safetensors"
        anchors = AnchorSet.load(packaged)
        anchors.require(found.identity)
        tables.append(force_errors(found, frames.structures, frames.forces, anchors))
    return tables


def without_platonic(table: ForceErrors) -> ForceErrors:
    return replace(table, platonic=np.zeros((len(table), 2), dtype=np.float32))


def without_latent(table: ForceErrors) -> ForceErrors:
    return replace(without_platonic(table), embeddings=np.zeros((len(table), 2), dtype=np.float32))


def with_forces(table: ForceErrors, forces: np.ndarray) -> ForceErrors:
    """The same errors with other forces."""
    return replace(table, forces=forces, true_forces=table.true_forces + forces - table.forces)


def stored_growth() -> dict[str, dict[str, list[float]]]:
    return json.loads(GROWTH.read_text()) if GROWTH.exists() else {}


def own_growth(model: str) -> Callable[[ForceErrors, Tables, int], Growth]:
    """Learnt here, from the kind that is not left out; in kind, where none is, as stored."""
    stored = Growth(*stored_growth()[model]["both"])
    return lambda known, others, left_out: growth_beyond(known, others) if left_out else stored


def growth_of_other_models(model: str) -> Callable[[ForceErrors, Tables, int], Growth]:
    """Geometric mean of onsets and mean of powers."""
    others = [entry for name, entry in stored_growth().items() if name != model]

    def growth(_known: ForceErrors, _others: Tables, left_out: int) -> Growth:
        learnt_from = ("both", "other T and p", "high stress")[left_out]
        onsets, powers = np.array([each[learnt_from] for each in others]).T
        return Growth(float(np.exp(np.log(onsets).mean())), float(powers.mean()))

    return growth


def left_out(tables: Tables, growth: Callable[[ForceErrors, Tables, int], Growth]):
    """Bound at 90 %, eV/Å, and probability of an error above the limit of each atom."""
    bounds = [np.empty(len(each)) for each in tables]
    likely = [np.empty(len(each)) for each in tables]
    fold = deal(tables[0], FOLDS, seed=1)
    parts = [(0, fold == k) for k in range(FOLDS)]
    for kind, own in [*parts, *((k, np.ones(len(tables[k]), bool)) for k in (1, 2))]:
        asked = tables[kind].take(own)
        known, *others = (each.without(asked.present) for each in tables)
        others = [each for k, each in enumerate(others, 1) if k != kind]
        fitted = fit_errors(known, growth=growth(known, others, kind))
        sizes = fitted.sizes(asked)
        bounds[kind][own] = fitted.quantile * sizes
        likely[kind][own] = exceedance(LIMIT / sizes, fitted.ratios)
    return np.concatenate(bounds), np.concatenate(likely)


def variants(tables: Tables, second: Tables | None, model: str):
    """Tables that know less, and how widths grow. The errors are the same in all of them."""
    plain = [without_latent(each) for each in tables]
    yield "learnt", tables, own_growth(model)
    yield "force and kind of environment", tables, no_width
    yield "force alone", plain, no_width
    if second is not None:
        still = [with_forces(without_platonic(each), 0 * each.forces) for each in tables]
        yield "distance alone", still, own_growth(model)
        apart = [
            with_forces(each, each.forces - other.forces)
            for each, other in zip(plain, second, strict=True)
        ]
        yield "second model", apart, no_width
    yield "of other models", tables, growth_of_other_models(model)


def no_width(*_: object) -> Growth:
    return Growth(1e9, 1.0)


def doubtful(tables: Tables, second: Tables) -> np.ndarray:
    """Structures where two models agree five times better with each other than with the label."""
    found = []
    for one, other in zip(tables, second, strict=True):
        structure = np.unique(one.structures, return_inverse=True)[1]
        wrong = np.minimum(one.errors, other.errors)
        apart = np.linalg.norm(one.forces - other.forces, axis=1)
        counts = np.bincount(structure)
        wrong, apart = (np.bincount(structure, x) / counts for x in (wrong, apart))
        found.append((wrong > 5 * apart) & (wrong > 0.1))
    return np.concatenate(found)


def by_structure(structure: np.ndarray, *masks: np.ndarray) -> list[np.ndarray]:
    return [np.bincount(structure, mask).astype(np.int16) for mask in masks]


def largest(structure: np.ndarray, values: np.ndarray) -> np.ndarray:
    found = np.zeros(int(structure.max()) + 1)
    np.maximum.at(found, structure, values)
    return found


def table_of(tables: Tables, second: Tables | None, options: argparse.Namespace):
    error = np.concatenate([each.errors for each in tables])
    kind = np.repeat(np.arange(3), [len(each) for each in tables])
    named = [k * 10_000 + each.structures for k, each in enumerate(tables)]
    groups = np.concatenate([each.groups[each.structures] for each in tables])
    _, first, structure = np.unique(np.concatenate(named), return_index=True, return_inverse=True)
    compound = np.unique(groups, return_inverse=True)[1]
    wrong = error > LIMIT
    arrays = {
        "kind": kind[first].astype(np.uint8),
        "compound": compound[first].astype(np.int16),
        "worst_error": largest(structure, error).astype(np.float16),
        "doubtful": (
            np.zeros(len(first), bool) if second is None else doubtful(tables, second)
        ).astype(np.uint8),
    }
    arrays["atoms"], arrays["wrong"] = by_structure(structure, np.ones(len(error)), wrong)
    scores = {}
    for name, known, growth in variants(tables, second, options.calculator):
        bound, likely = left_out(known, growth)
        alarm = likely >= ALARM
        counted = by_structure(structure, error <= bound, alarm, alarm & wrong)
        for what, counts in zip(("within", "alarms", "right alarms"), counted, strict=True):
            arrays[f"{what}, {name}"] = counts
        most = np.round(255 * largest(structure, likely)).astype(np.uint8)
        arrays[f"likely, {name}"] = most
        scores[name] = {
            each: with_intervals(atom_scores, (error[own], bound[own], likely[own]), compound[own])
            for each, own in ((each, kind == k) for k, each in enumerate(KINDS))
        }
        print(name, file=sys.stderr)
    header = {
        "model": options.calculator, "second": options.second, "limit": LIMIT, "alarm": ALARM,
        "kinds": KINDS, "variants": list(scores), "atoms": scores, "most_atoms": options.max_atoms,
    }  # fmt: skip
    write_arrays(options.out, "force_table", arrays, header)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path, nargs=3)
    parser.add_argument("--calculator", default="chgnet-0.3.0")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--second", help="second model")
    parser.add_argument("--store", type=Path, default=Path("force_error"))
    parser.add_argument("--max-atoms", type=int, default=10_000, help="of frames in kind")
    parser.add_argument("--growth", action="store_true", help="write the growth only")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    where = (options.frames, options.store, options.max_atoms)
    tables = evaluate(options.calculator, options.weights, *where)
    if options.growth:
        known = stored_growth()
        learners = {"both": tables[1:], "high stress": tables[1:2], "other T and p": tables[2:]}
        found = {name: growth_beyond(tables[0], each) for name, each in learners.items()}
        known[options.calculator] = {
            name: [round(each.onset, 4), round(each.power, 4)] for name, each in found.items()
        }
        GROWTH.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
        return
    second = evaluate(options.second, None, *where) if options.second else None
    table_of(tables, second, options)


if __name__ == "__main__":
    main()
