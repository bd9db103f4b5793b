r"""How the data files of this package are made; for maintainers.

::

    python -m platonic_ase.calibration.packaging anchors --calculator chgnet-0.3.0
    python -m platonic_ase.calibration.packaging space --calculator 7net-0 --frames frames.xyz \
        --source "1,000 random frames of MPtrj, CC BY 4.0"
    python -m platonic_ase.calibration.packaging phonons --calculator chgnet-0.3.0 \
        --table tests/benchmarks/phonon_table.json

The first chooses the default anchor environments by DIRECT among the generated pool, as one model
sees it; they are stored as structures, so that any model can embed them. The second embeds them
and the pool with a model and writes the anchors and the reference manifold that the package ships.
The third fits the phonon pack of a model to crystals whose phonon errors are known.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from platonic_ase.calibration.defaults import (
    ANCHORS_FILE,
    N_ANCHORS,
    POOL_SEED,
    build_space,
    file_stem,
    packaged_folder,
)
from platonic_ase.calibration.embed import embed
from platonic_ase.calibration.phonon_table import (
    PhononTable,
    fit_table,
    left_out_scores,
    read_phonon_table,
)
from platonic_ase.calibration.pool import generate_pool
from platonic_ase.encoders import Encoder, find_encoder
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.selection import direct

PHONON_LABELS = {
    "labels": "DFT-PBE phonon spectra of PhononDB, as packaged in Matbench Discovery (MIT)",
    "crystals_are": "rocksalt, zincblende and wurtzite",
    "error": "Wasserstein-1 distance of 17 quantiles over the mean DFT frequency",
    "imaginary": "lowest frequency below -0.1 THz on a 9x9x9 mesh",
}


def choose_default_anchors(encoder: Encoder, folder: Path) -> Path:
    """Choose the default anchor environments and write their structures.

    Parameters
    ----------
    encoder : Encoder
        The model whose embeddings DIRECT sees.
    folder : Path
        Where to write.

    Returns
    -------
    Path
    """
    from ase.io import write

    pool = generate_pool(seed=POOL_SEED)
    embedded = embed(encoder, pool)
    rows = direct(embedded.embeddings, N_ANCHORS, seed=POOL_SEED)
    chosen = []
    for row in rows:
        structure = int(embedded.structures[row])
        first = int(np.searchsorted(embedded.structures, structure))
        atoms = pool[structure].copy()
        kept = {name: atoms.info[name] for name in ("prototype", "kind")}
        atoms.info = {"anchor": int(row) - first, **kept}
        chosen.append(atoms)
    path = folder / ANCHORS_FILE
    write(path, chosen, format="extxyz")
    return path


def build_packaged_space(
    encoder: Encoder, folder: Path, frames: Path | None, source: str | None
) -> tuple[Path, Path]:
    """Write the anchors and the reference manifold of a model.

    Parameters
    ----------
    encoder : Encoder
    folder : Path
        Where to write.
    frames : Path, optional
        Further structures that the model is known to handle, such as frames of its training set.
    source : str, optional
        Where the frames come from and under which licence.
    """
    from ase.io import read

    extra = [] if frames is None else read(frames, index=":")
    anchors, reference = build_space(
        encoder, generate_pool(seed=POOL_SEED), extra=extra, extra_source=source
    )
    stem = file_stem(encoder.identity)
    return (
        anchors.save(folder / f"{stem}.anchors.safetensors"),
        reference.save(folder / f"{stem}.reference.safetensors"),
    )


def build_phonon_pack(identity: ModelIdentity, table: PhononTable, folder: Path) -> Path:
    """Fit and write the phonon pack of a model.

    Parameters
    ----------
    identity : ModelIdentity
    table : PhononTable
        Of this model.
    folder : Path
        Where to write.
    """
    atoms = {
        kind: {n for n, p in zip(table.supercell_atoms, table.prototypes, strict=True) if p == kind}
        for kind in dict.fromkeys(table.prototypes)
    }
    sizes = "; ".join(
        f"{kind} {', '.join(map(str, sorted(found)))}" for kind, found in sorted(atoms.items())
    )
    pack = fit_table(
        table,
        f"{table.title}, {len(table)} binary crystals (PhononDB-PBE)",
        identity=identity,
        provenance={
            **PHONON_LABELS,
            "supercells": f"atoms: {sizes}; 0.03 Å, both signs",
            "scores": left_out_scores(table),
        },
    )
    return pack.save(folder / f"{file_stem(identity)}.phonons.safetensors")


def main() -> None:
    """Entry point of ``python -m platonic_ase.calibration.packaging``."""
    from platonic_ase.loading import load_calculator

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("anchors", "space", "phonons"))
    parser.add_argument("--calculator", default="chgnet-0.3.0")
    parser.add_argument("--frames", type=Path)
    parser.add_argument("--source")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--folder", type=Path, default=packaged_folder())
    arguments = parser.parse_args()
    tables = {} if arguments.table is None else read_phonon_table(arguments.table)
    if arguments.what == "phonons" and arguments.calculator not in tables:
        parser.error(f"phonons needs a --table with {arguments.calculator}; got {[*tables]}")
    encoder = find_encoder(load_calculator(arguments.calculator))
    if arguments.what == "anchors":
        choose_default_anchors(encoder, arguments.folder)
    elif arguments.what == "phonons":
        build_phonon_pack(encoder.identity, tables[arguments.calculator], arguments.folder)
    else:
        build_packaged_space(encoder, arguments.folder, arguments.frames, arguments.source)


if __name__ == "__main__":
    main()
