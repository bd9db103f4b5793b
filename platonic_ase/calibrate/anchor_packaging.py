r"""How the default anchor environments of this package were chosen; for maintainers.

::

    python -m platonic_ase.calibrate.anchor_packaging --calculator chgnet-0.3.0

chooses them by DIRECT among the generated pool, as one model sees it, and stores the structures,
so that any model can embed them. Anchors, references and packs of each model are then made by
``platonic-ase calibrate``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from platonic_ase.crystals.pool import generate_pool
from platonic_ase.models import Encoder, find_encoder
from platonic_ase.models.default_anchors import ANCHORS_FILE, N_ANCHORS
from platonic_ase.models.embed import embed
from platonic_ase.space.folders import POOL_SEED, packaged_folder
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


def main() -> None:
    """Entry point of ``python -m platonic_ase.calibrate.anchor_packaging``."""
    from platonic_ase.models import load_calculator

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calculator", default="chgnet-0.3.0")
    parser.add_argument("--folder", type=Path, default=packaged_folder())
    arguments = parser.parse_args()
    choose_default_anchors(find_encoder(load_calculator(arguments.calculator)), arguments.folder)


if __name__ == "__main__":
    main()
