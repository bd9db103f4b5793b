"""How well a forecast tells which symmetric crystals break.

    python tests/benchmarks/symmetry.py [--table PATH] [--resamples 2000]

Reads symmetry_table.json, which symmetry_labels.py makes; nothing is computed anew. A crystal has
broken if, rattled by 0.01 Å and relaxed with the same model, it ends in another space group at
symprec 0.1 Å. The forecast and its baselines see the symmetric structure only. Crystals of the
first set were known when the forecast was designed (followed curvature instead of the harmonic
one, 0.1 Å, which directions); those of the second set were made afterwards, and no crystal of one
is in the other. Intervals are of 95 %, from resampling crystals, or exact binomial ones for rates.

symmetry_experiment.json says which cubic perovskites are cubic down to the lowest temperatures in
the laboratory: that is a test of the model, not of the forecast.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers
from phonon_risk import Resampler
from scipy.stats import beta

from platonic_ase.crystals.radii import bond_length
from platonic_ase.phonons.breaking import SCALE, fit_symmetry_risk
from platonic_ase.phonons.linear import fit_logistic
from platonic_ase.phonons.scores import auroc

TABLE = Path(__file__).with_name("symmetry_table.json")
EXPERIMENT = Path(__file__).with_name("symmetry_experiment.json")
COMBINED = ("curvature", "eigenvalue", "on_site", "restoring", "force_share", "distance")
THRESHOLD = 0.5


class Crystals:
    """The rows of the table as columns."""

    def __init__(self, rows, frames):
        self.rows, self.frames = rows, frames
        self.names = np.array([row["name"] for row in rows])
        self.family = np.array([row["name"].split()[0] for row in rows])
        self.elements = [row["name"].split()[1:] for row in rows]
        self.broke = self["broke"].astype(bool)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, name):
        return np.array([np.nan if row[name] is None else row[name] for row in self.rows], float)

    def where(self, chosen):
        kept = [row for row, keep in zip(self.rows, chosen, strict=True) if keep]
        return Crystals(kept, self.frames)


def tolerance_factor(row):
    """Goldschmidt's t of a perovskite, from the bond lengths of Shannon radii."""
    a, b, x = (atomic_numbers[symbol] for symbol in row["name"].split()[1:])
    qa, qb, qx = row["charges"]
    return bond_length(a, qa, x, qx, 12, 6) / (np.sqrt(2) * bond_length(b, qb, x, qx, 6, 6))


def scores(crystals):
    """What may foretell, high where breaking is expected, none of it fitted."""
    found = {
        "curvature along soft modes, followed (shipped)": -crystals["curvature"],
        "lowest eigenvalue of the force constants": -crystals["eigenvalue"],
        "softest force constant of a site": -crystals["on_site"],
        "softest curvature of a displaced atom": -crystals["probe_curvature"],
        "force per Platonic displacement (latent)": -crystals["restoring"],
        "force share of the displaced atom": -crystals["force_share"],
        "Platonic distance to the reference": crystals["distance"],
        "raw embedding distance to the anchors": crystals["raw_distance"],
        "rarest element (MPtrj)": -np.array(
            [min(crystals.frames.get(symbol, 0) for symbol in each) for each in crystals.elements],
            float,
        ),
    }
    if (crystals.family == "perovskite").all():
        t = np.array([tolerance_factor(row) for row in crystals.rows])
        found["tolerance factor, |t - 1|"] = np.abs(t - 1)
        found["tolerance factor, low t"] = -t
    return found


def rate(count, total):
    """A rate with its exact binomial interval."""
    low = beta.ppf(0.025, count, total - count + 1) if count else 0.0
    high = beta.ppf(0.975, count + 1, total - count) if count < total else 1.0
    share = count / total if total else float("nan")
    return {"rate": round(share, 3), "of": total, "interval": [round(low, 3), round(high, 3)]}


def forecasts(crystals, resamples):
    interval = Resampler(tuple(crystals.names), resamples)
    return {
        "crystals": len(crystals),
        "broke": int(crystals.broke.sum()),
        "auroc": {
            name: interval(auroc, crystals.broke, values)
            for name, values in scores(crystals).items()
        },
    }


def probabilities(train, test):
    intercept, slope = fit_symmetry_risk(train["curvature"], train.broke)
    return 1 / (1 + np.exp(-(intercept + slope * np.arcsinh(test["curvature"] / SCALE))))


def left_out(crystals, groups, predict):
    """Probabilities for the crystals of each group from a fit to those that have none of it.

    ``groups`` has a set of labels for each crystal; one with several is predicted several times
    and the mean is taken.
    """
    sums, counts = np.zeros(len(crystals)), np.zeros(len(crystals))
    for label in sorted(set().union(*groups)):
        test = np.array([label in group for group in groups])
        sums[test] += predict(crystals.where(~test), crystals.where(test))
        counts[test] += 1
    return sums / counts


def combined(train, test):
    """Logistic regression on all physical and latent features, for comparison."""

    def matrix(crystals):
        columns = [crystals[name] for name in COMBINED]
        return np.stack([np.arcsinh(each / SCALE) for each in columns], axis=1)

    part = fit_logistic(COMBINED, matrix(train), train.broke)
    odds = part.standardise(matrix(test)) @ part.coefficients + part.intercept
    return 1 / (1 + np.exp(-odds))


