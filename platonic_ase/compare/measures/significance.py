"""How far a similarity is from chance, and how well the atoms at hand determine it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from platonic_ase.space._checks import Floats, as_pair

Measure = Callable[[Floats, Floats], float]


@dataclass(frozen=True)
class Estimate:
    """A measure with its interval and its permutation baseline.

    Attributes
    ----------
    value
        The measure on all atoms.
    low, high
        Ends of the confidence interval; NaN without resampling.
    level
        Its confidence.
    baseline_mean, baseline_std
        Mean and standard deviation with the rows of y permuted; NaN without permutations.
    p_value
        Share of permutations at least as extreme, `(1 + #) / (1 + n_permutations)`; NaN without.
    """

    value: float
    low: float
    high: float
    level: float
    baseline_mean: float
    baseline_std: float
    p_value: float


def estimate(
    measure: Measure,
    x: ArrayLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    resampling: Literal["half", "bootstrap"] = "half",
    alternative: Literal["greater", "less"] = "greater",
    n_resamples: int = 200,
    n_permutations: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Evaluate a measure with a confidence interval and a permutation baseline.

    The interval is the basic one: with `t*` of the resamples and `t` of all atoms,
    `[t - q_high(t* - mean t*), t - q_low(t* - mean t*)]`.

    Parameters
    ----------
    measure
        Takes arrays (n, d_x) and (n, d_y) of paired rows, returns a float.
    x, y
        Shapes (n, d_x) and (n, d_y); row i of both is the same atom.
    groups
        Shape (n,), such as the index of the structure: groups are drawn as a whole, for atoms of
        one structure are not independent. Each atom is a group by default.
    strata
        Shape (n,), such as the element: rows are permuted within each label only, which gives the
        baseline of models that know nothing but the label.
    resampling
        "half": half of the groups without replacement, whose spread about the mean equals that of
        the whole sample; the one for measures that look at neighbours or pairs, because drawing a
        row twice makes neighbours at distance zero. "bootstrap": as many groups as there are, with
        replacement.
    alternative
        "greater" if more similar models have greater values, "less" for distances.
    n_resamples, n_permutations
        Evaluations of the measure for each; 0 leaves that part out.

    References
    ----------
    B. Efron, Ann. Stat. 7, 1 (1979). D. N. Politis and J. P. Romano, Ann. Stat. 22, 2031 (1994).
    """
    x, y = as_pair(x, y)
    if alternative not in ("greater", "less"):
        raise ValueError(f"alternative is {alternative!r}; it must be 'greater' or 'less'")
    drawn = draws(
        len(x),
        groups=groups,
        strata=strata,
        resampling=resampling,
        n_resamples=n_resamples,
        n_permutations=n_permutations,
        seed=seed,
    )
    return summary(
        measure(x, y),
        [measure(x[rows], y[rows]) for rows in drawn.samples],
        [measure(x, y[rows]) for rows in drawn.permutations],
        alternative=alternative,
        level=level,
    )


class Draws(NamedTuple):
    """Rows to evaluate a measure on; the same for every pair of models that is compared.

    Attributes
    ----------
    samples
        Rows of each resample, in both models.
    permutations
        Orders of the rows of the second model, shape (n,) each.
    """

    samples: list[NDArray[np.intp]]
    permutations: list[NDArray[np.intp]]


def draws(
    n: int,
    *,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    resampling: Literal["half", "bootstrap"] = "half",
    n_resamples: int = 200,
    n_permutations: int = 200,
    seed: int = 0,
) -> Draws:
    """Draw the resamples and the permutations of n rows; the arguments are those of `estimate`."""
    members = _members(_labels(groups, n, "groups") if groups is not None else np.arange(n))
    shuffled = _members(_labels(strata, n, "strata") if strata is not None else np.zeros(n, int))
    if resampling not in ("half", "bootstrap"):
        raise ValueError(f"resampling is {resampling!r}; it must be 'half' or 'bootstrap'")
    if len(members) < 4 and n_resamples:
        raise ValueError(
            f"an interval from {len(members)} groups means nothing; give at least 4 groups, or "
            "n_resamples=0"
        )
    rng = np.random.default_rng(seed)
    samples = [
        np.concatenate([members[g] for g in _draw(rng, len(members), resampling)])
        for _ in range(n_resamples)
    ]
    permutations = []
    for _ in range(n_permutations):
        rows = np.arange(n)
        for stratum in shuffled:
            rows[stratum] = rng.permutation(stratum)
        permutations.append(rows)
    return Draws(samples, permutations)


def summary(
    value: float,
    resampled: Sequence[float],
    permuted: Sequence[float],
    *,
    alternative: Literal["greater", "less"] = "greater",
    level: float = 0.95,
) -> Estimate:
    """Summarise a value, its resamples and its permutations, as `estimate` does."""
    spread, baseline = np.asarray(resampled, float), np.asarray(permuted, float)
    low, high = (np.nan, np.nan)
    if len(spread):
        tails = [(1 + level) / 2, (1 - level) / 2]
        low, high = value - np.quantile(spread - spread.mean(), tails)
    extreme = baseline >= value if alternative == "greater" else baseline <= value
    return Estimate(
        value=float(value),
        low=float(low),
        high=float(high),
        level=level,
        baseline_mean=float(baseline.mean()) if len(baseline) else np.nan,
        baseline_std=float(baseline.std(ddof=1)) if len(baseline) > 1 else np.nan,
        p_value=float((1 + extreme.sum()) / (1 + len(baseline))) if len(baseline) else np.nan,
    )


def _draw(rng: np.random.Generator, n_groups: int, resampling: str) -> NDArray[np.intp]:
    if resampling == "bootstrap":
        return rng.integers(n_groups, size=n_groups)
    return rng.permutation(n_groups)[: n_groups // 2]


def _members(labels: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return the row indices of each label."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _labels(labels: ArrayLike, n: int, name: str) -> NDArray[np.intp]:
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}; expected ({n},): one label per atom")
    return np.unique(array, return_inverse=True)[1]
