"""A transport plan between two models, element by element."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.compare.groups import GROUPS
from platonic_ase.compare.measures.transport import exact_transport
from platonic_ase.compare.similarity import sample
from platonic_ase.compare.spaces import common_space
from platonic_ase.compare.views import Views


def element_plan(
    views: Views,
    space: str,
    a: str,
    b: str,
    *,
    n_atoms: int = 800,
    n_elements: int = 40,
    seed: int = 0,
) -> tuple[list[str], np.ndarray]:
    """Where the atoms of each element go from one model to another.

    Parameters
    ----------
    views : Views
    space : str
        Key of :data:`~platonic_ase.compare.spaces.SPACES`.
    a, b : str
        Models.
    n_atoms : int
        Distinct atoms that are transported, at most.
    n_elements : int
        The most frequent ones are kept, ordered by group of the periodic table.
    seed : int
        Of the draw.

    Returns
    -------
    symbols : list of str
    shares : ndarray, shape (n_elements, n_elements)
        Share of the mass of the element of the row that lands on that of the column.
    """
    rows = sample(views, n_atoms, seed)
    numbers = views.numbers[rows]
    kinds, counts = np.unique(numbers, return_counts=True)
    frequent = kinds[np.argsort(-counts, kind="stable")[:n_elements]]
    shown = np.array(sorted(frequent, key=lambda z: (_group(int(z)), z)))
    member = (numbers[:, None] == shown).astype(float)
    x, y = (points[rows] for points in common_space(views, space, a, b))
    plan = exact_transport(x, y).plan
    leaving = (member.T @ plan).sum(axis=1, keepdims=True)
    return [chemical_symbols[z] for z in shown], member.T @ plan @ member / leaving


def _group(number: int) -> int:
    return next((i for i, (_, members) in enumerate(GROUPS) if number in members), 99)
