"""The numbers behind force_error.py: bounds and probabilities by packs that saw nothing like it.

    python tests/benchmarks/force_table.py MPTRJ.xyz HIGH_STRESS.xyz OTHER_TP.xyz \
        --calculator chgnet-0.3.0 --committee 7net-0 --out force_chgnet-0.3.0.safetensors

Every pack is fitted to the first file only. Atoms of the first file are bounded by packs that
have not seen their compound (five parts); those of the other files by packs that have seen neither
their compound nor any frame of their kind. Variants leave out parts of the bound, or put the
difference of the forces of two models in the place of the force.
"""

import argparse
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from platonic_ase.calibrate.evaluate import evaluate_structures
from platonic_ase.calibrate.force_fit import fit_errors
from platonic_ase.calibrate.force_table import ForceErrors, deal
from platonic_ase.calibrate.forces import force_errors
from platonic_ase.calibrate.labelled import read_labelled
from platonic_ase.models import find_encoder, load_calculator
from platonic_ase.models.default_anchors import default_anchors
from platonic_ase.monitor.force_bound import exceedance
from platonic_ase.space.files import write_arrays

KINDS = ("in kind", "high stress", "out of kind")
FOLDS = 5
LIMIT = 0.5  # eV/Å


def evaluate(name: str, paths: list[Path], store: Path) -> tuple[ForceErrors, np.ndarray]:
    """Errors of a model on all files together, and the kind of each atom."""
    encoder = find_encoder(load_calculator(name))
    anchors = default_anchors(encoder, progress=False)
    tables = []
    for path in paths:
        frames = read_labelled([path])
        found = evaluate_structures(
            encoder, frames.structures, store / f"{name}-{path.stem}.safetensors"
        )
        tables.append(force_errors(found, frames.structures, frames.forces, anchors))
    offsets = np.cumsum([0, *(len(each.groups) for each in tables[:-1])])
    whole = ForceErrors(
        *(
            np.concatenate([getattr(each, column) for each in tables])
            for column in ("platonic", "embeddings", "forces", "true_forces", "numbers")
        ),
        np.concatenate([each.structures + k for each, k in zip(tables, offsets, strict=True)]),
        np.concatenate([each.groups for each in tables]),
    )
    return whole, np.repeat(np.arange(len(tables)), [len(each) for each in tables])


def variants(table: ForceErrors, other: ForceErrors | None) -> dict[str, ForceErrors]:
    """Tables that know less. The errors are the same in all of them."""
    no_kind = np.zeros((len(table), 2), dtype=np.float32)
    near = np.zeros((len(table), 2), dtype=np.float32)
    found = {
        "both": table,
        "force and kind of environment": replace(table, embeddings=near),
        "force and distance": replace(table, platonic=no_kind),
        "force alone": replace(table, platonic=no_kind, embeddings=near),
        "distance alone": with_forces(replace(table, platonic=no_kind), np.zeros((len(table), 3))),
    }
    if other is not None:
        plain = replace(table, platonic=no_kind, embeddings=near)
        found["second model"] = with_forces(plain, table.forces - other.forces)
    return found


def with_forces(table: ForceErrors, forces: np.ndarray) -> ForceErrors:
    """The same errors with other forces."""
    return replace(table, forces=forces, true_forces=table.true_forces + forces - table.forces)


def left_out(table: ForceErrors, kind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bound at 90 %, eV/Å, and probability of an error above the limit of each atom."""
    bounds, likely = np.empty(len(table)), np.empty(len(table))
    group = table.groups[table.structures]
    part = np.full(len(table), -1)
    part[kind == 0] = deal(table.take(kind == 0), FOLDS, seed=1)
    for own in [*(part == k for k in range(FOLDS)), *(kind == k for k in range(1, len(KINDS)))]:
        known = (kind == 0) & ~np.isin(group, np.unique(group[own]))
        fitted = fit_errors(table.take(known))
        sizes = fitted.sizes(table.take(own))
        bounds[own] = fitted.quantile * sizes
        likely[own] = exceedance(LIMIT / sizes, fitted.ratios)
    return bounds, likely


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path, nargs=3)
    parser.add_argument("--calculator", default="chgnet-0.3.0")
    parser.add_argument("--committee", help="second model")
    parser.add_argument("--store", type=Path, default=Path("force_error"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table, kind = evaluate(options.calculator, options.frames, options.store)
    other = None
    if options.committee:
        other, _ = evaluate(options.committee, options.frames, options.store)
        apart = np.linalg.norm(table.forces - other.forces, axis=1)
        wrong = np.minimum(table.errors, other.errors)
        mean = [np.bincount(table.structures, x * table.weights) for x in (apart, wrong)]
        doubtful = ((mean[1] > 5 * mean[0]) & (mean[1] > 0.1))[table.structures]
    else:
        doubtful = np.zeros(len(table), dtype=bool)
    arrays = {
        "error": table.errors.astype(np.float16),
        "kind": kind.astype(np.uint8),
        "structure": table.structures.astype(np.int16),
        "doubtful": doubtful.astype(np.uint8),
    }
    names = []
    for name, each in variants(table, other).items():
        bounds, likely = left_out(each, kind)
        arrays[f"bound {name}"] = np.minimum(bounds, 6e4).astype(np.float16)
        arrays[f"probability {name}"] = np.round(255 * likely).astype(np.uint8)
        names.append(name)
        print(name, file=sys.stderr)
    header = {
        "model": options.calculator, "committee": options.committee, "limit": LIMIT,
        "kinds": KINDS, "variants": names, "compounds": table.groups.tolist(),
    }  # fmt: skip
    write_arrays(options.out, "force_table", arrays, header)


if __name__ == "__main__":
    main()
