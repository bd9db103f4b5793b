"""How well displaced supercells foretell phonon errors of anions that were left out, as JSON.

    python tests/benchmarks/phonon_risk.py [--table PATH] [--resamples 1000]

A pack is fitted to all crystals but those of one anion and predicts these. Large errors are those
above 25 % of the mean DFT frequency for CHGNet, the worst third of the model's own for SevenNet,
which has next to none above 25 %. The baselines that are fitted are fitted in the same manner. For
models and crystals beyond these, see phonon_universal.py.

The features, the square root and ridge regression itself were chosen by such scores on these same
73 crystals, so that all scores of `features` are optimistic by an unknown amount. Intervals are of
95 %, from resampling compounds (zincblende and wurtzite together) with the predictions fixed; they
contain neither that choice nor the fit. Intervals of rates take each crystal for itself.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
from ase.symbols import string2symbols
from scipy.stats import beta

from platonic_ase.phonons.estimate import ERROR_THRESHOLD
from platonic_ase.phonons.linear import predict_left_out
from platonic_ase.phonons.packaging import OTHER_FUNCTIONAL
from platonic_ase.phonons.scores import (
    CAVEAT,
    auroc,
    leave_anions_out,
    spearman,
    worst_third,
)
from platonic_ase.phonons.spectra import wasserstein
from platonic_ase.phonons.table import ERROR_FEATURES, PhononTable, read_phonon_table

TABLE = Path(__file__).with_name("phonon_table.json")
ALARM = 0.5
FEWEST = 5  # crystals of a kind: a score of fewer says nothing, nor does its interval


def family(model: str) -> str:
    return model.split("-")[0]


def large_errors(table: PhononTable) -> tuple[np.ndarray, str]:
    errors = table.relative_errors
    if family(table.model) == "chgnet":
        return errors > ERROR_THRESHOLD, "relative error > 25 %"
    return worst_third(errors), f"worst third, relative error > {np.quantile(errors, 2 / 3):.1%}"


class Resampler:
    """Percentile intervals over compounds; the same resamples for every score of a table."""

    def __init__(self, formulas: tuple[str, ...], resamples: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        compounds = [np.flatnonzero(np.array(formulas) == each) for each in sorted(set(formulas))]
        n = len(compounds)
        self.draws = [
            np.concatenate([compounds[k] for k in rng.integers(n, size=n)])
            for _ in range(resamples)
        ]

    def __call__(self, score, labels: np.ndarray, values: np.ndarray) -> list[float | None]:
        """The score, and the bounds of its interval; None where it cannot be told."""
        too_few = labels.dtype == bool and labels.sum() < FEWEST
        point = np.nan if too_few or np.isnan(values).any() else score(labels, values)
        if np.isnan(point):
            return [None, None, None]
        found = [score(labels[draw], values[draw]) for draw in self.draws]
        return [round(float(x), 3) for x in (point, *np.nanpercentile(found, [2.5, 97.5]))]


def baselines(
    tables: dict[str, PhononTable], model: str, element_frames: dict[str, int]
) -> dict[str, np.ndarray]:
    """Scores without the eight features, high where an error is expected."""
    table, frames = tables[model], element_frames
    return {
        "stiffness excess alone": -table.feature("stiffness_excess"),
        "softest curvature": -table.feature("softest_curvature"),
        "largest force": table_baseline(table, "max_force"),
        "raw embedding distance to MPtrj": table_baseline(table, "raw_distance"),
        "Platonic distance to MPtrj": table_baseline(table, "platonic_distance"),
        "own frequencies (ridge)": own_frequencies(table),
        "own mean frequency": -table.column("mean"),
        "own softest frequency": -table.column("lowest"),
        "rarest element (MPtrj)": np.array(
            [-min(frames[symbol] for symbol in string2symbols(row.formula)) for row in table.rows]
        ),
        "rarity of the anion (MPtrj)": np.array([-frames[row.anion] for row in table.rows]),
        **committees(tables, model),
    }


def table_baseline(table: PhononTable, name: str) -> np.ndarray:
    return np.array([row.baselines.get(name, np.nan) for row in table.rows])


def committees(tables: dict[str, PhononTable], model: str) -> dict[str, np.ndarray]:
    """Disagreement of whole phonon calculations: W1 between two models over the mean frequency."""
    spectra = {
        name: {row.key: np.array(row.quantiles) for row in table.rows}
        for name, table in tables.items()
    }
    rows, found = tables[model].rows, {}
    for other in tables:
        if other != model and all(row.key in spectra[other] for row in rows):
            found[f"disagreement with {other}"] = np.array(
                [
                    wasserstein(row.quantiles, spectra[other][row.key]) / max(row.mean, 0.3)
                    for row in rows
                ]
            )
    relatives = [name.split()[-1] for name in found if family(name.split()[-1]) == family(model)]
    if len(relatives) > 1:
        found[f"committee of {len(relatives) + 1} of the family"] = np.array(
            [
                np.std([spectra[name][row.key] for name in [model, *relatives]], axis=0).mean()
                / max(row.mean, 0.3)
                for row in rows
            ]
        )
    return found


def own_frequencies(table: PhononTable, penalty: float = 3.0) -> np.ndarray:
    """The root of the error from the model's own spectrum, anions left out."""
    mean = np.maximum(table.column("mean"), 0.1)
    quantiles = table.column("quantiles")
    shape = [each / mean for each in (table.column("lowest"), quantiles[:, 4], quantiles[:, 12])]
    x = np.stack([np.log(mean), *shape], axis=1)
    names = ["mean", "lowest", "lower quartile", "upper quartile"]
    root = np.sqrt(table.relative_errors)
    return predict_left_out(names, x, root, table.column("anion"), penalty)


