r"""How the data files of this package are made; for maintainers.

::

    python -m platonic_ase.calibration.packaging anchors --calculator chgnet-0.3.0
    python -m platonic_ase.calibration.packaging space --calculator 7net-0 --frames frames.xyz \
        --source "1,000 random frames of MPtrj, CC BY 4.0"

The first chooses the default anchor environments by DIRECT among the generated pool, as one model
sees it; they are stored as structures, so that any model can embed them. The second embeds them
and the pool with a model and writes the anchors and the reference manifold that the package ships.
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
from platonic_ase.calibration.pool import generate_pool
from platonic_ase.encoders import Encoder, find_encoder
from platonic_ase.space.selection import direct


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


def main() -> None:
    """Entry point of ``python -m platonic_ase.calibration.packaging``."""
    from platonic_ase.loading import load_calculator

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("anchors", "space"))
    parser.add_argument("--calculator", default="chgnet-0.3.0")
    parser.add_argument("--frames", type=Path)
    parser.add_argument("--source")
    parser.add_argument("--folder", type=Path, default=packaged_folder())
    arguments = parser.parse_args()
    encoder = find_encoder(load_calculator(arguments.calculator))
    if arguments.what == "anchors":
        choose_default_anchors(encoder, arguments.folder)
    else:
        build_packaged_space(encoder, arguments.folder, arguments.frames, arguments.source)


if __name__ == "__main__":
    main()
