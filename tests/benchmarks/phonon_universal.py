"""How well the universal phonon risk does on models and crystals that it has not seen, as JSON.

    python tests/benchmarks/phonon_universal.py [--resamples 1000]

Every case (a crystal with one model) is predicted by a law that saw no model of its architecture,
no crystal of its anion and, beyond rocksalt, zincblende and wurtzite, none of its prototype. Three
states of knowledge: the model is unknown; its level is known from fifteen binaries with DFT
spectra, as `calibrate --quick` finds it (the fifteen are not scored); and the law besides knows
the model's architecture on other anions and prototypes. Truth: DFT for the binaries of
phonon_table.json, mostly a teacher potential for those of phonon_beyond.json, and for all of
phonon_any.json (how far it is from DFT: phonon_teacher.py). The shipped pack is fitted to the first
two tables only: on left-out cases that is better than a fit to all three, which is scored as well.
Baselines, each with its interval: the bare stiffness excess, the model's own mean frequency, and
the distance between its spectrum and that of a model of another architecture, the committee that
one could have instead, on the same cases ("second model").
Intervals are of 95 %, from resampling compounds with the predictions fixed.
"""

import argparse
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from phonon_risk import TABLE, Resampler

from platonic_ase.calibrate.quick import quick_materials
from platonic_ase.phonons.packaging import LAYERED, universal_cases
from platonic_ase.phonons.possible import possible_errors, shortest_interval
from platonic_ase.phonons.scores import auroc, spearman
from platonic_ase.phonons.spectra import wasserstein
from platonic_ase.phonons.table import read_phonon_table
from platonic_ase.phonons.universal import UNKNOWN, Level
from platonic_ase.phonons.universal_fit import (
    BINARY_PROTOTYPES,
    Case,
    cases_of,
    fit_modes,
    left_out_laws,
    level_of,
    spreads,
    unseen,
)

Q = np.linspace(0.5, 32.5, 33) / 33
BEYOND = Path(__file__).with_name("phonon_beyond.json")
ANY = Path(__file__).with_name("phonon_any.json")


def predictions(
    cases: Sequence[Case],
    laws: np.ndarray,
    level: Callable[[Case], Level],
    known: frozenset[int] = frozenset(),
) -> dict[str, np.ndarray]:
    """Medians, intervals and probabilities of each case.

    ``known`` are the ids of the cases that anything is learnt from; all, if it is empty.
    """

    def learnt(case: Case) -> bool:
        return not known or id(case) in known

    others = {
        each: spreads(cases, laws, lambda c, each=each: c.architecture != each and learnt(c))
        for each in {case.architecture for case in cases}
    }
    mismatch = {
        each: np.quantile(
            [
                c.mismatch
                for c in cases
                if c.architecture != each
                and c.at_reference
                and math.isfinite(c.mismatch)
                and learnt(c)
            ],
            Q,
        )
        for each in others
    }
    rows = []
    for case, (own, deviation) in zip(cases, laws, strict=True):
        octet, other = others[case.architecture]
        known = level(case)
        law = 1 / ((octet if case.octet else other) * deviation) ** 2
        prior = 1 / known.spread**2
        mean = (law * own + prior * known.offset) / (law + prior)
        errors = possible_errors(mean, (law + prior) ** -0.5, mismatch[case.architecture])
        median, (low, high) = np.median(errors), shortest_interval(errors)
        rows.append(
            (median, low, high, (errors > 0.15).mean(), (errors > 0.25).mean(), math.exp(-mean))
        )
    names = ("median", "low", "high", "above_15", "above_25", "factor")
    return dict(zip(names, np.array(rows).T, strict=True))


