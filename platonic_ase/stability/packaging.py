"""How the symmetry calibrations of this package are made; for maintainers.

::

    python -m platonic_ase.stability.packaging tests/benchmarks/symmetry_table*.json

Each table gives its model a calibration of its own, if it has enough rows of both kinds; all
together give the universal one, for models that have none.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.phonons.breaking import (
    SUFFIX,
    UNIVERSAL,
    SymmetryRisk,
    fit_symmetry_risk,
    intercepts_by_model,
    risk_path,
)
from platonic_ase.space.folders import packaged_folder
from platonic_ase.space.identity import ModelIdentity

ENOUGH = 150, 40
"""Rows that a calibration of one's own takes, and how many of them have to break and to stay. With
100 the universal one foretold families of crystals that were left out better."""


def build_symmetry_risk(table: Mapping[str, Any], folder: Path) -> Path | None:
    """Fit and write the calibration of a model; None where its rows are too few.

    Parameters
    ----------
    table : mapping
        Of ``tests/benchmarks/symmetry_labels.py``: ``title``, ``identity`` and ``rows``.
    folder : Path
        Where to write.
    """
    identity = ModelIdentity.from_dict(table["identity"])
    rows, (enough, of_each) = _sorted(table["rows"]), ENOUGH
    broke = [bool(row["broke"]) for row in rows]
    if len(rows) < enough or min(sum(broke), len(rows) - sum(broke)) < of_each:
        return None
    intercept, slope = fit_symmetry_risk(_curvatures(rows), broke)
    risk = SymmetryRisk(
        name=f"{table['title']}, {len(rows)} crystals rattled and relaxed by the model itself",
        package=identity.package,
        model=identity.model,
        fingerprint=identity.fingerprint,
        settings=dict(identity.settings),
        intercept=intercept,
        slope=slope,
        curvatures=_curvatures(rows),
        broke=tuple(broke),
        provenance={"labels": table["about"], "crystals": [row["name"] for row in rows]},
    )
    return risk.save(risk_path(folder, identity))


def fit_universal_risk(tables: Sequence[Mapping[str, Any]]) -> SymmetryRisk:
    """Fit the calibration for models that have none of their own.

    Slope and mean intercept come from all rows, the spread from the intercepts that suit each
    model.

    Parameters
    ----------
    tables : sequence of mapping
        As for :func:`build_symmetry_risk`.
    """
    rows = _sorted([{**row, "model": each["title"]} for each in tables for row in each["rows"]])
    curvatures, broke = _curvatures(rows), tuple(bool(row["broke"]) for row in rows)
    models = [row["model"] for row in rows]
    intercept, slope = fit_symmetry_risk(curvatures, broke)
    each = intercepts_by_model(intercept, slope, curvatures, broke, models)
    spread = float(np.std(list(each.values()), ddof=1)) if len(each) > 1 else 0.0
    return SymmetryRisk(
        name=f"universal, {len(rows)} relaxations by {len(tables)} models",
        package=UNIVERSAL,
        model=UNIVERSAL,
        fingerprint=UNIVERSAL,
        settings={},
        intercept=intercept,
        slope=slope,
        spread=spread,
        curvatures=curvatures,
        broke=broke,
        provenance={
            "labels": {each["title"]: each["about"] for each in tables},
            "intercepts": each,
            "crystals": [row["name"] for row in rows],
            "models": models,
        },
    )


def _sorted(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: float(row["curvature"]))


def _curvatures(rows: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    return tuple(round(float(row["curvature"]), 4) for row in rows)


def main() -> None:
    """Entry point of ``python -m platonic_ase.stability.packaging``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--folder", type=Path, default=packaged_folder())
    arguments = parser.parse_args()
    tables = [json.loads(path.read_text(encoding="utf-8")) for path in arguments.tables]
    for table in tables:
        build_symmetry_risk(table, arguments.folder)
    fit_universal_risk(tables).save(arguments.folder / f"universal{SUFFIX}")


if __name__ == "__main__":
    main()
