"""How well the universal phonon risk does on models and crystals that it has not seen, as JSON.

    python tests/benchmarks/phonon_universal.py [--resamples 1000]

Every case (a crystal with one model) is predicted by a process that saw no crystal of its anion
and, beyond rocksalt, zincblende and wurtzite, none of its prototype. Three states of knowledge: the
model is in the calibration, on other anions and prototypes; no model of its architecture is, but
its errors on fifteen binaries with DFT spectra are known, as `calibrate --quick` finds them (the
fifteen are not scored); and nothing is known of it but how large its force errors are on the thirty
labelled frames of the doctor, where the laws of stiffness speak (`forces unknown`: not even that).
By how much cases scatter more than stated is taken from the other architectures.

What the process looks at, and its sizes, were chosen on one half of the crystals of
phonon_any.json (and on the other two tables), by scores of processes that were fitted to that half
alone; `untouched half` is the other. Prototypes, sorted by number of elements and by how many new
crystals they have, go to the first, second, second and first half in turn; crystals of rocksalt,
zincblende and wurtzite by their anion, in turn. `added last` are crystals (rutile, spinel, olivine,
distorted perovskites and others) that were computed when all choices had been made.

Truth: DFT for the binaries of phonon_table.json, mostly a teacher potential for those of
phonon_beyond.json, and for all of phonon_any.json (how far it is from DFT: phonon_teacher.py).
Baselines: the bare stiffness excess, the model's own mean frequency, and the distance between its
spectrum and that of another architecture.
Intervals are of 95 %, from resampling compounds with the predictions fixed.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from phonon_risk import TABLE, Resampler

from platonic_ase.calibrate.quick import quick_materials
from platonic_ase.phonons.estimate import PhononRiskEstimate
from platonic_ase.phonons.left_out import (
    law_spreads,
    left_out_laws,
    left_out_pools,
    left_out_process,
    process_spreads,
)
from platonic_ase.phonons.opinions import USUAL, softening
from platonic_ase.phonons.packaging import LAYERED, universal_cases
from platonic_ase.phonons.possible import possible_errors, shortest_interval
from platonic_ase.phonons.scores import auroc, spearman
from platonic_ase.phonons.spectra import wasserstein
from platonic_ase.phonons.table import read_phonon_table
from platonic_ase.phonons.universal import ENOUGH, SURE
from platonic_ase.phonons.universal_fit import (
    BINARY_PROTOTYPES,
    Case,
    cases_of,
    fit_levels,
    mismatches_of,
)

BEYOND = Path(__file__).with_name("phonon_beyond.json")
ANY = Path(__file__).with_name("phonon_any.json")
LEVELS = Path(__file__).with_name("force_levels.json")


SINGLE = ("chgnet-0.3.0", "7net-0", "nequix-mp-1", "tensornet-matpes-pbe-v2025.1-pes")
NAMES = ("median", "low", "high", "above_15", "above_25", "factor", "offered")


def by_process(
    cases: Sequence[Case],
    laws: np.ndarray,
    *,
    architecture: bool = False,
    given: frozenset[str] = frozenset(),
) -> dict[str, np.ndarray]:
    """Medians, intervals, probabilities and factors of each case, by processes and laws."""
    means, deviations = left_out_process(cases, architecture=architecture, given=given)
    rows = np.empty((len(cases), len(NAMES)))
    enough = {
        model: not architecture and sum(c.model == model and c.teaches for c in cases) >= ENOUGH
        for model in {case.model for case in cases}
    }
    for each in sorted({case.architecture for case in cases}):

        def other(case: Case, each: str = each) -> bool:
            return case.architecture != each

        _, log_spreads = process_spreads(cases, means, deviations, other)
        pools, pool_spreads = left_out_pools(cases, (means, deviations), laws, other)
        for k, case in enumerate(cases):
            if case.architecture != each:
                continue
            kind = 0 if case.octet else 1
            root, sure = pools[k].tolist()
            log = float(deviations[k, 1]) * log_spreads[kind]
            said = PhononRiskEstimate.of_root(root, sure * pool_spreads[kind], "left out")
            rows[k] = (
                said.relative_error,
                *said.interval,
                said.probability_above_15_percent,
                said.probability_above_25_percent,
                math.exp(-means[k, 1]),
                enough[case.model] and abs(means[k, 1]) >= SURE * log,
            )
    return dict(zip(NAMES, rows.T, strict=True))


def by_law(
    cases: Sequence[Case], laws: np.ndarray, levels: Mapping[str, float] | None = None
) -> dict[str, np.ndarray]:
    """The same by laws of stiffness, which know nothing of the model but its force level."""
    rows = np.empty((len(cases), len(NAMES)))
    for each in sorted({case.architecture for case in cases}):
        kept = [c for c in cases if c.architecture != each]
        spreads = law_spreads(cases, laws, lambda c, e=each: c.architecture != e)
        usual, mismatches = USUAL, mismatches_of(kept)
        prior = None if levels is None else fit_levels(kept, levels)
        for k, case in enumerate(cases):
            if case.architecture != each:
                continue
            if prior is not None and levels is not None:
                usual, mismatches = prior.at(levels[case.model])
            own, deviation, _ = laws[k].tolist()
            found = softening(own, spreads[0 if case.octet else 1] * deviation, usual)
            errors = possible_errors(*found, mismatches)
            rows[k] = (
                np.median(errors), *shortest_interval(errors), (errors > 0.15).mean(),
                (errors > 0.25).mean(), 1.0, False,
            )  # fmt: skip
    return dict(zip(NAMES, rows.T, strict=True))


def untouched(cases: Sequence[Case], new: np.ndarray) -> np.ndarray:
    """Which new cases are of the half that no choice was made on, bool, shape (n,)."""
    crystals: dict[str, set[str]] = {}
    elements, anions = {}, set()
    for case in (case for case, late in zip(cases, new, strict=True) if late):
        row = case.row
        if row.prototype in BINARY_PROTOTYPES:
            anions.add(row.anion)
        else:
            crystals.setdefault(row.prototype, set()).add(row.key)
            elements[row.prototype] = len(set(row.numbers))
    order = sorted(crystals, key=lambda p: (elements[p], -len(crystals[p]), p))
    second = {prototype for k, prototype in enumerate(order) if k % 4 in (1, 2)}
    second |= {anion for k, anion in enumerate(sorted(anions)) if k % 2}
    of = [
        case.row.anion if case.row.prototype in BINARY_PROTOTYPES else case.row.prototype
        for case in cases
    ]
    return new & np.array([each in second for each in of])


def rounded(value: float) -> float | None:
    return None if not math.isfinite(value) else round(float(value), 3)


def score(
    cases: Sequence[Case], found: dict[str, np.ndarray], mask: np.ndarray, resamples: int
) -> dict[str, object]:
    """Scores of some of the cases."""
    some = [case for case, kept in zip(cases, mask, strict=True) if kept]
    errors = np.array([case.row.relative_error for case in some])
    part = {name: values[mask] for name, values in found.items()}
    resample = Resampler(tuple(case.row.formula for case in some), resamples)
    excess = -np.array([case.row.features.stiffness_excess for case in some])
    means = -np.array([case.row.mean for case in some])
    covered = (part["low"] <= errors) & (errors <= part["high"])
    good, by_model = errors <= 0.15, {}
    for model in sorted({case.model for case in some}):
        own = np.array([case.model == model for case in some])
        by_model[model] = {
            "cases": int(own.sum()),
            "coverage_90": rounded(covered[own].mean()),
            "median_error": rounded(np.median(errors[own])),
            "median_predicted": rounded(np.median(part["median"][own])),
            "auroc_above_15": rounded(auroc(errors[own] > 0.15, part["above_15"][own])),
            "spearman": rounded(spearman(part["median"][own], errors[own])),
        }
    return {
        "cases": len(some),
        "above_15": int((errors > 0.15).sum()),
        "above_25": int((errors > 0.25).sum()),
        "auroc_above_15": resample(auroc, errors > 0.15, part["above_15"]),
        "auroc_above_25": resample(auroc, errors > 0.25, part["above_25"]),
        "spearman": rounded(spearman(part["median"], errors)),
        "coverage_90": rounded(covered.mean()),
        "median_width_90": rounded(np.median(part["high"] - part["low"])),
        "false_alarms_of_good": rounded((part["above_25"][good] > 0.5).mean()),
        "stated_below_0.05_but_above_25": int(((part["above_25"] < 0.05) & (errors > 0.25)).sum()),
        "stiffness_excess_alone": [resample(auroc, errors > t, excess) for t in (0.15, 0.25)],
        "own_mean_frequency": [resample(auroc, errors > t, means) for t in (0.15, 0.25)],
        "by_model": by_model,
    }


def second_model(
    cases: Sequence[Case], found: dict[str, np.ndarray], resamples: int
) -> dict[str, object]:
    """Disagreement with one other architecture, on the cases where its spectrum is at hand."""
    spectra = {(c.model, c.row.key, c.row.displacement): np.array(c.row.quantiles) for c in cases}
    scores: dict[str, dict[str, object]] = {}
    for other in ("7net-0", "chgnet-0.3.0", "tensornet-matpes-pbe-v2025.1-pes"):
        kept, values = [], []
        for k, case in enumerate(cases):
            spectrum = spectra.get((other, case.row.key, 0.03))
            if spectrum is None or other.split("-")[0] == case.architecture:
                continue
            if not case.at_reference:
                continue
            kept.append(k)
            values.append(wasserstein(case.row.quantiles, spectrum) / max(case.row.mean, 0.3))
        errors = np.array([cases[k].row.relative_error for k in kept])
        resample = Resampler(tuple(cases[k].row.formula for k in kept), resamples)
        excess = -np.array([cases[k].row.features.stiffness_excess for k in kept])
        scores[other] = {"cases": len(kept)}
        for name, threshold in (("15", 0.15), ("25", 0.25)):
            scores[other][f"auroc_above_{name}"] = {
                "disagreement with it": resample(auroc, errors > threshold, np.array(values)),
                "universal risk": resample(auroc, errors > threshold, found[f"above_{name}"][kept]),
                "stiffness excess alone": resample(auroc, errors > threshold, excess),
            }
    return scores


def corrections(
    cases: Sequence[Case], found: dict[str, np.ndarray], elements: int = 1
) -> dict[str, object]:
    """Mean Wasserstein-1 distance before and after the frequencies are multiplied, THz."""
    scores = {}
    for model in sorted({case.model for case in cases}):
        raw, mended, offered = [], [], []
        for k, case in enumerate(cases):
            truth = TRUTHS.get(case.row.key)
            if case.model != model or case.octet or not case.at_reference or truth is None:
                continue
            if len(set(case.row.numbers)) < elements:
                continue
            q = np.array(case.row.quantiles)
            raw.append(wasserstein(q, truth))
            offered.append(found["offered"][k])
            factor = found["factor"][k] if offered[-1] else 1.0
            mended.append(wasserstein(q * factor, truth))
        if len(raw) >= 5:
            scores[model] = {
                "crystals": len(raw),
                "raw": rounded(np.mean(raw)),
                "mended": rounded(np.mean(mended)),
                "offered": int(np.sum(offered)),
                "better_in": int((np.array(mended) < np.array(raw)).sum()),
                "worse_in": int((np.array(mended) > np.array(raw)).sum()),
            }
    return scores


def some(
    cases: Sequence[Case], found: dict[str, np.ndarray], mask: np.ndarray
) -> tuple[list[Case], dict[str, np.ndarray]]:
    """Some of the cases, and what was found of them."""
    kept = [case for case, each in zip(cases, mask, strict=True) if each]
    return kept, {name: values[mask] for name, values in found.items()}


def read_truths() -> dict[str, np.ndarray]:
    found = {}
    for path in (BEYOND, ANY):
        stored = json.loads(path.read_text(encoding="utf-8"))
        at = {name: k for k, name in enumerate(stored["columns"])}
        for each in stored["models"].values():
            for row in each["rows"]:
                key = f"{row[at['formula']]} {row[at['prototype']]}"
                found[key] = np.array(row[at["truth_quantiles"]])
    return found


TRUTHS = read_truths()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resamples", type=int, default=1000)
    resamples = parser.parse_args(arguments).resamples
    beyond, anything, dft = (read_phonon_table(path) for path in (BEYOND, ANY, TABLE))
    bulk = universal_cases([beyond, anything, dft])
    added = {(m, row.key) for m, table in anything.items() for row in table.rows}
    added -= {(m, row.key) for m, table in dft.items() for row in table.rows}
    new = np.array([(case.model, case.row.key) in added for case in bulk])
    ternary = np.array([len(set(case.row.numbers)) >= 3 for case in bulk])
    quick = frozenset(f"{each.formula} {each.prototype}" for each in quick_materials())
    old = [case for case, late in zip(bulk, new, strict=True) if not late]
    octet = np.array([case.octet for case in bulk])
    labelled = {(m, row.key) for m in SINGLE for row in dft[m].rows}
    single = np.array([(case.model, case.row.key) in labelled for case in bulk])
    laws = left_out_laws(old, bulk)
    levels = json.loads(LEVELS.read_text(encoding="utf-8"))
    states = {
        "model in the calibration": by_process(bulk, laws),
        "fifteen binaries known": by_process(bulk, laws, architecture=True, given=quick),
        "unknown model": by_law(bulk, laws, levels),
        "unknown model, forces unknown": by_law(bulk, laws),
    }
    later = set(json.loads(ANY.read_text(encoding="utf-8")).get("added_later", ()))
    last = np.array([case.row.key in later for case in bulk])
    half = untouched(bulk, new & ~last)
    reference = np.array([case.at_reference for case in bulk])
    asked = np.array([case.row.key not in quick for case in bulk])
    result: dict[str, object] = {
        "cases": len(bulk),
        "crystals": len({case.row.key for case in bulk}),
        "prototypes": len({case.row.prototype for case in bulk}),
        "left_out": "anion, and prototype beyond rocksalt, zincblende, wurtzite",
    }
    for name, found in states.items():
        kept = reference & asked if "fifteen" in name else reference
        result[name] = {
            "all": score(bulk, found, kept, resamples),
            "octet binaries": score(bulk, found, kept & octet, resamples),
            "binaries with DFT, one model an architecture": score(
                bulk, found, kept & single, resamples
            ),
            "beyond octet binaries": score(bulk, found, kept & ~octet, resamples),
            "crystals of phonon_any.json": score(bulk, found, kept & new, resamples),
            "ternaries of phonon_any.json": score(bulk, found, kept & new & ternary, resamples),
            "half chosen on": score(bulk, found, kept & new & ~half & ~last, resamples),
            "untouched half": score(bulk, found, kept & half, resamples),
            "added last": score(bulk, found, kept & last, resamples),
            "untouched half, ternaries": score(bulk, found, kept & half & ternary, resamples),
            "correction beyond octet binaries, W1 in THz": corrections(bulk, found),
            "correction of ternaries, W1 in THz": corrections(bulk, found, 3),
            "correction, untouched half": corrections(*some(bulk, found, half)),
            "correction, untouched half, ternaries": corrections(*some(bulk, found, half), 3),
        }
        for size in sorted({case.row.displacement for case in bulk if not case.at_reference}):
            at = np.array([case.row.displacement == size for case in bulk])
            if at.sum() >= 5:
                result[name][f"displaced by {size:g} Å"] = score(bulk, found, at, resamples)  # type: ignore[index]
    result["second model"] = second_model(bulk, states["unknown model"], resamples)
    flat = [
        case
        for table in (beyond, anything)
        for case in cases_of(table)
        if case.row.prototype in LAYERED
    ]
    result["layers, scored by nothing"] = {
        "cases": len(flat),
        "median_error": rounded(np.median([c.row.relative_error for c in flat])) if flat else None,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
