"""Labels that a model predicts where the structures have none: a teacher's, not nature's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.compare.catalogue import Catalogue, moment_sizes
from platonic_ase.errors import ComparisonError

if TYPE_CHECKING:
    from ase import Atoms


def with_predicted_moments(
    catalogue: Catalogue,
    structures: Iterable[Atoms],
    calculator: Any,
    name: str,
    *,
    progress: bool = True,
) -> Catalogue:
    """Give a catalogue without magnetic moments those that a model predicts.

    Parameters
    ----------
    catalogue : Catalogue
        Of the structures.
    structures : iterable of Atoms
    calculator : ase calculator
        One that gives ``magmoms``, such as CHGNet.
    name : str
        Its name, which the tables show beside the label.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Catalogue
        Where the model fails on a structure, its moments stay unknown.

    Raises
    ------
    ComparisonError
        If the structures have moments of their own, or the calculator gives none.
    """
    from ase.calculators.calculator import all_changes
    from tqdm.auto import tqdm

    if np.isfinite(catalogue.magmoms).any():
        raise ComparisonError(
            f"{np.isfinite(catalogue.magmoms).sum()} atoms have magnetic moments in the file "
            f"already; leave out those of {name}, so that the two are not mixed"
        )
    if "magmoms" not in getattr(calculator, "implemented_properties", ()):
        raise ComparisonError(
            f"{name} predicts no magnetic moments; name a model that does, such as chgnet-0.3.0"
        )
    moments = []
    for atoms in tqdm(
        structures, total=len(catalogue), desc=f"moments of {name}", disable=not progress
    ):
        bare = atoms.copy()
        try:
            calculator.calculate(bare, ["magmoms"], all_changes)
            bare.calc = calculator
            moments.append(moment_sizes(bare))
        except Exception:
            moments.append(np.full(len(bare), np.nan))
    return replace(catalogue, magmoms=np.concatenate(moments), magmom_source=f"predicted by {name}")
