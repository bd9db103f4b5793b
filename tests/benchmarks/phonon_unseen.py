"""How the packs do on crystals that nothing was chosen on, and what a teacher adds, as JSON.

    python tests/benchmarks/phonon_unseen.py PHONONDB_PBE_73.json [--resamples 1000]

The truth of these crystals is a better model, SevenNet-l3i5, since no DFT spectra of them are at
hand: bromides, selenides, arsenides, hydrides and others that phonon_table.json lacks. Which of
them to take was fixed before any score (phonon_unseen.json says how). Ten of them had been looked
at before the rest was computed; that no hydride is corrected comes from one of these.

First the packs as shipped, fitted to DFT, predict them; once more with the truth times the factor
that brings the teacher's own spectra closest to DFT, since the teacher is a little soft itself.
That crystals of another chemistry are outside was added with these scores in sight; here the packs
speak of them all the same, where in use the universal one does. Then the same crystals teach: packs
fitted to them, to DFT, and to both are tested on DFT alone, the crystals of one anion left out of
either. PHONONDB_PBE_73.json holds the 17 quantiles of the DFT spectra. Intervals are of 95 %, from
resampling compounds with the predictions fixed; those of rates take each crystal for itself.
"""

import argparse
import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from phonon_correction import CONSTANTS, distances
from phonon_risk import (
    ALARM,
    TABLE,
    Resampler,
    baselines,
    describe,
    large_errors,
    rate,
    show,
)

from platonic_ase.calibrate.materials import read_materials
from platonic_ase.phonons.estimate import ERROR_THRESHOLD
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.phonons.scores import auroc, leave_anions_out, spearman
from platonic_ase.phonons.spectra import best_log_factor, relative_error
from platonic_ase.phonons.table import PhononTable, fit_table, merge, read_phonon_table

UNSEEN, TEACHER = Path(__file__).with_name("phonon_unseen.json"), "7net-l3i5"


def keys(table: PhononTable, some: np.ndarray) -> list[str]:
    return sorted(table.rows[k].key for k in np.flatnonzero(some))


def best_constant(table: PhononTable, truth: np.ndarray) -> float:
    """The one factor that suits all crystals of a table best."""
    tried = [distances(table, truth, np.full(len(table), f)).mean() for f in CONSTANTS]
    return float(CONSTANTS[int(np.argmin(tried))])


def retold(table: PhononTable, truth: np.ndarray) -> PhononTable:
    """The same calculations against another truth, shape (n, 17)."""
    rows = (
        replace(
            row,
            relative_error=relative_error(row.quantiles, true),
            log_factor=best_log_factor(np.array(row.quantiles), true),
        )
        for row, true in zip(table.rows, truth, strict=True)
    )
    return replace(table, rows=tuple(rows))


def predict_unseen(
    pack: PhononRisk,
    constant: float,
    tables: dict[str, PhononTable],
    model: str,
    truth: np.ndarray,
    element_frames: dict[str, int],
    resamples: int,
) -> dict[str, object]:
    """Scores of a pack on crystals that are not in it."""
    table = tables[model]
    n = len(table)
    large, meaning = large_errors(table)
    errors, imaginary = table.relative_errors, table.column("imaginary")
    risks = [pack.inside(row.features) for row in table.rows]
    root = np.array([pack.error(row.features.to_dict()) for row in table.rows])
    probability = np.array([risk.probability_above_25_percent for risk in risks])
    unstable = np.array([risk.probability_imaginary for risk in risks])
    covered = np.array(
        [r.interval[0] <= e <= r.interval[1] for r, e in zip(risks, errors, strict=True)]
    )
    inside = np.array([not pack.predict(row.features, row.numbers).outside for row in table.rows])
    above, alarms = errors > ERROR_THRESHOLD, probability > ALARM

    def among(some: np.ndarray) -> Resampler:
        return Resampler(tuple(table.rows[k].formula for k in np.flatnonzero(some)), resamples)

    interval = among(np.ones(n, dtype=bool))

    def both(values: np.ndarray) -> dict[str, list[float | None]]:
        return {
            "auroc": interval(auroc, large, values),
            "spearman": interval(spearman, errors, values),
        }

    offers = [pack.correct(row.features, row.numbers) for row in table.rows]
    offered = np.array([offer.factor is not None for offer in offers])
    factors = np.exp([pack.factor.part(row.features.to_dict()) for row in table.rows])
    w1 = {
        "raw": distances(table, truth, np.ones(n)),
        "one constant, of the DFT crystals": distances(table, truth, np.full(n, constant)),
        "predicted": distances(table, truth, factors),
        "best factor of each crystal": distances(
            table, truth, np.exp(np.nan_to_num(table.column("log_factor")))
        ),
    }
    worse = w1["predicted"] - w1["raw"]
    beyond = worse > (np.exp(pack.factor.half_width) - 1) * factors * table.column("mean")
    return {
        "crystals": n,
        "large": int(large.sum()),
        "large_means": meaning,
        "features": both(root),
        "baselines": {
            name: both(values) for name, values in baselines(tables, model, element_frames).items()
        },
        "alarm": {
            "hits": f"{(alarms & above).sum()} of {above.sum()}",
            "hit_rate": rate(above, alarms),
            "false_alarms": f"{(alarms & ~above).sum()} of {(~above).sum()}",
            "false_alarm_rate": rate(~above, alarms),
            "missed": describe(table, above & ~alarms, probability),
            "false": describe(table, alarms & ~above, probability),
        },
        "interval_90_covers": round(float(covered.mean()), 3),
        "called_no_extrapolation": {
            "crystals": int(inside.sum()),
            "auroc": among(inside)(auroc, large[inside], root[inside]),
            "hits": f"{(alarms & above & inside).sum()} of {(above & inside).sum()}",
            "false_alarms": f"{(alarms & ~above & inside).sum()} of {(~above & inside).sum()}",
            "false_alarm_rate": rate(~above & inside, alarms),
            "interval_90_covers": round(float(covered[inside].mean()), 3),
        },
        "imaginary": {
            "crystals": int(imaginary.sum()),
            "auroc": interval(auroc, imaginary, unstable),
            "hit_rate": rate(imaginary, unstable > ALARM),
            "false_alarm_rate": rate(~imaginary, unstable > ALARM),
        },
        "mean_w1_THz": {
            name: interval(lambda _, v: v.mean(), each, each) for name, each in w1.items()
        },
        "correction_offered": {
            "crystals": int(offered.sum()),
            "mean_w1_THz": {
                name: among(offered)(lambda _, v: v.mean(), each[offered], each[offered])
                for name, each in w1.items()
            },
            "made_worse": keys(table, offered & (worse > 0)),
            "made_worse_by_more_than_the_uncertainty": keys(table, offered & beyond),
        },
    }


