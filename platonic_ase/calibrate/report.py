"""The page about a force bound: how it does on structures that it was not made from."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

import numpy as np

from platonic_ase._version import __version__
from platonic_ase.calibrate.figures import (
    bound_and_error,
    coverage_by_element,
    coverage_by_size,
)
from platonic_ase.calibrate.force_table import ForceErrors
from platonic_ase.monitor.force_bound import ForceBound
from platonic_ase.report.html import facts, figure, number, page, table, write_page
from platonic_ase.report.plots.style import to_svg

_TESTS = {
    "compounds": "compounds left out at random",
    "anions": "all structures with one anion left out",
}


def write_force_bound(
    bound: ForceBound, errors: ForceErrors, left_out: np.ndarray, path: str | os.PathLike[str]
) -> Path:
    """Write the page of a bound as one self-contained HTML file.

    Parameters
    ----------
    bound : ForceBound
    errors : ForceErrors
        What it was made from.
    left_out : ndarray, shape (n,)
        Bounds by packs that have not seen the compound of the atom, eV/Å.
    path : path-like
        Replaced if it exists; its folder is made.

    Raises
    ------
    LogError
        If it cannot be written.
    """
    known = ~np.isnan(left_out)
    errors, left_out = errors.take(known), left_out[known]
    within = errors.errors <= left_out
    drawn = [
        (
            "Bound and error",
            "Atoms of compounds that the bound has not seen. Errors above the dashed line are "
            f"not covered. Errors below {1e-3:g} eV/Å are drawn there.",
            bound_and_error(errors.errors, left_out),
        ),
        (
            "Is it as good for small and for large bounds?",
            "Share of errors within the bound, each compound counting as one; bars are two "
            "standard errors. The level is promised for all atoms together, not for each tenth.",
            coverage_by_size(left_out, within, errors.compounds, bound.level),
        ),
        (
            "And for each element?",
            "The same by element, for those in at least 20 compounds.",
            coverage_by_element(errors.numbers, within, errors.compounds, bound.level),
        ),
    ]
    model = bound.identity.model
    body = [
        f"<header>\n<h1>Force-error bound of <code>{escape(model)}</code></h1>",
        facts(
            {
                "Labels": bound.provenance.get("source"),
                "Structures": number(bound.provenance["structures"]),
                "Atoms": number(bound.provenance["atoms"]),
                "Compounds": number(bound.provenance["compounds"]),
                "Reach": f"{bound.scale.reach:.3g} in units of the embedding",
                "platonic_ase": __version__,
            }
        )
        + "\n</header>",
        _verdict(bound),
        _scores(bound),
        *(
            figure(title, caption, to_svg(made, f"force{k}"))
            for k, (title, caption, made) in enumerate(drawn)
            if made is not None
        ),
    ]
    return write_page(page(f"platonic_ase: force bound of {model}", body), path)


def _verdict(bound: ForceBound) -> str:
    score = bound.provenance["left_out"]["compounds"]
    low, high = score["coverage_interval"]
    kept = low <= bound.level <= high
    title = (
        f"Covers {100 * score['coverage']:.1f} % where {100 * bound.level:g} % were aimed at"
        if kept
        else f"Covers {100 * score['coverage']:.1f} %, and not the {100 * bound.level:g} % aimed at"
    )
    text = (
        f"95 % interval {100 * low:.1f} to {100 * high:.1f} %, on compounds that it has not seen. "
        f"The median bound is {score['median_ratio']:.2f} times the median error."
    )
    kind = "quiet" if kept else "alarm"
    return f'<div class="verdict {kind}"><strong>{escape(title)}</strong><p>{text}</p></div>'


def _scores(bound: ForceBound) -> str:
    columns = [
        ("left out", ""), ("compounds", "n"), ("coverage", "n"), ("95 %", "n"),
        ("of all atoms", "n"), ("median bound (eV/Å)", "n"), ("over median error", "n"),
        ("AUROC, worst tenth", "n"),
    ]  # fmt: skip
    rows = []
    for name, score in bound.provenance["left_out"].items():
        low, high = score["coverage_interval"]
        rows.append(
            (
                escape(_TESTS[name]),
                number(score["compounds"]),
                f"{score['coverage']:.3f}",
                f"{low:.3f}–{high:.3f}",
                f"{score['coverage_of_atoms']:.3f}",
                number(score["median_bound_eV_per_A"], 3),
                f"{score['median_ratio']:.2f}",
                f"{score['auroc_worst_tenth']:.3f}",
            )
        )
    return f"<h2>On structures that it was not made from</h2>{table(columns, rows)}"
