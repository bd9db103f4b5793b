"""How the symmetry calibration of this package is made; for maintainers.

::

    python -m platonic_ase.stability.packaging tests/benchmarks/symmetry_table.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platonic_ase.models import find_encoder
from platonic_ase.phonons.breaking import SymmetryRisk, fit_symmetry_risk, risk_path
from platonic_ase.space.folders import packaged_folder
from platonic_ase.space.identity import ModelIdentity


def build_symmetry_risk(identity: ModelIdentity, table: Mapping[str, Any], folder: Path) -> Path:
    """Fit and write the calibration of a model.

    Parameters
    ----------
    identity : ModelIdentity
    table : mapping
        Of ``tests/benchmarks/symmetry_labels.py``: ``title`` and ``rows``.
    folder : Path
        Where to write.
    """
    rows = sorted(table["rows"], key=lambda row: row["curvature"])
    curvatures = tuple(round(float(row["curvature"]), 4) for row in rows)
    broke = tuple(bool(row["broke"]) for row in rows)
    intercept, slope = fit_symmetry_risk(curvatures, broke)
    risk = SymmetryRisk(
        name=f"{table['title']}, {len(rows)} crystals rattled and relaxed by the model itself",
        package=identity.package,
        model=identity.model,
        fingerprint=identity.fingerprint,
        settings=dict(identity.settings),
        intercept=intercept,
        slope=slope,
        curvatures=curvatures,
        broke=broke,
        provenance={"labels": table["about"], "crystals": [row["name"] for row in rows]},
    )
    return risk.save(risk_path(folder, identity))


def main() -> None:
    """Entry point of ``python -m platonic_ase.stability.packaging``."""
    from platonic_ase.models import load_calculator

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("table", type=Path)
    parser.add_argument("--folder", type=Path, default=packaged_folder())
    arguments = parser.parse_args()
    table = json.loads(arguments.table.read_text(encoding="utf-8"))
    encoder = find_encoder(load_calculator(table["model"]))
    build_symmetry_risk(encoder.identity, table, arguments.folder)


if __name__ == "__main__":
    main()