def teach(
    dft: PhononTable, lessons: PhononTable, truth: np.ndarray, resamples: int
) -> dict[str, object]:
    """Packs fitted with and without the teacher's crystals, tested on DFT."""
    interval = Resampler(tuple(row.formula for row in dft.rows), resamples)
    large, meaning = large_errors(dft)
    found: dict[str, object] = {"large_means": meaning, "lessons": len(lessons)}
    for name, train in {
        "DFT": [dft],
        "DFT and teacher": [dft, lessons],
        "teacher alone": [lessons],
    }.items():
        out = leave_anions_out(dft, train)
        w1 = distances(dft, truth, np.exp(out.log_factor))
        found[name] = {
            "auroc": interval(auroc, large, out.root_error),
            "spearman": interval(spearman, dft.relative_errors, out.root_error),
            "mean_w1_THz": interval(lambda _, v: v.mean(), w1, w1),
        }
    return found


def text(unseen: dict[str, dict], taught: dict[str, dict]) -> str:
    lines = []
    for model, found in unseen.items():
        lines += [
            f"{model}: {found['large']} of {found['crystals']} ({found['large_means']})",
            f"  {'':<52}{'AUROC':>24}{'Spearman':>24}",
        ]
        for name, each in {"pack": found["features"], **found["baselines"]}.items():
            lines.append(show(name, each["auroc"], each["spearman"]))
        for name in ("hit_rate", "false_alarm_rate"):
            lines.append(show(f"{name.replace('_', ' ')} at {ALARM}", found["alarm"][name]))
        lines.append(f"  the 90 % interval covers {found['interval_90_covers']:.1%}")
        inside = found["called_no_extrapolation"]
        lines += [
            show(f"of them called no extrapolation ({inside['crystals']})", inside["auroc"]),
            f"    hits {inside['hits']}, false alarms {inside['false_alarms']}; the 90 % interval "
            f"covers {inside['interval_90_covers']:.1%}",
        ]
        modes = found["imaginary"]
        lines.append(show(f"imaginary ({modes['crystals']})", modes["auroc"]))
        lines += [
            show(f"  {name.replace('_', ' ')} at {ALARM}", modes[name])
            for name in ("hit_rate", "false_alarm_rate")
        ]
        lines.append("  mean W1 in THz")
        lines += [show(f"  {name}", each) for name, each in found["mean_w1_THz"].items()]
        offered = found["correction_offered"]
        lines.append(f"  the same of the {offered['crystals']} for which a correction is offered")
        lines += [show(f"  {name}", each) for name, each in offered["mean_w1_THz"].items()]
        worse, beyond = (
            ", ".join(offered[name]) or "none"
            for name in ("made_worse", "made_worse_by_more_than_the_uncertainty")
        )
        lines.append(f"    made worse: {worse}; by more than the uncertainty: {beyond}")
    for model, found in taught.items():
        lines += [
            f"{model}, tested on DFT, with {found['lessons']} lessons ({found['large_means']})",
            f"  {'':<52}{'AUROC':>24}{'Spearman':>24}{'mean W1 in THz':>24}",
        ]
        for name in ("DFT", "DFT and teacher", "teacher alone"):
            each = found[name]
            lines.append(show(name, each["auroc"], each["spearman"], each["mean_w1_THz"]))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spectra", type=Path, help="DFT spectra")
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", RuntimeWarning)  # resamples without a single large error
    tables, unseen = read_phonon_table(TABLE), read_phonon_table(UNSEEN)
    stored = json.loads(UNSEEN.read_text(encoding="utf-8"))
    spectra = {f"{m.formula} {m.prototype}": m.truth for m in read_materials(options.spectra)}
    true = {
        model: np.array([spectra[row.key] for row in table.rows]) for model, table in tables.items()
    }
    softness = best_constant(tables[TEACHER], true[TEACHER])
    column = stored["columns"].index("teacher_quantiles")
    predicted, taught = {}, {}
    for model, lessons in unseen.items():
        pack = fit_table(tables[model], "as shipped", modes=merge([*tables.values()]))
        truth = np.array([row[column] for row in stored["models"][model]["rows"]])
        for factor in (1.0, softness):
            predicted[f"{model}, unseen, truth times {factor:.2f}"] = predict_unseen(
                pack,
                best_constant(tables[model], true[model]),
                {name: each for name, each in unseen.items() if name != model}
                | {model: retold(lessons, factor * truth)},
                model,
                factor * truth,
                stored["element_frames"],
                options.resamples,
            )
        taught[model] = teach(tables[model], lessons, true[model], options.resamples)
    print(text(predicted, taught), file=sys.stderr)
    print(json.dumps({"unseen": predicted, "taught": taught}, indent=1))


if __name__ == "__main__":
    main()