def with_distance(table: PhononTable, penalty: float = 3.0) -> np.ndarray:
    """The root of the error from the features and the Platonic distance, anions left out."""
    features = np.stack([table.feature(name) for name in ERROR_FEATURES], axis=1)
    distance = table_baseline(table, "platonic_distance")
    if np.isnan(distance).any():
        return distance
    names, x = [*ERROR_FEATURES, "platonic_distance"], np.column_stack([features, distance])
    root = np.sqrt(table.relative_errors)
    return predict_left_out(names, x, root, table.column("anion"), penalty)


def score_model(
    tables: dict[str, PhononTable], model: str, element_frames: dict[str, int], resamples: int
) -> dict[str, object]:
    table = tables[model]
    large, meaning = large_errors(table)
    above = table.relative_errors > ERROR_THRESHOLD
    interval = Resampler(tuple(row.formula for row in table.rows), resamples)

    def both(values: np.ndarray) -> dict[str, list[float | None]]:
        return {
            "auroc": interval(auroc, large, values),
            "spearman": interval(spearman, table.relative_errors, values),
        }

    own = leave_anions_out(table, modes=[*tables.values()])
    alarms = own.probability > ALARM
    root, imaginary = np.sqrt(table.relative_errors), table.column("imaginary")
    third = worst_third(table.relative_errors)
    others = [t for t in tables.values() if t.model not in (model, *OTHER_FUNCTIONAL)]
    modes = {
        "force share": -table.feature("force_odds"),
        "force share, fitted to all models, anions left out": own.imaginary,
        "force share, fitted to other models and anions": leave_anions_out(table, others).imaginary,
        "stiffness excess alone": -table.feature("stiffness_excess"),
        "softest curvature": -table.feature("softest_curvature"),
        "own mean frequency": -table.column("mean"),
    }
    return {
        "crystals": len(table),
        "compounds": len({row.formula for row in table.rows}),
        "large_means": meaning,
        "large": int(large.sum()),
        "features": both(own.root_error),
        "features_and_platonic_distance": both(with_distance(table)),
        "baselines": {
            name: both(values) for name, values in baselines(tables, model, element_frames).items()
        },
        "alarm": {
            "means": f"probability of a relative error > 25 % above {ALARM}",
            "hits": f"{(alarms & above).sum()} of {above.sum()}",
            "hit_rate": rate(above, alarms),
            "false_alarms": f"{(alarms & ~above).sum()} of {(~above).sum()}",
            "false_alarm_rate": rate(~above, alarms),
            "missed": describe(table, above & ~alarms, own.probability),
            "false": describe(table, alarms & ~above, own.probability),
        },
        "worst_third": {
            "auroc": interval(auroc, third, own.root_error),
            "brier": round(float(((own.worst_third - third) ** 2).mean()), 3),
            "brier_of_prevalence": round(float(third.mean() * (1 - third.mean())), 3),
        },
        "interval_90_covers": round(float(own.covered.mean()), 3),
        "variance_of_root_error_explained": round(
            float(1 - ((root - own.root_error) ** 2).mean() / root.var()), 3
        ),
        "imaginary": {
            "crystals": int(imaginary.sum()),
            "auroc": {name: interval(auroc, imaginary, values) for name, values in modes.items()},
            "means": f"probability above {ALARM}",
            "hit_rate": rate(imaginary, own.imaginary > ALARM),
            "false_alarm_rate": rate(~imaginary, own.imaginary > ALARM),
        },
    }


