r"""How the phonon packs of this package are made; for maintainers.

::

    python -m platonic_ase.phonons.packaging tests/benchmarks/phonon_table.json \\
        tests/benchmarks/phonon_beyond.json tests/benchmarks/phonon_any.json \\
        tests/benchmarks/phonon_unstable.json tests/benchmarks/force_levels.json

fits a pack to the binaries of each model of the first table, and a universal one to all of the
first three; the law of stiffness of octet binaries within it to those of the first two, which is
better on what is left out; whether imaginary modes are real to the last two tables, the stable
and the unstable crystals of one teacher; and what force errors say of phonons to the force levels
of the models.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.left_out import (
    law_spreads,
    left_out_laws,
    left_out_pools,
    left_out_process,
    process_spreads,
)
from platonic_ase.phonons.odds import ImaginaryModes
from platonic_ase.phonons.packs import UNIVERSAL
from platonic_ase.phonons.scores import left_out_scores
from platonic_ase.phonons.table import (
    PhononTable,
    fit_table,
    merge,
    read_phonon_table,
)
from platonic_ase.phonons.universal_fit import (
    Case,
    cases_of,
    fit_before,
    fit_levels,
    fit_spurious,
    fit_universal,
)
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.folders import file_stem, packaged_folder
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.json_text import parse_json

LABELS = {
    "labels": "DFT-PBE phonon spectra of PhononDB, as packaged in Matbench Discovery (MIT)",
    "crystals_are": "rocksalt, zincblende and wurtzite",
    "error": "Wasserstein-1 distance of 17 quantiles over the mean DFT frequency",
    "factor": "brings the model's spectrum closest to the DFT one in that distance",
    "imaginary": "lowest frequency below -0.1 THz on a 9x9x9 mesh",
}
LAYERED = (
    "cadmium-iodide", "molybdenite", "hexagonal-bn", "brucite", "monolayer-h", "monolayer-t",
    "monolayer-bn",
)  # fmt: skip
"""Prototypes that have no part in the universal pack."""
OTHER_FUNCTIONAL = ("chgnet-r2scan", "tensornet-matpes-r2scan-v2025.1-pes")
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


def universal_cases(tables: Iterable[Mapping[str, PhononTable]]) -> list[Case]:
    """All cases that the universal pack is fitted to.

    Models of another functional than the truth, and layered crystals, have no part in it. A case
    in several tables is taken from the last.

    Parameters
    ----------
    tables : iterable of mapping of str to PhononTable
        By model.
    """
    found: dict[tuple[str, str, float], Case] = {}
    for each in tables:
        for case in cases_of(each):
            if case.model not in OTHER_FUNCTIONAL and case.row.prototype not in LAYERED:
                found[case.model, case.row.key, case.row.displacement] = case
    return list(found.values())


def judged_cases(
    stable: Mapping[str, PhononTable], unstable: Mapping[str, PhononTable]
) -> list[Case]:
    """Cases with imaginary modes, of crystals that a teacher finds stable and unstable.

    Parameters
    ----------
    stable, unstable : mapping of str to PhononTable
        By model.
    """
    cases = universal_cases([stable, unstable])
    return [case for case in cases if case.at_reference and case.unstable]


def build_universal_pack(
    cases: Sequence[Case],
    everything: Sequence[Case],
    judged: Sequence[Case],
    levels: Mapping[str, float],
    fingerprints: Mapping[str, str],
    folder: Path,
) -> Path:
    """Fit and write the pack of models that have none, and of crystals beyond binaries.

    Parameters
    ----------
    judged : sequence of Case
        Of :func:`judged_cases`: whether imaginary modes are spurious is learnt from them.
    levels : mapping of str to float
        Force level of each model, see :mod:`~platonic_ase.phonons.levels`.
    cases, everything, fingerprints
        See :func:`~platonic_ase.phonons.universal_fit.fit_universal`.
    folder : Path
        Where to write.
    """
    crystals = {case.row.key for case in everything}
    process, laws = left_out_process(everything), left_out_laws(cases, everything)
    models = sorted({case.model for case in everything})
    pack = fit_universal(
        cases,
        everything,
        f"universal, {len(crystals)} crystals with {len(models)} models",
        law_spreads=law_spreads(everything, laws),
        pool_spreads=left_out_pools(everything, process, laws)[1],
        spreads=process_spreads(everything, *process),
        imaginary=ImaginaryModes(
            octet=fit_before(*_of_kind(everything, laws[:, 0], True)),
            others=fit_before(*_of_kind(everything, laws[:, 0], False)),
            spurious=fit_spurious(judged, left_out_laws(cases, everything, judged)[:, 0]),
        ),
        levels=fit_levels(everything, levels),
        fingerprints=fingerprints,
        provenance={
            **LABELS,
            "crystals_are": "octet binaries (DFT), and others with a teacher's spectra",
            "teacher": "nequix-mp-1-pft (MIT), beyond the binaries",
            "models": models,
            "force_levels": {model: levels[model] for model in models if model in levels},
            "spurious_from": f"{len(judged)} cases with imaginary modes, "
            f"{sum(case.row.imaginary for case in judged)} of them spurious",
            "spreads_from": "cases left out with their anion and prototype, for the law with "
            "their architecture as well",
        },
    )
    return pack.save(folder / UNIVERSAL)


def _of_kind(
    cases: Sequence[Case], values: np.ndarray, octet: bool
) -> tuple[list[Case], list[float]]:
    """The octet binaries of the cases, or the others, and the values of each."""
    kept = [k for k, case in enumerate(cases) if case.octet == octet]
    return [cases[k] for k in kept], [float(values[k]) for k in kept]


def _supercells(table: PhononTable) -> str:
    kinds = sorted({row.prototype for row in table.rows})
    sizes = {
        kind: sorted({row.supercell_atoms for row in table.rows if row.prototype == kind})
        for kind in kinds
    }
    said = "; ".join(f"{kind} {', '.join(map(str, found))}" for kind, found in sizes.items())
    return f"atoms: {said}; 0.03 Å, both signs"


def packaged_identity(model: str) -> ModelIdentity:
    """What is known of a model that has packaged anchors: no calculator is needed for it.

    Raises
    ------
    SpaceFileError
        If there are none.
    """
    for path in sorted(packaged_folder().glob("*.anchors.safetensors")):
        identity = AnchorSet.load(path).identity
        if model in (identity.model, identity.model.split(":")[0]):
            return identity
    raise SpaceFileError(f"no packaged anchors are of {model!r}; make them first")


def main() -> None:
    """Entry point of ``python -m platonic_ase.phonons.packaging``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("table", type=Path)
    parser.add_argument("beyond", type=Path)
    parser.add_argument("any", type=Path)
    parser.add_argument("unstable", type=Path)
    parser.add_argument("levels", type=Path)
    parser.add_argument("--folder", type=Path, default=packaged_folder())
    arguments = parser.parse_args()
    tables, beyond = read_phonon_table(arguments.table), read_phonon_table(arguments.beyond)
    fingerprints = {model: each.fingerprint for model, each in beyond.items() if each.fingerprint}
    for model in tables:
        identity = packaged_identity(model)
        fingerprints[model] = identity.fingerprint
        build_phonon_pack(identity, model, tables, arguments.folder)
    anything, unstable = (read_phonon_table(path) for path in (arguments.any, arguments.unstable))
    build_universal_pack(
        universal_cases([beyond, tables]),
        universal_cases([beyond, anything, tables]),
        judged_cases(anything, unstable),
        parse_json(arguments.levels.read_bytes()),
        fingerprints,
        arguments.folder,
    )


if __name__ == "__main__":
    main()
