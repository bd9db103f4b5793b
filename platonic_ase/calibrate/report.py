"""The page about a force bound: how it does on structures that it was not made from."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

import numpy as np

from platonic_ase._version import __version__
from platonic_ase.calibrate.charts import (
    bound_and_error,
    coverage_by_element,
    coverage_by_size,
)
from platonic_ase.calibrate.force_table import ForceErrors
from platonic_ase.monitor.force_bound import ForceBound
from platonic_ase.report.charts import Chart
from platonic_ase.report.html import chart_section, facts, number, section, table, write_page
from platonic_ase.report.sheet import sheet
from platonic_ase.report.verdict import Verdict

_TESTS = {
    "compounds": "compounds left out at random",
    "anions": "all structures with one anion left out",
}


_SAID = {
    "bound": (
        "Bound and error",
        "Atoms of compounds that the bound has not seen. Errors above the dashed line are not "
        "covered. Errors below 0.001 eV/Å are drawn there.",
    ),
    "sizes": (
        "Is it as good for small and for large bounds?",
        "Share of errors within the bound, each compound counting as one; bars are two standard "
        "errors. The level is promised for all atoms together, not for each tenth.",
    ),
    "elements": (
        "And for each element?",
        "The same by element, for those in at least 20 compounds.",
    ),
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
    drawn: dict[str, Chart | None] = {
        "bound": bound_and_error(errors.errors, left_out),
        "sizes": coverage_by_size(left_out, within, errors.compounds, bound.level),
        "elements": coverage_by_element(errors.numbers, within, errors.compounds, bound.level),
    }
    charts = {name: made for name, made in drawn.items() if made is not None}
    about = facts(
        {
            "Labels": bound.provenance.get("source"),
            "Structures": number(bound.provenance["structures"]),
            "Atoms": number(bound.provenance["atoms"]),
            "Compounds": number(bound.provenance["compounds"]),
            "Reach": f"{bound.scale.reach:.3g} in units of the embedding; beyond, errors grow with "
            f"the distance to the power {bound.scale.growth:.2g}"
            + (
                ", as those of other models do"
                if isinstance(bound.provenance["growth_learnt_from"], str)
                else ""
            ),
            "platonic_ase": __version__,
        }
    )
    sections = [
        _scores(bound),
        *(chart_section(*_SAID[name], name) for name in charts),
        section("The calibration", about),
    ]
    heading = f"Force-error bound of {bound.identity.model}"
    return write_page(sheet(heading, _verdict(bound), sections, charts), path)


def _verdict(bound: ForceBound) -> Verdict:
    score = bound.provenance["left_out"]["compounds"]
    low, high = score["coverage_interval"]
    kept = low <= bound.level <= high
    covers, aimed = f"{100 * score['coverage']:.1f} %", f"{100 * bound.level:g} %"
    if kept:
        kind, title = "quiet", f"Covers {covers} where {aimed} were aimed at"
        sentence = "The bound holds on compounds that it has not seen: use it on structures like "
        sentence += "those of the labels."
    else:
        kind, title = "alarm", f"Covers {covers}, and not the {aimed} aimed at"
        sentence = "Do not take the bound at its level: label structures nearer to those that you "
        sentence += "are going to compute, and calibrate again."
    return Verdict(
        kind,
        title,
        sentence,
        [
            f"95 % interval {100 * low:.1f} to {100 * high:.1f} %, on compounds that it has not "
            f"seen. The median bound is {score['median_ratio']:.2f} times the median error."
        ],
    )


def _scores(bound: ForceBound) -> str:
    columns = [
        ("left out", ""), ("compounds", "n"), ("coverage", "n"), ("95 %", "n"),
        ("of all atoms", "n"), ("median bound (eV/Å)", "n"), ("over median error", "n"),
        ("AUROC, worst tenth", "n"),
    ]  # fmt: skip
    rows = []
    made = bound.provenance
    scores = {_TESTS[name]: score for name, score in made["left_out"].items()}
    scores |= {f"another kind, {name}": score for name, score in made["beyond"].items()}
    for name, score in scores.items():
        low, high = score["coverage_interval"]
        rows.append(
            (
                escape(name),
                number(score["compounds"]),
                f"{score['coverage']:.3f}",
                f"{low:.3f}–{high:.3f}",
                f"{score['coverage_of_atoms']:.3f}",
                number(score["median_bound_eV_per_A"], 3),
                f"{score['median_ratio']:.2f}",
                f"{score['auroc_worst_tenth']:.3f}",
            )
        )
    return section("On structures that it was not made from", table(columns, rows))
