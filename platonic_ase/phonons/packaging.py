r"""How the phonon packs of this package are made; for maintainers.

::

    python -m platonic_ase.phonons.packaging tests/benchmarks/phonon_table.json

fits a pack to the crystals of each model of the table, and a universal one to those of all.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from platonic_ase.models import find_encoder
from platonic_ase.phonons.packs import UNIVERSAL
from platonic_ase.phonons.scores import CAVEAT, left_out_scores
from platonic_ase.phonons.table import (
    PhononTable,
    fit_table,
    merge,
    read_phonon_table,
)
from platonic_ase.space.folders import file_stem, packaged_folder
from platonic_ase.space.identity import ModelIdentity

LABELS = {
    "labels": "DFT-PBE phonon spectra of PhononDB, as packaged in Matbench Discovery (MIT)",
    "crystals_are": "rocksalt, zincblende and wurtzite",
    "error": "Wasserstein-1 distance of 17 quantiles over the mean DFT frequency",
    "factor": "brings the model's spectrum closest to the DFT one in that distance",
    "imaginary": "lowest frequency below -0.1 THz on a 9x9x9 mesh",
}
OTHER_FUNCTIONAL = ("chgnet-r2scan",)
"""Models of another functional than PBE, the truth of the table: no correction towards PBE, and no
part in the universal pack."""


def build_phonon_pack(
    identity: ModelIdentity, model: str, tables: Mapping[str, PhononTable], folder: Path
) -> Path:
    """Fit and write the phonon pack of a model.

    Errors and factors are learnt from the model's own crystals, imaginary modes from those of all
    models: few crystals have one.

    Parameters
    ----------
    identity : ModelIdentity
    model : str
    tables : mapping of str to PhononTable
        By model.
    folder : Path
        Where to write.
    """
    table, everything = tables[model], [*tables.values()]
    provenance = {
        **LABELS,
        "supercells": _supercells(table),
        "imaginary_from": [*tables],
        "scores": left_out_scores(table, everything),
    }
    pack = fit_table(
        table,
        f"{table.title}, {len(table)} binary crystals (PhononDB-PBE)",
        modes=merge(everything),
        identity=identity,
        provenance=provenance,
    )
    if table.model in OTHER_FUNCTIONAL:
        remark = "the truth is PBE: the error contains the difference of the functionals"
        pack = replace(pack, factor=None, provenance={**pack.provenance, "remark": remark})
    return pack.save(folder / f"{file_stem(identity)}.phonons.safetensors")


def build_universal_pack(tables: Mapping[str, PhononTable], folder: Path) -> Path:
    """Fit and write the pack of models that have none: a rank among the crystals of the others.

    Parameters
    ----------
    tables : mapping of str to PhononTable
        By model.
    folder : Path
        Where to write.
    """
    used = [table for model, table in tables.items() if model not in OTHER_FUNCTIONAL]
    table = merge(used)
    pack = fit_table(
        table,
        f"universal (a rank only), {len(table)} calculations with {len(used)} other models "
        "(PhononDB-PBE)",
        modes=merge([*tables.values()]),
        rank_only=True,
        provenance={**LABELS, "models": [each.model for each in used], "left_out": CAVEAT},
    )
    return pack.save(folder / UNIVERSAL)


def _supercells(table: PhononTable) -> str:
    kinds = sorted({row.prototype for row in table.rows})
    sizes = {
        kind: sorted({row.supercell_atoms for row in table.rows if row.prototype == kind})
        for kind in kinds
    }
    said = "; ".join(f"{kind} {', '.join(map(str, found))}" for kind, found in sizes.items())
    return f"atoms: {said}; 0.03 Å, both signs"


def main() -> None:
    """Entry point of ``python -m platonic_ase.phonons.packaging``."""
    from platonic_ase.models import load_calculator

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("table", type=Path)
    parser.add_argument("--folder", type=Path, default=packaged_folder())
    arguments = parser.parse_args()
    tables = read_phonon_table(arguments.table)
    for model in tables:
        encoder = find_encoder(load_calculator(model))
        build_phonon_pack(encoder.identity, model, tables, arguments.folder)
    build_universal_pack(tables, arguments.folder)


if __name__ == "__main__":
    main()
