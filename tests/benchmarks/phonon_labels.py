"""Rows of phonon_table.json for one more model: its phonons of the 73 binaries, against DFT.

    python tests/benchmarks/phonon_labels.py MODEL PHONONDB_PBE_73.json FOLDER --table TABLE.json \
        [--weights FILE]

One file a crystal goes into FOLDER, so that a killed run goes on with the same command; in the end
the rows of the model are put into the table, in place of those that it had.
"""

import argparse
import json
import warnings
from pathlib import Path

from platonic_ase import PlatonicCalculator
from platonic_ase.calibrate.label_crystals import label_crystals
from platonic_ase.calibrate.materials import read_materials
from platonic_ase.calibrate.teach_table import write_table
from platonic_ase.models import load_calculator


def short(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.9g}")
    return [round(each, 3) for each in value] if isinstance(value, list) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("spectra", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    calculator = PlatonicCalculator(
        load_calculator(options.model, device="cpu", model_path=options.weights),
        diagnostics=[], reference=None, phonon_risk=None, force_bound=None, on_warning="ignore",
    )  # fmt: skip
    labelled = label_crystals(calculator, read_materials(options.spectra), options.folder)
    table = json.loads(options.table.read_text(encoding="utf-8"))
    known = [row.to_dict() for row in labelled]
    rows = [[short(row.get(name)) for name in table["columns"]] for row in known]
    table["models"][options.model] = {"title": options.model, "rows": rows}
    write_table(options.table, table)


if __name__ == "__main__":
    main()