def alarms(crystals, probability, resamples):
    interval = Resampler(tuple(crystals.names), resamples)
    said = probability >= THRESHOLD
    broke = crystals.broke
    return {
        "auroc": interval(auroc, broke, probability),
        "hits": rate(int((said & broke).sum()), int(broke.sum())),
        "false_alarms": rate(int((said & ~broke).sum()), int((~broke).sum())),
        "brier": round(float(((probability - broke) ** 2).mean()), 3),
        "missed": crystals.names[~said & broke].tolist(),
        "false": crystals.names[said & ~broke].tolist(),
    }


def calibrated(crystals, first, second, resamples):
    families = [{family} for family in crystals.family]
    anions = [{each[-1]} for each in crystals.elements]
    elements = [set(each) for each in crystals.elements]
    found = {
        "leave a family out": alarms(
            crystals, left_out(crystals, families, probabilities), resamples
        ),
        "leave an anion out": alarms(
            crystals, left_out(crystals, anions, probabilities), resamples
        ),
        "leave an element out": alarms(
            crystals, left_out(crystals, elements, probabilities), resamples
        ),
        "all features, leave a family out": alarms(
            crystals, left_out(crystals, families, combined), resamples
        ),
    }
    if len(second):
        found["fitted to the first set, second set"] = alarms(
            second, probabilities(first, second), resamples
        )
        found["all features, fitted to the first set, second set"] = alarms(
            second, combined(first, second), resamples
        )
    return found


def against_experiment(crystals, probability):
    """Perovskites: the model's relaxation, and the forecast, against the laboratory."""
    known = json.loads(EXPERIMENT.read_text(encoding="utf-8"))
    truth = dict.fromkeys(known["cubic"], False) | dict.fromkeys(known["distorted"], True)
    chosen = np.array([name in truth for name in crystals.names])
    broken = np.array([truth[name] for name in crystals.names[chosen]], bool)
    model, forecast = crystals.broke[chosen], probability[chosen] >= THRESHOLD
    names = crystals.names[chosen]
    t = np.array([tolerance_factor(row) for row in crystals.where(chosen).rows])
    return {
        "crystals": len(broken),
        "distorted": int(broken.sum()),
        "relaxation_agrees": rate(int((model == broken).sum()), len(broken)),
        "forecast_agrees": rate(int((forecast == broken).sum()), len(broken)),
        "auroc_of_curvature": round(auroc(broken, -crystals["curvature"][chosen]), 3),
        "auroc_of_low_tolerance_factor": round(auroc(broken, -t), 3),
        "model_breaks_what_is_cubic": names[model & ~broken].tolist(),
        "model_keeps_what_is_distorted": names[~model & broken].tolist(),
    }


def text(found):
    lines = []
    for name, part in found["forecast"].items():
        lines.append(f"{name}: {part['crystals']} crystals, {part['broke']} break; AUROC")
        for score, found_auroc in part["auroc"].items():
            lines.append(f"  {score:<48}{_auroc(found_auroc)}")
    lines.append("probability, warning from 0.5 on: AUROC, hits, false alarms, Brier")
    for name, part in found["calibrated"].items():
        lines.append(
            f"  {name:<48}{_auroc(part['auroc'])}  {_rate(part['hits'])}  "
            f"{_rate(part['false_alarms'])}  {part['brier']:.3f}"
        )
    lab = found["experiment"]
    lines.append(
        f"experiment, {lab['crystals']} perovskites: relaxation agrees "
        f"{_rate(lab['relaxation_agrees'])}, forecast {_rate(lab['forecast_agrees'])}"
    )
    return "\n".join(lines)


def _auroc(found):
    value, low, high = found
    return "too few" if value is None else f"{value:7.3f} [{low:.3f}, {high:.3f}]"


def _rate(part):
    low, high = part["interval"]
    return f"{part['rate']:.3f} [{low:.2f}, {high:.2f}] of {part['of']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--resamples", type=int, default=2000)
    options = parser.parse_args()
    table = json.loads(options.table.read_text(encoding="utf-8"))
    crystals = Crystals(table["rows"], table["element_frames"])
    sets = np.array([row["set"] for row in table["rows"]])
    perovskites = crystals.family == "perovskite"
    first, second = crystals.where(sets == "first"), crystals.where(sets == "second")
    parts = {
        "first set": first,
        "second set": second,
        "second set, perovskites": crystals.where((sets == "second") & perovskites),
        "second set, others": crystals.where((sets == "second") & ~perovskites),
        "all perovskites": crystals.where(perovskites),
        "all others": crystals.where(~perovskites),
    }
    families = [{family} for family in crystals.family]
    found = {
        "model": table["model"],
        "forecast": {
            name: forecasts(part, options.resamples) for name, part in parts.items() if len(part)
        },
        "calibrated": calibrated(crystals, first, second, options.resamples),
        "experiment": against_experiment(crystals, left_out(crystals, families, probabilities)),
    }
    print(text(found), file=sys.stderr)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
