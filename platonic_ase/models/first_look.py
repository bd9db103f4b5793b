"""The first look at a model: the doctor's, and what the model makes of frames with DFT labels."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.doctor import quick_look
from platonic_ase.errors import UnsoundModelWarning
from platonic_ase.models.embed import evaluate_one

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.models import Encoder

logger = logging.getLogger("platonic_ase")


@dataclass(frozen=True)
class EvaluatedFrame:
    """A structure with DFT forces, and what a model makes of it.

    Attributes
    ----------
    atoms : Atoms
    labels, forces : ndarray, shape (n_atoms, 3)
        Of DFT and of the model, eV/Å.
    embeddings : ndarray, shape (n_atoms, d)
    """

    atoms: Atoms
    labels: np.ndarray
    forces: np.ndarray
    embeddings: np.ndarray


def first_look(encoder: Encoder) -> list[EvaluatedFrame]:
    """Look at a model cheaply, and warn where it is not what it claims to be.

    Parameters
    ----------
    encoder : Encoder
        Its calculator runs some 40 small cells.

    Returns
    -------
    list of EvaluatedFrame
        Those of the doctor whose elements the model knows.

    Warns
    -----
    UnsoundModelWarning
    """
    frames: list[EvaluatedFrame] = []

    def forces_of(atoms: Atoms) -> np.ndarray:
        embeddings, forces = evaluate_one(encoder, atoms)
        if np.isfinite(embeddings).all() and np.isfinite(forces).all():
            frames.append(EvaluatedFrame(atoms, atoms.arrays["dft_forces"], forces, embeddings))
        return forces

    name = encoder.identity.model
    try:
        found = quick_look(encoder.calculator, name, elements=encoder.elements, forces_of=forces_of)
    except Exception as error:  # a model that cannot run small crystals may still run its own
        logger.info("the doctor could not look at %s: %s", name, error)
        return frames
    if found.wrong:
        warnings.warn(
            f"{found}. Run 'platonic-ase doctor' before you use it.",
            UnsoundModelWarning,
            stacklevel=2,
        )
    return frames
