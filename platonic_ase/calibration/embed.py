"""Embedding many structures with one calculator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import CaptureError, EncoderError
from platonic_ase.space.embeddings import EmbeddingSet

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.encoders import Encoder


def embed_one(encoder: Encoder, atoms: Atoms) -> np.ndarray:
    """Embeddings of one structure, in one forward pass.

    Parameters
    ----------
    encoder : Encoder
        Its calculator runs the model; what the calculator remembers is changed.
    atoms : Atoms

    Returns
    -------
    ndarray, shape (n_atoms, d)
    """
    from ase.calculators.calculator import all_changes

    calculator = encoder.calculator
    if hasattr(calculator, "reset"):
        calculator.reset()
    with encoder.capture() as capture:
        calculator.calculate(atoms, ["energy"], all_changes)
    return to_numpy(capture.take(len(atoms)))


def embed(
    encoder: Encoder,
    structures: Sequence[Atoms],
    *,
    source: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> EmbeddingSet:
    """Embed all atoms of many structures.

    Parameters
    ----------
    encoder : Encoder
    structures : sequence of Atoms
    source : mapping, optional
        Recorded in the result.
    progress : bool
        Whether to show a progress bar on standard error.

    Returns
    -------
    EmbeddingSet
        Structures that the model could not evaluate are listed in ``failures``.

    Raises
    ------
    EncoderError
        If no structure could be evaluated.
    CaptureError
        If the model cannot be observed.
    """
    from tqdm.auto import tqdm

    rows: list[np.ndarray] = []
    numbers: list[np.ndarray] = []
    owners: list[np.ndarray] = []
    failures: dict[int, str] = {}
    label = f"embedding with {encoder.identity.model}"
    with encoder.many() as reader:
        for index, atoms in enumerate(tqdm(structures, desc=label, disable=not progress)):
            try:
                found = embed_one(reader, atoms)
            except CaptureError:
                raise
            except Exception as error:
                failures[index] = f"{type(error).__name__}: {error}"
                continue
            if not np.isfinite(found).all():
                failures[index] = "embeddings are not finite"
                continue
            rows.append(found)
            numbers.append(atoms.numbers)
            owners.append(np.full(len(atoms), index))
    if not rows:
        reasons = "; ".join(dict.fromkeys(failures.values())) or "there were none"
        raise EncoderError(f"none of {len(structures)} structures could be embedded: {reasons}")
    return EmbeddingSet(
        embeddings=np.concatenate(rows),
        numbers=np.concatenate(numbers),
        structures=np.concatenate(owners),
        identity=encoder.identity,
        source=dict(source or {}),
        failures=failures,
    )


def to_numpy(array: Any) -> np.ndarray:
    """Array on the host from a tensor on any device, or from an array."""
    return array if isinstance(array, np.ndarray) else np.asarray(array.cpu().numpy())