def rate(of: np.ndarray, alarms: np.ndarray) -> list[float | None]:
    """Share of alarms with its Clopper-Pearson bounds: resampling none of 71 would yield 0 to 0."""
    n, k = int(of.sum()), int(alarms[of].sum())
    if n < FEWEST:
        return [None, None, None]
    low = 0.0 if k == 0 else beta.ppf(0.025, k, n - k + 1)
    high = 1.0 if k == n else beta.ppf(0.975, k + 1, n - k)
    return [round(float(x), 3) for x in (k / n, low, high)]


def describe(table: PhononTable, rows: np.ndarray, probability: np.ndarray) -> list[str]:
    return sorted(
        f"{table.rows[k].key}: {table.relative_errors[k]:.2f}, probability {probability[k]:.2f}"
        for k in np.flatnonzero(rows)
    )


def show(name: str, *scores: list[float | None]) -> str:
    """One line of a table."""
    cells = [
        f"{'-':>22}" if value is None else f"{value:8.3f} [{low:5.2f}, {high:4.2f}]"
        for value, low, high in scores
    ]
    return f"  {name:<52}" + "".join(f"{cell:>24}" for cell in cells)


def text(results: dict[str, dict]) -> str:
    lines = []
    for model, found in results.items():
        lines.append(f"{model}: {found['large']} of {found['crystals']} ({found['large_means']})")
        lines.append(f"  {'':<52}{'AUROC':>24}{'Spearman':>24}")
        groups = {
            "features": found["features"],
            "features and Platonic distance": found["features_and_platonic_distance"],
            **found["baselines"],
        }
        for name, each in groups.items():
            lines.append(show(name, each["auroc"], each["spearman"]))
        for name in ("hit_rate", "false_alarm_rate"):
            lines.append(show(f"{name.replace('_', ' ')} at {ALARM}", found["alarm"][name]))
        lines.append(show("probability of the worst third", found["worst_third"]["auroc"]))
        lines.append(f"  imaginary: {found['imaginary']['crystals']}")
        for name, score in found["imaginary"]["auroc"].items():
            lines.append(show(f"  {name}", score))
        for name in ("hit_rate", "false_alarm_rate"):
            lines.append(show(f"  {name.replace('_', ' ')} at {ALARM}", found["imaginary"][name]))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", RuntimeWarning)  # resamples without a single large error
    tables = read_phonon_table(options.table)
    frames = json.loads(options.table.read_text(encoding="utf-8"))["element_frames"]
    results = {model: score_model(tables, model, frames, options.resamples) for model in tables}
    print(text(results), file=sys.stderr)
    print(json.dumps({"left_out": CAVEAT, "models": results}, indent=1))


if __name__ == "__main__":
    main()
