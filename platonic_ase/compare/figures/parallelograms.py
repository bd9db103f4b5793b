"""Analogies as parallelograms, in the plane that holds most of their four corners."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from platonic_ase.compare.analogies import FAMILIES, analogy_structures
from platonic_ase.compare.controls import is_control
from platonic_ase.compare.spaces import principal_plane
from platonic_ase.compare.views import Views
from platonic_ase.report.plots.style import BLUE, GREEN, GREY, ORANGE, PAPER, WIDTH, styled
from platonic_ase.space._checks import Floats

EXAMPLES = {  # two of A and two of B each: A X - B X + B Y → A Y
    "halides": ("Na", "K", "Cl", "Br"),
    "III-V": ("Al", "Ga", "P", "As"),
    "perovskites": ("Sr", "Ba", "Ti", "Zr"),
}


@styled
def analogy_parallelograms(views: Views, *, most: int = 4) -> Figure:
    """Draw one analogy of each of three families, model by model, in Platonic space.

    Parameters
    ----------
    views : Views
        With analogies.
    most : int
        Models shown, those with random weights last.
    """
    names = sorted(views.names, key=is_control)[:most]
    structures = analogy_structures()
    labels = [
        tuple(atoms.info[key] for key in ("family", "prototype", "first", "second"))
        for atoms in structures
    ]
    figure = Figure(figsize=(WIDTH, WIDTH / len(names) * len(EXAMPLES)), layout="constrained")
    axes = figure.subplots(len(EXAMPLES), len(names), squeeze=False)
    for line, (family, (a, b, x, y)) in zip(axes, EXAMPLES.items(), strict=True):
        kind = next(entry for entry in FAMILIES if entry.name == family)
        members = [i for i, label in enumerate(labels) if label[:2] == (family, kind.prototypes[0])]
        corners = [
            labels.index((family, kind.prototypes[0], first, second))
            for first, second in ((a, x), (b, x), (b, y), (a, y))
        ]
        for ax, name in zip(line, names, strict=True):
            z = views.project(name, views.analogies[name])
            mean, plane = principal_plane(z[corners])
            flat = (z - mean) @ plane
            ax.scatter(*flat[members].T, s=8, color=GREY)
            start, minus, plus, end = flat[corners]
            gap, size = _closure(z[corners])
            arrow = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 3, "lw": 1.2}
            guess = start - minus + plus
            ax.annotate("", end, start, arrowprops={**arrow, "color": BLUE})
            ax.annotate("", plus, minus, arrowprops={**arrow, "color": BLUE})
            ax.plot(*np.stack([start, guess]).T, color=ORANGE, ls="--", lw=1.0)
            ax.plot(*guess, "X", color=ORANGE, ms=7)
            ax.plot(*end, "o", mfc="none", mec=GREEN, ms=9, mew=1.5)
            away = 11 * _aside(flat[corners])
            for at, index, side in zip(
                (start, minus, plus, end), corners, (away, -away, -away, away), strict=True
            ):
                ax.annotate(
                    structures[index].get_chemical_formula("metal"), at, fontsize=7,
                    xytext=side, textcoords="offset points", ha="center", va="center",
                    path_effects=[withStroke(linewidth=2.0, foreground=PAPER)],
                )  # fmt: skip
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_xlabel(f"gap {gap / size:.2f}", fontsize=7, labelpad=2)
            inside = np.vstack([flat[corners], guess])
            centre, half = inside.mean(axis=0), 0.9 * np.ptp(inside, axis=0).max()
            ax.set_xlim(centre[0] - half, centre[0] + half)
            ax.set_ylim(centre[1] - half, centre[1] + half)
            if family == next(iter(EXAMPLES)):
                ax.set_title(name, fontsize=8)
        line[0].set_ylabel(family)
    figure.text(
        0.5,
        -0.01,
        "cross: a - b + c; ring: the answer; grey: other compounds of the family; gap: distance of "
        "cross and ring in all dimensions, per mean side",
        ha="center", va="top", fontsize=8,
    )  # fmt: skip
    return figure


def _aside(corners: Floats) -> Floats:
    """Direction across the sides a-d and b-c, from the latter to the former, shape (2,)."""
    a, b, c, d = corners
    along = (d - a) + (c - b)
    across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-12)
    return across if across @ ((a + d) - (b + c)) >= 0 else -across


def _closure(corners: Floats) -> tuple[float, float]:
    """Length of a - b + c - d, and the mean length of the four sides."""
    a, b, c, d = corners
    sides = [np.linalg.norm(side) for side in (a - b, b - c, c - d, d - a)]
    return float(np.linalg.norm(a - b + c - d)), float(np.mean(sides))
