"""Force bounds and alarms in kind, at high stress and at other T and p, as JSON, from tables.

    python tests/benchmarks/force_error.py [tests/benchmarks/force_chgnet-0.3.0.safetensors ...]

The tables are made by force_table.py; no pack was fitted to the kind that it is scored on, and in
kind none to the compound. "coverage" counts each structure as one; "of_atoms" each atom. "ratio"
is the median bound over the median error, "auroc" that of the tenth of the atoms with the largest
errors. The alarm is a stated probability, at least that of the default, that the force of the
atom is wrong by more than 0.5 eV/Å; "auroc_wrong" is that of these errors, "stated" the mean
probability and "happened" the share. "geometries" asks of each structure whether any of its forces
is wrong by more, and whether any of its atoms raised the alarm: that is what an event says.
Intervals are of 95 %, from drawing whole compounds again. Where the table names a second model,
"without doubtful labels" leaves out structures where the two agree with each other five times
better than with the label.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from platonic_ase.phonons.scores import auroc
from platonic_ase.space.files import read_arrays

HERE = Path(__file__).parent
DRAWS = 100
WORST = 0.1
LIMIT = 0.5  # eV/Å


def atom_scores(error, bound, likely):
    """Scores that need every atom; worked out when the table is made."""
    wrong = error > LIMIT
    return {
        "ratio": float(np.median(bound) / np.median(error)),
        "auroc": auroc(error >= np.quantile(error, 1 - WORST), bound),
        "auroc_wrong": auroc(wrong, likely),
        "stated": float(likely.mean()),
        "happened": float(wrong.mean()),
        "median_error": float(np.median(error)),
    }


def coverage(within, atoms):
    return {
        "coverage": float((within / atoms).mean()),
        "of_atoms": float(within.sum() / atoms.sum()),
    }


def rates(both, alarms, wrong, total):
    return {
        "precision": both / max(alarms, 1),
        "recall": both / max(wrong, 1),
        "false_alarms": (alarms - both) / max(total - wrong, 1),
    }


def alarm_of_atoms(right, alarms, wrong, atoms):
    return rates(right.sum(), alarms.sum(), wrong.sum(), atoms.sum())


def alarm_of_geometries(worst, likely, threshold):
    """One decision a structure."""
    wrong, alarm = worst > LIMIT, likely >= threshold
    return rates((wrong & alarm).sum(), alarm.sum(), wrong.sum(), len(wrong))


def with_intervals(score, arrays, compound, seed=0):
    """Scores and their intervals; what is of one compound is drawn together."""
    rng = np.random.default_rng(seed)
    order = np.argsort(compound, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(compound[order])) + 1)
    draws = []
    for _ in range(DRAWS):
        rows = [members[k] for k in rng.integers(len(members), size=len(members))]
        drawn = np.concatenate(rows)
        draws.append(list(score(*(each[drawn] for each in arrays)).values()))
    edges = np.nanquantile(np.array(draws, dtype=float), [0.025, 0.975], axis=0).T
    return {
        name: [round(float(value), 3), *(round(float(edge), 3) for edge in pair)]
        for (name, value), pair in zip(score(*arrays).items(), edges, strict=True)
    }


def score(path: Path) -> dict[str, object]:
    arrays, header = read_arrays(path, "force_table")
    arrays = {name: each.astype(float) for name, each in arrays.items()}
    kind, sound, compound = arrays["kind"], arrays["doubtful"] == 0, arrays["compound"]
    parts = {each: kind == k for k, each in enumerate(header["kinds"])}
    parts["pooled"] = np.ones(len(kind), dtype=bool)
    if not sound.all():
        parts |= {f"{each}, without doubtful labels": parts[each] & sound for each in [*parts]}
    found = {key: header[key] for key in ("model", "second", "limit", "alarm", "most_atoms")}
    found["structures"] = {name: int(own.sum()) for name, own in parts.items()}
    threshold = np.round(255 * header["alarm"])
    for name in header["variants"]:
        within, alarms, right, likely = (
            arrays[f"{each}, {name}"] for each in ("within", "alarms", "right alarms", "likely")
        )
        found[name] = {}
        for part, own in parts.items():
            covered = with_intervals(coverage, (within[own], arrays["atoms"][own]), compound[own])
            counts = (right, alarms, arrays["wrong"], arrays["atoms"])
            found[name][part] = {
                "bound": covered | header["atoms"][name].get(part, {}),
                "alarm of atoms": with_intervals(
                    alarm_of_atoms, [each[own] for each in counts], compound[own]
                ),
                "alarm of geometries": with_intervals(
                    lambda worst, most: alarm_of_geometries(worst, most, threshold),
                    (arrays["worst_error"][own], likely[own]),
                    compound[own],
                ),
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="*")
    tables = parser.parse_args().tables or sorted(HERE.glob("force_*.safetensors"))
    print(json.dumps([score(path) for path in tables], indent=1))


if __name__ == "__main__":
    main()
