"""From structures with DFT forces to the force bound of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.calibrate.evaluation import EvaluationSet
from platonic_ase.calibrate.force_fit import fit_force_bound
from platonic_ase.calibrate.force_scores import bounds_beyond, score_bounds
from platonic_ase.calibrate.force_table import ForceErrors
from platonic_ase.calibrate.force_width import POOLED, Growth
from platonic_ase.crystals.groups import group_of
from platonic_ase.monitor.force_bound import LEVEL, ForceBound
from platonic_ase.space.anchors import AnchorSet

if TYPE_CHECKING:
    from ase import Atoms


def force_errors(
    evaluated: EvaluationSet,
    structures: Sequence[Atoms],
    labels: Sequence[np.ndarray | None],
    anchors: AnchorSet,
) -> ForceErrors:
    """Put a model's forces beside the labels.

    Parameters
    ----------
    evaluated : EvaluationSet
        Of ``structures``.
    structures : sequence of Atoms, length S
    labels : sequence of ndarray or None, length S
        True forces of each structure, shape (n_atoms, 3), eV/Å; those without are left out.
    anchors : AnchorSet
    """
    embedded = evaluated.embedded
    known = [(k, labels[k]) for k in np.unique(embedded.structures)]
    kept = np.isin(embedded.structures, [k for k, label in known if label is not None])
    return ForceErrors(
        platonic=anchors.project(embedded.embeddings[kept]).astype(np.float32),
        embeddings=embedded.embeddings[kept].astype(np.float32),
        forces=evaluated.forces[kept],
        true_forces=np.concatenate(
            [np.empty((0, 3)), *(label for _, label in known if label is not None)]
        ),
        numbers=embedded.numbers[kept],
        structures=embedded.structures[kept],
        groups=np.array([group_of(atoms) for atoms in structures]),
    )


def build_force_bound(
    table: ForceErrors,
    anchors: AnchorSet,
    source: str,
    left_out: Mapping[str, np.ndarray],
    *,
    level: float = LEVEL,
    growth: Growth = POOLED,
    beyond: Mapping[str, ForceErrors] = MappingProxyType({}),
) -> ForceBound:
    """Fit the force bound of a model.

    Parameters
    ----------
    table : ForceErrors
    anchors : AnchorSet
    source : str
        Where the structures and their forces come from, and under which licence.
    left_out : mapping of str to ndarray, shape (n,)
        Of :func:`~platonic_ase.calibrate.force_scores.bounds_left_out`; their scores are
        recorded.
    level : float
        Share of atoms that the bound is to cover.
    growth : Growth
        Of the widths, from :func:`~platonic_ase.calibrate.force_fit.growth_beyond`.
    beyond : mapping of str to ForceErrors
        Other kinds that it was learnt from. Scores of each, the kind and its compounds left out,
        are recorded.

    Raises
    ------
    CalibrationError
        With too few structures or compounds.
    """
    structures = len(set(table.structures.tolist()))
    return fit_force_bound(
        f"{anchors.identity.model}, {structures} structures ({source})",
        table,
        anchors,
        level=level,
        growth=growth,
        provenance={
            "source": source,
            "error": "length of the difference of the model's force and the label",
            "left_out": {
                name: score_bounds(table, found)
                for name, found in left_out.items()
                if not np.isnan(found).all()  # too few compounds: the fit below refuses them
            },
            "growth_learnt_from": list(beyond) or "other models",
            "beyond": {
                name: score_bounds(beyond[name], found)
                for name, found in bounds_beyond(table, beyond, level=level).items()
                if not np.isnan(found).all()
            },
        },
    )
