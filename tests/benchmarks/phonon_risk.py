"""How well displaced supercells foretell phonon errors of anions that were left out, as JSON.

    python tests/benchmarks/phonon_risk.py [--table PATH] [--resamples 1000]

A pack is fitted to all crystals but those of one anion and predicts these. Large errors are those
above 25 % of the mean DFT frequency for CHGNet, the worst third of the model's own for SevenNet,
which has next to none above 25 %. The baselines that are fitted are fitted in the same manner.

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

from platonic_ase.calibration.phonon_risk import ERROR_THRESHOLD
from platonic_ase.calibration.phonon_table import (
    CAVEAT,
    PhononTable,
    auroc,
    leave_anions_out,
    read_phonon_table,
    spearman,
)

TABLE = Path(__file__).with_name("phonon_table.json")
ALARM = 0.5
FEWEST = 5  # crystals of a kind: a score of fewer says nothing, nor does its interval


def family(model: str) -> str:
    return model.split("-")[0]


def large_errors(table: PhononTable) -> tuple[np.ndarray, str]:
    if family(table.model) == "chgnet":
        return table.relative_errors > ERROR_THRESHOLD, "relative error > 25 %"
    threshold = np.quantile(table.relative_errors, 2 / 3)
    return table.relative_errors > threshold, f"worst third, relative error > {threshold:.1%}"


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
        point = np.nan if too_few else score(labels, values)
        if np.isnan(point):
            return [None, None, None]
        found = [score(labels[draw], values[draw]) for draw in self.draws]
        return [round(float(x), 3) for x in (point, *np.nanpercentile(found, [2.5, 97.5]))]


def baselines(table: PhononTable, element_frames: dict[str, int]) -> dict[str, np.ndarray]:
    """Scores without the eight features, high where an error is expected."""
    frequencies, frames = table.frequencies, element_frames
    return {
        "stiffness excess alone": -table.feature("stiffness_excess"),
        "softest curvature": -table.feature("softest_curvature"),
        "own frequencies (ridge)": own_frequencies(table),
        "own mean frequency": -frequencies["mean"],
        "own softest frequency": -frequencies["lowest"],
        "rarest element (MPtrj)": np.array(
            [-min(frames[symbol] for symbol in string2symbols(f)) for f in table.formulas]
        ),
        "rarity of the anion (MPtrj)": np.array([-frames[anion] for anion in table.anions]),
    }


def own_frequencies(table: PhononTable, penalty: float = 3.0) -> np.ndarray:
    """The root of the error from the model's own spectrum, anions left out."""
    mean = np.maximum(table.frequencies["mean"], 0.1)
    shape = [
        table.frequencies[name] / mean for name in ("lowest", "lower_quartile", "upper_quartile")
    ]
    x, y = np.stack([np.log(mean), *shape], axis=1), np.sqrt(table.relative_errors)
    anions, out = np.array(table.anions), np.empty(len(y))
    for anion in set(table.anions):
        test = anions == anion
        z = np.clip((x - x[~test].mean(axis=0)) / (x[~test].std(axis=0) + 1e-9), -4, 4)
        z -= z[~test].mean(axis=0)
        level = y[~test].mean()
        normal = z[~test].T @ z[~test] + penalty * np.eye(x.shape[1])
        slope = np.linalg.solve(normal, z[~test].T @ (y[~test] - level))
        out[test] = z[test] @ slope + level
    return out


def score_model(
    tables: dict[str, PhononTable], model: str, element_frames: dict[str, int], resamples: int
) -> dict[str, object]:
    table = tables[model]
    large, meaning = large_errors(table)
    above = table.relative_errors > ERROR_THRESHOLD
    interval = Resampler(table.formulas, resamples)

    def both(values: np.ndarray) -> dict[str, list[float | None]]:
        return {
            "auroc": interval(auroc, large, values),
            "spearman": interval(spearman, table.relative_errors, values),
        }

    own = leave_anions_out(table)
    alarms = own.probability > ALARM
    root = np.sqrt(table.relative_errors)
    others = [each for each in tables.values() if each.model != model]
    strangers = [each for each in others if family(each.model) != family(model)]
    modes = {
        "force share": -table.feature("force_odds"),
        "force share, fitted, anions left out": own.imaginary,
        "stiffness excess alone": -table.feature("stiffness_excess"),
        "softest curvature": -table.feature("softest_curvature"),
        "own mean frequency": -table.frequencies["mean"],
    }
    return {
        "crystals": len(table),
        "compounds": len(set(table.formulas)),
        "large_means": meaning,
        "large": int(large.sum()),
        "features": both(own.root_error),
        "baselines": {
            name: both(values) for name, values in baselines(table, element_frames).items()
        },
        "universal": {
            "model left out": both(leave_anions_out(table, others).root_error),
            "family left out": both(leave_anions_out(table, strangers).root_error),
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
        "interval_90_covers": round(float(own.covered.mean()), 3),
        "variance_of_root_error_explained": round(
            float(1 - ((root - own.root_error) ** 2).mean() / root.var()), 3
        ),
        "imaginary": {
            "crystals": int(table.imaginary.sum()),
            "auroc": {
                name: interval(auroc, table.imaginary, values) for name, values in modes.items()
            },
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
        f"{table.formulas[k]} {table.prototypes[k]}: {table.relative_errors[k]:.2f}, "
        f"probability {probability[k]:.2f}"
        for k in np.flatnonzero(rows)
    )


def text(results: dict[str, dict]) -> str:
    lines = []

    def show(name: str, *scores: list[float | None]) -> None:
        cells = [
            f"{'-':>22}" if value is None else f"{value:8.3f} [{low:5.2f}, {high:4.2f}]"
            for value, low, high in scores
        ]
        lines.append(f"  {name:<38}" + "".join(f"{cell:>24}" for cell in cells))

    for model, found in results.items():
        lines.append(f"{model}: {found['large']} of {found['crystals']} ({found['large_means']})")
        lines.append(f"  {'':<38}{'AUROC':>24}{'Spearman':>24}")
        groups = {"features": found["features"], **found["baselines"]}
        groups |= {f"universal, {name}": each for name, each in found["universal"].items()}
        for name, each in groups.items():
            show(name, each["auroc"], each["spearman"])
        for name in ("hit_rate", "false_alarm_rate"):
            show(f"{name.replace('_', ' ')} at {ALARM}", found["alarm"][name])
        lines.append(f"  imaginary: {found['imaginary']['crystals']}")
        for name, score in found["imaginary"]["auroc"].items():
            show(f"  {name}", score)
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
