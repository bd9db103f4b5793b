"""Reference embeddings of a force bound, and distances to those of other compounds."""

from __future__ import annotations

import numpy as np

from platonic_ase.calibrate.force_table import ForceErrors
from platonic_ase.space.neighbours import distances_to_other_groups
from platonic_ase.space.reference import NEIGHBOURS
from platonic_ase.space.selection import farthest_point

PER_ELEMENT = 80


def choose_references(table: ForceErrors, per_element: int = PER_ELEMENT) -> np.ndarray:
    """Rows of reference environments: of each element, farthest points among distinct ones.

    Parameters
    ----------
    table : ForceErrors
    per_element : int
        At most so many of one element.

    Returns
    -------
    ndarray of int
        Rows of the table, ascending by element.
    """
    chosen = []
    for element in np.unique(table.numbers):
        rows = np.flatnonzero(table.numbers == element)
        _, first = np.unique(table.embeddings[rows], axis=0, return_index=True)
        rows = rows[first]
        if len(rows) > per_element:
            rows = rows[farthest_point(table.embeddings[rows], per_element, seed=0)]
        chosen.append(rows)
    return np.concatenate(chosen)


def distances_to_others(
    table: ForceErrors, references: np.ndarray, neighbours: int = NEIGHBOURS
) -> np.ndarray:
    """Mean distance of each atom to the nearest references of its element in other compounds.

    Parameters
    ----------
    table : ForceErrors
    references : ndarray of int
        Rows of the table.
    neighbours : int
        How many nearest references are averaged, or as many as there are.

    Returns
    -------
    ndarray, shape (n,)
        In units of the embedding; see
        :func:`~platonic_ase.space.neighbours.distances_to_other_groups`.
    """
    return distances_to_other_groups(
        table.embeddings, table.numbers, table.compounds, references, neighbours
    )
