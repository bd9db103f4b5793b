"""Bias anchor by anchor: which reference environments a model sees unlike the others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from platonic_ase.compare.measures.bias import Bias, anchor_departure, same_atoms
from platonic_ase.compare.measures.significance import draws
from platonic_ase.space._checks import Floats


def anchor_bias(
    models: Mapping[str, ArrayLike],
    model: str,
    *,
    structures: ArrayLike | None = None,
    n_resamples: int = 50,
    seed: int = 0,
) -> Bias:
    """Test, anchor by anchor, whether a model departs from the consensus more than others do.

    The excess of an anchor is the model's `anchor_departure` less the median of the other models'.
    Its standard error s is the standard deviation among halves of the structures (which equals
    that of the whole sample, Politis and Romano 1994), and p that of a normal excess / s.

    Parameters
    ----------
    models
        Name to Platonic coordinates, each of shape (n, K): at least 3 models.
    model
        The one to audit.
    structures
        Shape (n,): which structure an atom is of; at least 4. Each atom for itself by default.
    n_resamples
        Halves, at least 2.

    Returns
    -------
    Bias
        Labels are 0 to K - 1; every anchor rests on all atoms.

    References
    ----------
    D. N. Politis and J. P. Romano, Ann. Stat. 22, 2031 (1994), doi:10.1214/aos/1176325770.
    """
    from scipy.stats import false_discovery_control, norm

    arrays = same_atoms(models)
    if model not in arrays:
        raise ValueError(f"model is {model!r}; it must be one of {sorted(arrays)}")
    n = len(arrays[model])
    drawn = draws(n, groups=structures, n_resamples=n_resamples, n_permutations=0, seed=seed)
    own, observed = _anchor_excess(arrays, model)
    halves = np.stack(
        [
            _anchor_excess({name: z[rows] for name, z in arrays.items()}, model)[1]
            for rows in drawn.samples
        ]
    )
    error = halves.std(axis=0, ddof=1)
    p_value = norm.sf(observed / np.where(error > 0, error, np.inf))
    n_structures = n if structures is None else len(np.unique(structures))
    return Bias(
        labels=np.arange(len(observed)),
        n_atoms=np.full(len(observed), n),
        n_structures=np.full(len(observed), n_structures),
        departure=own,
        excess=observed,
        p_value=p_value,
        q_value=np.asarray(false_discovery_control(p_value)),
    )


def _anchor_excess(arrays: Mapping[str, Floats], model: str) -> tuple[Floats, Floats]:
    """Departure of a model by anchor, and by how much it is above the median of the others'."""
    found = anchor_departure(arrays)
    own = found.pop(model)
    return own, own - np.median(list(found.values()), axis=0)
