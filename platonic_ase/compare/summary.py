"""What a comparison comes to, in a few sentences."""

from __future__ import annotations

import math

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.compare.comparison import Comparison
from platonic_ase.compare.controls import is_control
from platonic_ase.compare.similarity import Similarity
from platonic_ase.report.html import plural
from platonic_ase.report.verdict import Verdict

SIGNIFICANT = 0.05
_ALIKE = "mutual_knn"


def describe(comparison: Comparison) -> str:
    """Who sees the atoms alike, where they disagree most, and who stands apart.

    Parameters
    ----------
    comparison : Comparison
    """
    return "\n".join([*_alike(comparison), *_disputed(comparison), *_biased(comparison)])


def verdict(comparison: Comparison) -> Verdict:
    """First words of the page: how alike, which most and least, and what to do.

    Parameters
    ----------
    comparison : Comparison
    """
    pairs = _pairs(comparison)
    remarks = [*_disputed(comparison), *_biased(comparison)]
    left_out = len({k for failed in comparison.failures.values() for k in failed})
    if left_out:
        remarks.append(
            f"{plural(left_out, 'structure')} left out, which a model could not evaluate."
        )
    if not pairs:
        return Verdict("unknown", "Nothing compared", "Give at least two models.", remarks)
    n_permutations = int(comparison.data["n_permutations"])
    few = [row for row in pairs if not _more_than_elements(row, n_permutations)]
    title = " ".join(_alike(comparison))
    if all(not math.isfinite(row.estimate.p_value) for row in pairs):
        return Verdict(
            "unknown",
            title,
            "Whether that is more than the elements alone explain was not measured: compare again "
            "with --resamples 50.",
            remarks,
        )
    if few:
        return Verdict(
            "alarm",
            title,
            f"{few[-1].a} and {few[-1].b} share no more than the elements explain"
            + (f" (so with {plural(len(few) - 1, 'other pair')})" if len(few) > 1 else "")
            + ": do not carry thresholds, heads or conclusions from one to the other.",
            remarks,
        )
    return Verdict(
        "quiet",
        title,
        ("They share" if len(pairs) == 1 else "All pairs share")
        + " more than the elements explain: where they still disagree is where to look, "
        "first at the top of the disputed structures.",
        remarks,
    )


def _pairs(comparison: Comparison) -> list[Similarity]:
    """Neighbours shared in Platonic space by learned models, most first."""
    pairs = [
        row for row in comparison.similarity if row.measure == _ALIKE and row.space == "platonic"
    ]
    learned = [row for row in pairs if not (is_control(row.a) or is_control(row.b))]
    return sorted(learned or pairs, key=lambda row: -row.estimate.value)


def _more_than_elements(row: Similarity, n_permutations: int) -> bool:
    """Whether p is significant, or as small as so few permutations allow."""
    return row.estimate.p_value <= max(SIGNIFICANT, 1 / (1 + n_permutations) + 1e-9)


def _alike(comparison: Comparison) -> list[str]:
    pairs = _pairs(comparison)
    if not pairs:
        return []
    most = f"{pairs[0].a} and {pairs[0].b} share {_share(pairs[0], comparison.data['k'])}"
    if len(pairs) == 1:
        return [f"{most}."]
    least = f"{pairs[-1].a} and {pairs[-1].b} share {100 * pairs[-1].estimate.value:.0f} %"
    return [f"Most alike: {most}. Least alike: {least}."]


def _share(row: Similarity, k: int) -> str:
    text = f"{100 * row.estimate.value:.0f} % of the {k} atoms nearest to each atom"
    if math.isfinite(row.estimate.baseline_mean):
        text += f" ({100 * row.estimate.baseline_mean:.0f} % if they knew the elements only)"
    return text


def _disputed(comparison: Comparison) -> list[str]:
    if len(comparison.structures) < 2:
        return []
    worst = comparison.structures[0]
    typical = float(np.median([each.median for each in comparison.structures]))
    return [
        f"Most disputed: structure {worst.structure}, {worst.formula} in {worst.space_group}: "
        f"distance {worst.median:.2f}, where {typical:.2f} is usual and about 1 unrelated; if it "
        "matters to you, ask DFT there first."
    ]


def _biased(comparison: Comparison) -> list[str]:
    found = sorted(
        (row for row in comparison.bias if row.q_value < SIGNIFICANT and not is_control(row.model)),
        key=lambda row: -row.excess,
    )
    if not found:
        return []
    worst = found[0]
    what = chemical_symbols[int(worst.label)] if worst.by == "element" else worst.label
    more = f"; {len(found) - 1} more such groups are in the report" if len(found) > 1 else ""
    return [
        f"Stands apart: {worst.model} on {what} ({worst.by}), by {worst.excess:+.2f} more than on "
        f"its other atoms (q = {worst.q_value:.1g}){more}."
    ]
