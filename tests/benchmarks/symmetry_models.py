"""Does the calibration of symmetry forecasts of one model hold for others? As JSON.

    python tests/benchmarks/symmetry_models.py [--resamples 2000]

Reads symmetry_table.json (CHGNet 0.3.0) and the other symmetry_table_*.json, made by
symmetry_labels.py --quick; nothing is computed anew. Every model forecasts, rattles and relaxes the
crystals itself. Calibrations that are compared, from the curvature along soft modes:

- CHGNet's, as it is, on the other models;
- the universal one: fitted to all models but the one that is predicted, and to all families of
  crystals but the one that is predicted, with the spread of the intercepts of those models;
- one's own, where there are enough crystals: fitted to the model's other families.

Log score and Brier score are means over crystals (lower is better); "stated" is the mean
probability, which a calibrated one shares with the rate of breaking. Intervals are of 95 %, from
resampling crystals, or exact binomial ones for rates.
"""

import argparse
import json
import sys

import numpy as np
from phonon_risk import Resampler
from symmetry import TABLE, Crystals, rate

from platonic_ase.phonons.breaking import SCALE
from platonic_ase.phonons.scores import auroc
from platonic_ase.stability.packaging import fit_universal_risk

THRESHOLD, FEWEST = 0.5, 60


def read_tables(paths):
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def without(table, family):
    rows = [row for row in table["rows"] if row["name"].split()[0] != family]
    return {**table, "rows": rows}


def left_out(table, others):
    """Probabilities of a table's crystals from other tables, the family of each left out."""
    probability = np.zeros(len(table["rows"]))
    families = np.array([row["name"].split()[0] for row in table["rows"]])
    for family in np.unique(families):
        risk = fit_universal_risk([without(other, family) for other in others])
        for k in np.flatnonzero(families == family):
            probability[k] = risk.probability(table["rows"][k]["curvature"])
    return probability


def as_it_is(table, other):
    risk = fit_universal_risk([other])
    return np.array([risk.probability(row["curvature"]) for row in table["rows"]])


def same_crystals(table, other):
    """How often two models agree on which of their common crystals break."""
    broke = {row["name"]: row["broke"] for row in other["rows"]}
    common = [row for row in table["rows"] if row["name"] in broke]
    return rate(sum(row["broke"] == broke[row["name"]] for row in common), len(common))


def scored(crystals, probability, resamples):
    interval = Resampler(tuple(crystals.names), resamples)
    said, broke = probability >= THRESHOLD, crystals.broke
    likely = np.clip(np.where(broke, probability, 1 - probability), 1e-6, 1)
    sure = (probability > 0.9) | (probability < 0.1)
    return {
        "auroc": interval(auroc, broke, probability),
        "hits": rate(int((said & broke).sum()), int(broke.sum())),
        "false_alarms": rate(int((said & ~broke).sum()), int((~broke).sum())),
        "wrong_where_sure": rate(int((sure & (said != broke)).sum()), int(sure.sum())),
        "brier": round(float(((probability - broke) ** 2).mean()), 4),
        "log_score": round(float(-np.log(likely).mean()), 4),
        "stated": round(float(probability.mean()), 3),
        "breaks": round(float(broke.mean()), 3),
        "missed": crystals.names[~said & broke].tolist(),
        "false": crystals.names[said & ~broke].tolist(),
    }


def baselines(crystals, resamples):
    interval = Resampler(tuple(crystals.names), resamples)
    values = {
        "curvature along soft modes, followed": -crystals["curvature"],
        "lowest eigenvalue of the force constants": -crystals["eigenvalue"],
        "softest force constant of a site": -crystals["on_site"],
        "force per Platonic displacement (latent)": -crystals["restoring"],
        "Platonic distance to the reference": crystals["distance"],
    }
    return {name: interval(auroc, crystals.broke, each) for name, each in values.items()}


def show(part):
    low, high = part["interval"]
    return f"{part['rate']:.2f} [{low:.2f}, {high:.2f}] of {part['of']}"


def text(found):
    lines = []
    for model, part in found.items():
        if model == "universal":
            continue
        lines.append(
            f"{model}: {part['crystals']} crystals, {part['broke']} break; agrees with CHGNet on "
            f"{part['agrees_with_chgnet']['rate']:.2f}"
        )
        for name, (value, low, high) in part["auroc"].items():
            known = "too few" if value is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"
            lines.append(f"  AUROC {name:<44}{known}")
        for name, each in part["calibrations"].items():
            lines.append(
                f"  {name:<42} hits {show(each['hits'])}, false {show(each['false_alarms'])}, "
                f"Brier {each['brier']:.3f}, log {each['log_score']:.3f}, "
                f"stated {each['stated']:.2f} where {each['breaks']:.2f} break"
            )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resamples", type=int, default=2000)
    options = parser.parse_args()
    first, *others = read_tables([TABLE, *sorted(TABLE.parent.glob("symmetry_table_*.json"))])
    tables = [first, *others]
    found = {}
    for table in tables:
        crystals = Crystals(table["rows"], {})
        rest = [each for each in tables if each is not table]
        calibrations = {"universal, model and family left out": left_out(table, rest)}
        if len(crystals) >= FEWEST:
            calibrations["its own, family left out"] = left_out(table, [table])
        if table is not first:
            calibrations = {"CHGNet's, as it is": as_it_is(table, first), **calibrations}
        found[table["title"]] = {
            "crystals": len(crystals),
            "broke": int(crystals.broke.sum()),
            "agrees_with_chgnet": same_crystals(table, first),
            "auroc": baselines(crystals, options.resamples),
            "calibrations": {
                name: scored(crystals, each, options.resamples)
                for name, each in calibrations.items()
            },
        }
    shipped = fit_universal_risk(tables)
    found["universal"] = {
        "intercept": shipped.intercept,
        "slope": shipped.slope,
        "spread": shipped.spread,
        "intercepts": shipped.provenance["intercepts"],
        "even_odds_at_eV_per_A2": float(SCALE * np.sinh(-shipped.intercept / shipped.slope)),
    }
    print(text(found), file=sys.stderr)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
