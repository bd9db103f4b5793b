"""Tables of a comparison of the seven checkpoints that run offline, with random-weight controls.

    python tests/benchmarks/compare.py MPTRJ_FRAMES.xyz --json compare.json

The structures are the frames of the file with at most MAX_ATOMS atoms, or the first NUMBER of
them. Embedding goes on where it was stopped; the last table on the screen is the one in the README.

Models that need an environment of their own are embedded there, and compared from their files:

    python tests/benchmarks/compare.py MPTRJ_FRAMES.xyz --embed-only \\
        --models nequix-mp-1 --weights nequix-mp-1=nequix-mp-1.nqx
    python tests/benchmarks/compare.py MPTRJ_FRAMES.xyz --models chgnet-0.3.0 7net-0 \\
        --embeddings compare-embeddings/nequix-mp-1.embeddings.safetensors
"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from platonic_ase.compare import compare_models
from platonic_ase.compare.catalogue import describe
from platonic_ase.compare.controls import RANDOM, is_control, shuffle_weights
from platonic_ase.compare.figures import draw_all, save_all
from platonic_ase.compare.report import write_report
from platonic_ase.compare.retrieval import pooled
from platonic_ase.compare.run import embed_models
from platonic_ase.compare.transport import PLANS
from platonic_ase.models import find_encoder, load_calculator
from platonic_ase.runs.replay import read_frames

MODELS = (
    "chgnet-0.3.0", "chgnet-0.2.0", "chgnet-r2scan", "7net-0", "7net-0-22may2024",
    "7net-mf-0:PBE", "7net-l3i5", "chgnet-0.3.0*random", "7net-0*random",
)  # fmt: skip
ARCHITECTURES = {
    "chgnet": "CHGNet",
    "7net": "SevenNet",
    "nequix": "Nequix",
    "tensornet": "TensorNet",
}


def kind(a: str, b: str) -> str:
    for name in (b, a):
        if is_control(name):
            return f"with {name}"
    first, second = (ARCHITECTURES[name.partition("-")[0]] for name in (a, b))
    return "same architecture" if first == second else f"{first} with {second}"


def opened(name: str, weights: dict[str, str]):
    """A calculator on the CPU, from a file where one is given; its weights shuffled if asked."""
    base = name.removesuffix(RANDOM)
    calculator = load_calculator(base, device="cpu", model_path=weights.get(base))
    if name != base:
        shuffle_weights(find_encoder(calculator).model)
    return calculator


def averages(comparison):
    """Median over the pairs of a kind: by kind and space, a row of names and values."""
    pairs = {(entry.a, entry.b) for entry in comparison.similarity}
    for group in sorted({kind(*pair) for pair in pairs}):
        for space in ("raw", *PLANS):
            row = {}
            for entry in comparison.similarity:
                if kind(entry.a, entry.b) == group and entry.space == space:
                    row.setdefault(entry.measure, []).append(entry.estimate.value)
                    baseline = row.setdefault(f"{entry.measure} element only", [])
                    baseline.append(entry.estimate.baseline_mean)
            for entry in comparison.transport:
                if kind(entry.a, entry.b) == group and entry.space == space:
                    row.setdefault(f"same {entry.label}", []).append(entry.estimate.value)
                    baseline = row.setdefault(f"same {entry.label} baseline", [])
                    baseline.append(entry.estimate.baseline_mean)
            for entry in comparison.stitching:
                if kind(entry.source, entry.target) == group and entry.space == space:
                    row.setdefault(f"stitched {entry.label}", []).append(entry.stitched)
                    row.setdefault(f"constant {entry.label}", []).append(entry.chance)
            for (model, target, own), scores in pooled(comparison.analogies).items():
                if model != target and kind(model, target) == group and own == space:
                    for name in ("hits_at_1", "hits_at_5", "mean_reciprocal_rank"):
                        row.setdefault(f"analogies {name}", []).append(scores[name])
            yield group, space, {name: float(np.median(v)) for name, v in row.items()}


def departures(comparison):
    """Labels on which each model departs from the consensus, of those tested: by model and kind."""
    found = {}
    for entry in comparison.bias:
        wrong, tested = found.get((entry.model, entry.by), (0, 0))
        found[entry.model, entry.by] = (wrong + (entry.q_value < 0.05), tested + 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("structures", type=Path)
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--embeddings", nargs="*", type=Path, default=(), help="of more models")
    parser.add_argument("--weights", nargs="*", default=(), metavar="NAME=FILE")
    parser.add_argument("--embed-only", action="store_true")
    parser.add_argument("--max-atoms", type=int, default=20)
    parser.add_argument("--number", type=int, help="of frames, all by default")
    parser.add_argument("--resamples", type=int, default=50)
    parser.add_argument("--transport-atoms", type=int, default=600)
    parser.add_argument("--moments-of", default="chgnet-0.3.0", help="MPtrj frames have none")
    parser.add_argument("--folder", type=Path, default=Path("compare-embeddings"))
    parser.add_argument("--json", type=Path, default=Path("compare.json"))
    parser.add_argument("--report", type=Path)
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    if not options.structures.is_file():
        sys.exit(f"no file at {options.structures}: this benchmark needs MPtrj frames (CC BY 4.0)")
    started = time.process_time()
    frames = [atoms for atoms in read_frames(options.structures) if len(atoms) <= options.max_atoms]
    frames = frames[: options.number]
    weights = dict(pair.split("=", 1) for pair in options.weights)
    models = {name: partial(opened, name, weights) for name in options.models}
    if options.embed_only:
        embed_models(lambda: frames, describe(frames), models, folder=options.folder)
        return
    comparison, views = compare_models(
        frames,
        models,
        folder=options.folder,
        embeddings=options.embeddings,
        n_resamples=options.resamples,
        n_permutations=options.resamples,
        transport_atoms=options.transport_atoms,
        moments_of=(options.moments_of, partial(opened, options.moments_of, weights)),
    )
    comparison.save(options.json)
    if options.report or options.figures:
        drawings = draw_all(comparison, views)
        if options.report:
            write_report(comparison, drawings, options.report)
        if options.figures:
            save_all(drawings, options.figures)
    for group, space, row in averages(comparison):
        print(f"{group:26s}{space:14s}", *(f"{name} {value:.3f} " for name, value in row.items()))
    for (model, target, space), scores in pooled(comparison.analogies).items():
        if model == target:
            print(f"{model:26s}{space:14s}", *(f"{k} {v:.3f} " for k, v in scores.items()))
    for (model, by), (wrong, tested) in departures(comparison).items():
        print(f"{model:26s}departs from the consensus on {wrong} of {tested}: {by}")
    print(f"{time.process_time() - started:.0f} s of processor time")


if __name__ == "__main__":
    main()
