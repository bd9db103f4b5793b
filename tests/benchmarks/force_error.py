"""How well the force error of each atom is bounded on structures left out, as JSON and a table.

    python tests/benchmarks/force_error.py MPTRJ_FRAMES.xyz HIGH_STRESS.xyz \
        --calculator chgnet-0.3.0 [--committee chgnet-0.2.0] [--store FOLDER]

Three tests of bounds at 90 %, all compounds of a test on one side:
- "compounds": compounds of the first file left out at random, five parts;
- "anions": all structures that hold one anion left out, anion by anion;
- "high stress": fitted to the first file without compounds of the second, tested on the second.
Coverage counts each structure as one (that is what the level means) and, beside it, each atom; its
interval is of 95 %, from resampling whole structures. "Ratio" is the median bound over the median
error. The AUROC is that of the tenth of the atoms with the largest errors.

Baselines are made into bounds in the same manner: a constant, one constant an element, the
distance in Platonic space to the nearest structures of *other* compounds in the fit, the force
alone, and the difference of the forces of two models where --committee names the second. Model
forces and embeddings are kept in --store, so that a second call is quick.
"""

import argparse
import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from platonic_ase.calibrate.evaluate import evaluate_structures
from platonic_ase.calibrate.force_fit import fit_force_bound, left_out_bounds
from platonic_ase.calibrate.force_scores import chemistries, score_bounds
from platonic_ase.calibrate.force_table import ForceErrors, deal
from platonic_ase.calibrate.forces import force_errors
from platonic_ase.calibrate.labelled import read_labelled
from platonic_ase.models import find_encoder, load_calculator
from platonic_ase.models.default_anchors import default_anchors
from platonic_ase.space.neighbours import nearest_distances
from platonic_ase.space.reference import conformal_quantile

LEVEL = 0.9
FOLDS = 5


def evaluate(name: str, path: Path, store: Path, anchors=None):
    """Errors of a model on the frames of a file, in Platonic space and in that of embeddings."""
    frames = read_labelled([path])
    encoder = find_encoder(load_calculator(name))
    found = evaluate_structures(
        encoder, frames.structures, store / f"{name}-{path.stem}.safetensors"
    )
    if anchors is None:
        anchors = default_anchors(encoder, progress=False)
    table = force_errors(found, frames.structures, frames.forces, anchors)
    return table, replace(table, platonic=found.embedded.embeddings), anchors


