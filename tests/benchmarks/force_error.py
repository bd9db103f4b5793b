"""Force bounds and alarms in kind, at high stress and out of kind, as JSON, from a stored table.

    python tests/benchmarks/force_error.py [tests/benchmarks/force_chgnet-0.3.0.safetensors ...]

The tables are made by force_table.py; no pack was fitted to the kind that it is scored on, and in
kind none to the compound. "coverage" counts each structure as one, which is what the level of 90 %
means; "of_atoms" each atom. "ratio" is the median bound over the median error, "auroc" that of the
tenth of the atoms with the largest errors. The alarm is a stated probability, at least that of the
default, that the force of the atom is wrong by more than 0.5 eV/Å; "auroc" there is that of these
errors. "alarm of geometries" asks of each structure whether any of its forces is wrong by more, and
whether any of its atoms raised the alarm: that is what an event says.
Intervals are of 95 %, from drawing whole compounds again. Where the table names a second model,
"without doubtful labels" leaves out structures where the two agree with each other five times
better than with the label.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from platonic_ase.monitor.forces import ALARM
from platonic_ase.phonons.scores import auroc
from platonic_ase.space.files import read_arrays

HERE = Path(__file__).parent
DRAWS = 200
WORST = 0.1


def bound_scores(error, bound, structure):
    _, inverse, counts = np.unique(structure, return_inverse=True, return_counts=True)
    within = error <= bound
    return {
        "coverage": float((np.bincount(inverse, within) / counts).mean()),
        "of_atoms": float(within.mean()),
        "ratio": float(np.median(bound) / np.median(error)),
        "auroc": auroc(error >= np.quantile(error, 1 - WORST), bound),
    }


def alarm_scores(error, likely, limit):
    wrong, alarm = error > limit, likely >= ALARM
    both = np.count_nonzero(wrong & alarm)
    return {
        "precision": both / max(np.count_nonzero(alarm), 1),
        "recall": both / max(np.count_nonzero(wrong), 1),
        "false_alarms": np.count_nonzero(alarm & ~wrong) / max(np.count_nonzero(~wrong), 1),
        "auroc": auroc(wrong, likely),
        "stated": float(likely.mean()),
        "happened": float(wrong.mean()),
    }


def geometry_scores(error, likely, structure, limit):
    """Scores of the alarm, one decision a structure."""
    _, inverse = np.unique(structure, return_inverse=True)
    worst, most = np.zeros((2, int(inverse.max()) + 1))
    np.maximum.at(worst, inverse, error)
    np.maximum.at(most, inverse, likely)
    scores = alarm_scores(worst, most, limit)
    return {name: scores[name] for name in ("precision", "recall", "false_alarms", "auroc")}


def with_intervals(score, arrays, compound, seed=0):
    """Scores and their intervals; atoms of a compound are drawn together."""
    rng = np.random.default_rng(seed)
    order = np.argsort(compound, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(compound[order])) + 1)
    draws = []
    for _ in range(DRAWS):
        rows = [members[k] for k in rng.integers(len(members), size=len(members))]
        drawn = np.concatenate(rows)
        draws.append(list(score(*(each[drawn] for each in arrays)).values()))
    edges = np.nanquantile(np.array(draws), [0.025, 0.975], axis=0).T
    return {
        name: [round(value, 3), *(round(float(edge), 3) for edge in pair)]
        for (name, value), pair in zip(score(*arrays).items(), edges, strict=True)
    }


def score(path: Path) -> dict[str, object]:
    arrays, header = read_arrays(path, "force_table")
    error, kind = arrays["error"].astype(float), arrays["kind"]
    structure = arrays["structure"].astype(int)
    _, names = np.unique(header["compounds"], return_inverse=True)
    compound, sound = names[structure], arrays["doubtful"] == 0
    limit = header["limit"]
    found = {key: header[key] for key in ("model", "committee", "limit")}
    found["structures_with_doubtful_labels"] = len(np.unique(structure[~sound]))
    for name in header["variants"]:
        bound = arrays[f"bound {name}"].astype(float)
        likely = arrays[f"probability {name}"] / 255
        scores = {}
        parts = {each: kind == k for k, each in enumerate(header["kinds"])}
        if not sound.all():
            parts |= {f"{each}, without doubtful labels": parts[each] & sound for each in parts}
        for each, own in parts.items():
            scores[f"bound {each}"] = with_intervals(
                bound_scores, (error[own], bound[own], structure[own]), compound[own]
            )
            scores[f"alarm {each}"] = with_intervals(
                lambda e, p: alarm_scores(e, p, limit), (error[own], likely[own]), compound[own]
            )
            scores[f"alarm of geometries {each}"] = with_intervals(
                lambda e, p, s: geometry_scores(e, p, s, limit),
                (error[own], likely[own], structure[own]),
                compound[own],
            )
        scores["alarm of geometries pooled"] = with_intervals(
            lambda e, p, s: geometry_scores(e, p, s, limit), (error, likely, structure), compound
        )
        scores["alarm pooled"] = with_intervals(
            lambda e, p: alarm_scores(e, p, limit), (error, likely), compound
        )
        found[name] = scores
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="*")
    tables = parser.parse_args().tables or sorted(HERE.glob("force_*.safetensors"))
    print(json.dumps([score(path) for path in tables], indent=1))


if __name__ == "__main__":
    main()