def mode_scores(cases: Sequence[Case]) -> dict[str, object]:
    """Imaginary modes, the architecture, anion and prototype left out."""
    probability, parts = np.full(len(cases), np.nan), {}
    for k, case in enumerate(cases):
        kind = "" if case.row.prototype in BINARY_PROTOTYPES else case.row.prototype
        key = (case.architecture, case.row.anion, kind)
        if key not in parts:
            parts[key] = fit_modes(filter(unseen(case), cases))[0]
        if (part := parts[key]) is not None:
            probability[k] = 1 / (1 + math.exp(-part(case.row.features.to_dict())))
    labels = np.array([case.row.imaginary for case in cases])
    beyond = np.array([not case.octet for case in cases])
    return {
        "imaginary": int(labels.sum()),
        "auroc": rounded(auroc(labels, probability)),
        "auroc_beyond_octet_binaries": rounded(auroc(labels[beyond], probability[beyond])),
    }


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
    for other in ("7net-0", "chgnet-0.3.0", "nequix-mp-1"):
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
        raw, mended = [], []
        for k, case in enumerate(cases):
            truth = TRUTHS.get(case.row.key)
            if case.model != model or case.octet or not case.at_reference or truth is None:
                continue
            if len(set(case.row.numbers)) < elements:
                continue
            q = np.array(case.row.quantiles)
            raw.append(wasserstein(q, truth))
            mended.append(wasserstein(q * found["factor"][k], truth))
        if len(raw) >= 5:
            scores[model] = {
                "crystals": len(raw),
                "raw": rounded(np.mean(raw)),
                "mended": rounded(np.mean(mended)),
                "better_in": int((np.array(mended) < np.array(raw)).sum()),
            }
    return scores


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
    quick = {f"{each.formula} {each.prototype}" for each in quick_materials()}
    own = {model: level_of([c for c in bulk if c.row.key in quick], model) for model in
           {case.model for case in bulk}}  # fmt: skip

    def elsewhere(case: Case) -> Level:
        kept = unseen(case, architecture=False)
        return level_of(filter(kept, bulk), case.model) or UNKNOWN

    cached: dict[tuple[str, str, str], Level] = {}

    def once(case: Case) -> Level:
        kind = "" if case.row.prototype in BINARY_PROTOTYPES else case.row.prototype
        key = (case.model, case.row.anion, kind)
        if key not in cached:
            cached[key] = elsewhere(case)
        return cached[key]

    old = [case for case, late in zip(bulk, new, strict=True) if not late]

    def before(case: Case) -> Level:
        kept = unseen(case, architecture=False)
        return level_of(filter(kept, old), case.model) or UNKNOWN

    strict = left_out_laws(bulk, sizes_once=True)
    known = left_out_laws(bulk, architecture=False, sizes_once=True)
    formerly = left_out_laws(bulk, architecture=False, known=old, sizes_once=True)
    states = {
        "unknown model": predictions(bulk, strict, lambda _: UNKNOWN),
        "level from fifteen binaries": predictions(
            bulk, strict, lambda case: own[case.model] or UNKNOWN
        ),
        "model in the calibration": predictions(bulk, known, once),
        "model in the calibration, fitted before phonon_any.json": predictions(
            bulk, formerly, before, frozenset(map(id, old))
        ),
    }
    octet = np.array([case.octet for case in bulk])
    reference = np.array([case.at_reference for case in bulk])
    asked = np.array([case.row.key not in quick for case in bulk])
    result: dict[str, object] = {
        "cases": len(bulk),
        "crystals": len({case.row.key for case in bulk}),
        "prototypes": len({case.row.prototype for case in bulk}),
        "left_out": "architecture, anion, and prototype beyond rocksalt, zincblende, wurtzite",
        "spreads": [rounded(each) for each in spreads(bulk, strict)],
        "imaginary modes": mode_scores([c for c in bulk if c.at_reference]),
    }
    for name, found in states.items():
        kept = reference & asked if "fifteen" in name else reference
        result[name] = {
            "all": score(bulk, found, kept, resamples),
            "octet binaries": score(bulk, found, kept & octet, resamples),
            "beyond octet binaries": score(bulk, found, kept & ~octet, resamples),
            "crystals of phonon_any.json": score(bulk, found, kept & new, resamples),
            "ternaries of phonon_any.json": score(bulk, found, kept & new & ternary, resamples),
            "correction beyond octet binaries, W1 in THz": corrections(bulk, found),
            "correction of ternaries, W1 in THz": corrections(bulk, found, 3),
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