def nearest(table: ForceErrors, fitted: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Mean distance to the three nearest atoms of the element in structures of other compounds."""
    group = table.groups[table.structures]
    distances = np.full(len(table), np.nan)
    for element in np.unique(table.numbers[asked]):
        known = np.flatnonzero(fitted & (table.numbers == element))
        for compound in np.unique(group[asked & (table.numbers == element)]):
            mine = np.flatnonzero(asked & (table.numbers == element) & (group == compound))
            others = known[group[known] != compound]
            others = others if len(others) >= 3 else np.flatnonzero(fitted & (group != compound))
            near, _ = nearest_distances(table.platonic[mine], table.platonic[others], 3)
            distances[mine] = near.mean(axis=1)
    return distances


def rarity(table: ForceErrors):
    """One over the root of how many structures of the fit have the element."""

    def scale(fitted: np.ndarray, asked: np.ndarray) -> np.ndarray:
        counts = np.ones(120)
        for element in np.unique(table.numbers[fitted]):
            counts[element] = len(np.unique(table.structures[fitted & (table.numbers == element)]))
        return 1 / np.sqrt(counts[table.numbers])

    return scale


def by_scale(scale, table: ForceErrors, parts: np.ndarray, barred: list[np.ndarray]) -> np.ndarray:
    """Bounds proportional to a scale; ``scale(fitted, asked)`` sees no label of what is asked."""
    bounds = np.full(len(table), np.nan)
    for part in range(parts.max() + 1):
        own = parts == part
        fitted = ~(barred[part] | own)
        sizes = scale(fitted, fitted | own)
        quantile = conformal_quantile(
            (table.errors / sizes)[fitted], LEVEL, table.structures[fitted]
        )
        bounds[own] = quantile * sizes[own]
    return bounds


def element_scale(table: ForceErrors):
    def scale(fitted: np.ndarray, asked: np.ndarray) -> np.ndarray:
        typical = np.full(len(table), np.median(table.errors[fitted]))
        for element in np.unique(table.numbers[fitted]):
            mine = table.numbers == element
            typical[mine] = np.quantile(table.errors[fitted & mine], LEVEL)
        return np.maximum(typical, 1e-3)

    return scale


def plain(table: ForceErrors, forces: np.ndarray) -> ForceErrors:
    """The same errors with other "forces" and nothing of the embedding: fits b + a |F| only."""
    rng = np.random.default_rng(0)
    nothing = 1e-9 * rng.normal(size=(len(table), 2))
    shift = forces - table.forces
    return replace(table, platonic=nothing, forces=forces, true_forces=table.true_forces + shift)


def all_bounds(table, raw, parts, barred, committee) -> dict[str, np.ndarray]:
    fitted = {
        "force and Platonic coordinates": table,
        "force alone": plain(table, table.forces),
    }
    if committee is not None:
        fitted["difference of two models"] = plain(table, table.forces - committee.forces)
    bounds = {
        name: left_out_bounds(each, parts, barred, level=LEVEL) for name, each in fitted.items()
    }
    scales = {
        "Platonic distance alone": lambda fit, asked: nearest(table, fit, asked),
        "distance of embeddings alone": lambda fit, asked: nearest(raw, fit, asked),
        "constant of the element": element_scale(table),
        "rarity of the element": rarity(table),
        "one constant": lambda fit, asked: np.ones(len(table)),
    }
    return bounds | {name: by_scale(scale, table, parts, barred) for name, scale in scales.items()}


def join(one: ForceErrors, other: ForceErrors) -> ForceErrors:
    return ForceErrors(
        *(
            np.concatenate([getattr(one, name), getattr(other, name)])
            for name in ("platonic", "forces", "true_forces", "numbers")
        ),
        np.concatenate([one.structures, other.structures + len(one.groups)]),
        np.concatenate([one.groups, other.groups]),
    )


def alarms(table: ForceErrors, anchors, parts, barred) -> dict[str, object]:
    """Structures at which the diagnostic would raise its alarm if they lasted."""
    fired, worst = [], []
    for part in range(parts.max() + 1):
        own = parts == part
        pack = fit_force_bound("", table.take(~(barred[part] | own)), anchors, level=LEVEL)
        for structure in np.unique(table.structures[own]):
            mine = table.structures == structure
            forces = table.forces[mine]
            bounds = pack.bounds(forces, table.platonic[mine])
            fired.append(bool((bounds >= pack.alarm_at(forces)).any()))
            worst.append(table.errors[mine].max())
    of, rest = np.array(worst)[fired], np.array(worst)[~np.array(fired)]
    return {
        "alarms": f"{sum(fired)} of {len(fired)} structures",
        "largest_errors_at_alarms_eV_per_A": [round(float(x), 2) for x in np.sort(of)],
        "median_of_largest_errors_elsewhere_eV_per_A": round(float(np.median(rest)), 3),
    }


def suspect(tables: list[ForceErrors]) -> np.ndarray:
    """Structures whose forces two models agree on, and the label does not, by five times."""
    one, other = tables
    count = len(one.groups)
    apart = np.linalg.norm(one.forces - other.forces, axis=1)
    wrong = np.minimum(one.errors, other.errors)
    weights = np.maximum(np.bincount(one.structures, minlength=count), 1)
    mean = [np.bincount(one.structures, x, minlength=count) / weights for x in (apart, wrong)]
    return (mean[1] > 5 * mean[0]) & (mean[1] > 0.1)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path)
    parser.add_argument("high_stress", type=Path)
    parser.add_argument("--calculator", default="chgnet-0.3.0")
    parser.add_argument("--committee", help="second model, for its difference as a baseline")
    parser.add_argument("--store", type=Path, default=Path("force_error"))
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")

    table, raw, anchors = evaluate(options.calculator, options.frames, options.store)
    stressed, raw_stressed, _ = evaluate(
        options.calculator, options.high_stress, options.store, anchors
    )
    second = [None, None]
    if options.committee:
        paths = (options.frames, options.high_stress)
        second = [evaluate(options.committee, path, options.store)[0] for path in paths]
    parts, barred, anions = chemistries(table)
    fold = deal(table, FOLDS, seed=1)
    tests = {
        "compounds": (table, raw, fold, [fold == k for k in range(FOLDS)], second[0]),
        "anions": (table, raw, parts, barred, second[0]),
    }
    both, raw_both = join(table, stressed), join(raw, raw_stressed)
    tested = both.structures >= len(table.groups)
    shared = np.isin(both.groups[both.structures], np.unique(stressed.groups))
    committee = None if second[0] is None else join(*second)
    asked, unseen = np.where(tested, 0, -1), [tested | shared]
    tests["high stress"] = (both, raw_both, asked, unseen, committee)

    results: dict[str, object] = {
        "calculator": options.calculator,
        "committee": options.committee,
        "level": LEVEL,
        "anions": anions,
        "frames_of_compounds_in_both_files": len(np.unique(both.structures[shared & ~tested])),
    }
    for name, (data, embedded, where, hidden, other) in tests.items():
        bounds = all_bounds(data, embedded, where, hidden, other)
        results[name] = {each: score_bounds(data, values) for each, values in bounds.items()}
        results[f"{name}, alarms"] = alarms(data, anchors, where, hidden)
    if second[0] is not None:  # of the last test, high stress
        doubtful = suspect([stressed, second[1]])
        kept = ~np.isin(both.structures - len(table.groups), np.flatnonzero(doubtful))
        results["high stress, without doubtful labels"] = {
            "left_out": int(doubtful.sum()),
            **{
                each: score_bounds(both, np.where(kept, values, np.nan))
                for each, values in bounds.items()
            },
        }
    print(text(results), file=sys.stderr)
    print(json.dumps(results, indent=1))


def text(results: dict[str, object]) -> str:
    head = ("coverage", "95 %", "of atoms", "ratio", "AUROC")
    lines = [f"{results['calculator']}, bounds at {LEVEL:.0%}"]
    for test, found in results.items():
        if not isinstance(found, dict):
            continue
        if "alarms" in found:
            lines.append(f"  {found['alarms']} with an alarm")
            continue
        lines.append(f"{test}: " + "".join(f"{word:>16}" for word in head))
        for name, score in found.items():
            if not isinstance(score, dict):
                lines.append(f"  {name}: {score}")
                continue
            low, high = score["coverage_interval"]
            cells = [
                f"{score['coverage']:.3f}",
                f"{low:.3f}-{high:.3f}",
                f"{score['coverage_of_atoms']:.3f}",
                f"{score['median_ratio']:.2f}",
                f"{score['auroc_worst_tenth']:.3f}",
            ]
            lines.append(f"  {name:<32}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
