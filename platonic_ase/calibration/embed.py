"""Embedding many structures with one calculator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import CaptureError, EncoderError
from platonic_ase.space.embeddings import EmbeddingSet

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.encoders import Encoder
    from platonic_ase.space.identity import ModelIdentity


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

    with (
        encoder.many() as reader,
        tqdm(
            total=len(structures),
            desc=f"embedding with {encoder.identity.model}",
            disable=not progress,
        ) as bar,
    ):
        found = embed_each(reader, structures, encoder.identity, bar.update, source=source)
    if not len(found):
        reasons = "; ".join(dict.fromkeys(found.failures.values())) or "there were none"
        raise EncoderError(f"none of {len(structures)} structures could be embedded: {reasons}")
    return found


def embed_each(
    encoder: Encoder,
    structures: Iterable[Atoms],
    identity: ModelIdentity,
    done: Callable[[], object],
    *,
    source: Mapping[str, Any] | None = None,
) -> EmbeddingSet:
    """Embed structures one by one; all of them may fail.

    Parameters
    ----------
    encoder : Encoder
        From :meth:`Encoder.many`.
    structures : iterable of Atoms
    identity : ModelIdentity
        Recorded in the result.
    done : callable
        Called after each structure.
    source : mapping, optional
        Recorded in the result.

    Raises
    ------
    CaptureError
        If the model cannot be observed.
    """
    rows = [np.empty((0, identity.width), dtype=identity.dtype)]
    numbers = [np.empty(0, dtype=np.int64)]
    owners = [np.empty(0, dtype=np.int64)]
    failures: dict[int, str] = {}
    for index, atoms in enumerate(structures):
        try:
            found = embed_one(encoder, atoms)
            if not np.isfinite(found).all():
                raise ValueError("embeddings are not finite")
        except CaptureError:
            raise
        except Exception as error:
            failures[index] = f"{type(error).__name__}: {error}"
        else:
            rows.append(found)
            numbers.append(atoms.numbers)
            owners.append(np.full(len(atoms), index))
        done()
    return EmbeddingSet(
        embeddings=np.concatenate(rows),
        numbers=np.concatenate(numbers),
        structures=np.concatenate(owners),
        identity=identity,
        source=dict(source or {}),
        failures=failures,
    )


def to_numpy(array: Any) -> np.ndarray:
    """Array on the host from a tensor on any device, or from an array."""
    return array if isinstance(array, np.ndarray) else np.asarray(array.cpu().numpy())
