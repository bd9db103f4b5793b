"""Embedding many structures with one calculator, in batches where its package can."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import CaptureError, EncoderError
from platonic_ase.space.embeddings import EmbeddingSet

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.models import Encoder
    from platonic_ase.space.identity import ModelIdentity

logger = logging.getLogger("platonic_ase")

BATCH_ATOMS, BATCH_ATOMS_CPU = 1024, 64
"""Most atoms in a batch of several structures; they bound the memory."""


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


def evaluate_one(encoder: Encoder, atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and forces of one structure, in one forward pass.

    Parameters
    ----------
    encoder : Encoder
        Its calculator runs the model; what the calculator remembers is changed.
    atoms : Atoms
        Constraints and a calculator that it has are passed over.

    Returns
    -------
    ndarray, shape (n_atoms, d)
        Embeddings.
    ndarray, shape (n_atoms, 3)
        Forces, eV/Å.
    """
    from ase.calculators.calculator import all_changes

    calculator = encoder.calculator
    if hasattr(calculator, "reset"):
        calculator.reset()
    bare = atoms.copy()  # without the calculator that holds the labels
    bare.constraints = []
    with encoder.capture() as capture:
        calculator.calculate(bare, ["energy", "forces"], all_changes)
    forces = np.array(calculator.results["forces"], dtype=np.float64)
    return to_numpy(capture.take(len(atoms))), forces


def embed_batch(encoder: Encoder, structures: Sequence[Atoms]) -> list[np.ndarray]:
    """Embeddings of several structures, in one forward pass.

    Parameters
    ----------
    encoder : Encoder
        One that :attr:`~platonic_ase.Encoder.batches`.
    structures : sequence of Atoms
        At least one.

    Returns
    -------
    list of ndarray, shape (n_atoms, d)
        One a structure.

    Raises
    ------
    ValueError
        If some are not finite.
    """
    lengths = [len(atoms) for atoms in structures]
    with encoder.capture() as capture:
        encoder.run_batch(structures)
    rows = to_numpy(capture.take(sum(lengths)))
    if not np.isfinite(rows).all():
        raise ValueError("embeddings are not finite")
    return np.split(rows, np.cumsum(lengths)[:-1])


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
    structures: Sequence[Atoms],
    identity: ModelIdentity,
    done: Callable[[int], object],
    *,
    source: Mapping[str, Any] | None = None,
    batch_atoms: int | None = None,
) -> EmbeddingSet:
    """Embed structures, in batches where the package can; all of them may fail.

    A batch that fails is run again one by one, so that only the structures that the model cannot
    evaluate are lost.

    Parameters
    ----------
    encoder : Encoder
        From :meth:`Encoder.many`.
    structures : sequence of Atoms
    identity : ModelIdentity
        Recorded in the result.
    done : callable
        Called with the number of structures done since the last call.
    source : mapping, optional
        Recorded in the result.
    batch_atoms : int, optional
        Most atoms in a batch; a larger structure is a batch of its own. 64 by default on a CPU,
        which larger batches do not make faster, and 1024 elsewhere.

    Raises
    ------
    CaptureError
        If the model cannot be observed.
    """
    if batch_atoms is None:
        batch_atoms = _batch_atoms(encoder)
    rows = [np.empty((0, identity.width), dtype=identity.dtype)]
    numbers = [np.empty(0, dtype=np.int64)]
    owners = [np.empty(0, dtype=np.int64)]
    failures: dict[int, str] = {}
    for batch in batches_of([len(atoms) for atoms in structures], batch_atoms):
        found = _embed_batch_or_each(encoder, [structures[index] for index in batch])
        for index, result in zip(batch, found, strict=True):
            if isinstance(result, Exception):
                failures[index] = f"{type(result).__name__}: {result}"
            else:
                rows.append(result)
                numbers.append(structures[index].numbers)
                owners.append(np.full(len(structures[index]), index))
        done(len(batch))
    return EmbeddingSet(
        embeddings=np.concatenate(rows),
        numbers=np.concatenate(numbers),
        structures=np.concatenate(owners),
        identity=identity,
        source=dict(source or {}),
        failures=failures,
    )


def batches_of(sizes: Sequence[int], most: int) -> Iterator[range]:
    """Consecutive structures that together have at most so many atoms.

    Parameters
    ----------
    sizes : sequence of int
        Atoms of each structure.
    most : int
        A larger structure is a batch of its own.

    Yields
    ------
    range
        Indices of the structures of a batch.

    Examples
    --------
    >>> list(batches_of([4, 4, 9, 1, 1], most=8))
    [range(0, 2), range(2, 3), range(3, 5)]
    """
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and total + size > most:
            yield range(start, index)
            start, total = index, 0
        total += size
    if len(sizes):
        yield range(start, len(sizes))


def _batch_atoms(encoder: Encoder) -> int:
    if not encoder.batches:
        return 1
    on_cpu = next(encoder.model.parameters()).device.type == "cpu"
    return BATCH_ATOMS_CPU if on_cpu else BATCH_ATOMS


def _embed_batch_or_each(
    encoder: Encoder, structures: Sequence[Atoms]
) -> list[np.ndarray | Exception]:
    """Rows of each structure, or why there are none."""
    if encoder.batches:
        try:
            return [*embed_batch(encoder, structures)]
        except Exception as error:
            logger.info(
                "a batch of %d structures goes one by one (%s: %s)",
                len(structures),
                type(error).__name__,
                error,
            )
    return [_rows_or_error(encoder, atoms) for atoms in structures]


def _rows_or_error(encoder: Encoder, atoms: Atoms) -> np.ndarray | Exception:
    try:
        found = embed_one(encoder, atoms)
        if not np.isfinite(found).all():
            raise ValueError("embeddings are not finite")
    except CaptureError:
        raise
    except Exception as error:
        return error
    return found


def to_numpy(array: Any) -> np.ndarray:
    """Array on the host from a tensor on any device, or from an array; bfloat16 as float32."""
    if isinstance(array, np.ndarray):
        return array
    import torch

    if array.dtype == torch.bfloat16:  # numpy has none
        array = array.float()
    return np.asarray(array.cpu().numpy())


def to_hosts(embeddings: Any, platonic: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both tensors of another device as arrays on the host, in one transfer.

    Parameters
    ----------
    embeddings : Tensor, shape (n_atoms, d)
    platonic : Tensor, shape (n_atoms, K)
    """
    import torch

    both = to_numpy(torch.cat([embeddings.to(platonic.dtype), platonic], dim=1))
    return both[:, : embeddings.shape[1]], both[:, embeddings.shape[1] :]
