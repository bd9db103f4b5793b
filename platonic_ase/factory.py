"""A watched potential by its name, for workflow engines that call a function by its module path."""

from __future__ import annotations

import os
from typing import Any

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.models import load_calculator


def watched(
    name: str,
    *,
    log: str | os.PathLike[str] | None = None,
    device: str | None = None,
    dtype: str | None = None,
    model_path: str | os.PathLike[str] | None = None,
    **options: Any,
) -> PlatonicCalculator:
    """Open a potential by its name and watch it, for workflow engines that take a function.

    Parameters
    ----------
    name : str
        As listed by ``platonic-ase models``, such as ``"chgnet-0.3.0"``.
    log : path-like, optional
        Run log.
    device, dtype, model_path
        See :func:`~platonic_ase.models.load_calculator`.
    **options
        See :class:`PlatonicCalculator`.

    Examples
    --------
    >>> atoms.calc = platonic_ase.watched("chgnet-0.3.0", log="run.jsonl")   # doctest: +SKIP
    """
    calculator = load_calculator(name, device=device, dtype=dtype, model_path=model_path)
    return PlatonicCalculator(calculator, log=log, **options)
