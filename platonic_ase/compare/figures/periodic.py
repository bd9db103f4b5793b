"""Where models depart from the consensus of the others, on the periodic table."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
from ase.data import chemical_symbols
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from platonic_ase.compare.comparison import Comparison
from platonic_ase.compare.groups import LONG_FORM_WIDTH, cell
from platonic_ase.compare.portraits import Departure
from platonic_ase.report.plots.style import GREY, INK, WIDTH, styled

SIGNIFICANT = 0.05


@styled
def bias_tables(comparison: Comparison) -> Figure:
    """Draw one periodic table a model: excess departure by element.

    Parameters
    ----------
    comparison : Comparison
        With at least three models and a catalogue.

    Returns
    -------
    Figure
        Brown: further from the consensus than the other models are; violet: closer. A bold frame
        where the false-discovery rate is below 5 %; empty cells have too few structures.
    """
    names = [name for name in comparison.models if any(e.model == name for e in comparison.bias)]
    by_model: dict[str, Mapping[int, Departure]] = {
        name: {int(e.label): e for e in comparison.bias if e.by == "element" and e.model == name}
        for name in names
    }
    largest = max(
        (abs(e.excess) for entries in by_model.values() for e in entries.values()), default=1.0
    )
    columns = 2 if len(names) > 1 else 1
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH, 2.55 * lines + 0.4), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    norm = TwoSlopeNorm(0.0, -largest, largest)
    colours = matplotlib.colormaps["PuOr_r"]
    for ax in axes:
        ax.set_axis_off()
    for ax, name in zip(axes, names, strict=False):
        for number in range(1, 104):
            row, column = cell(number)
            entry = by_model[name].get(number)
            certain = entry is not None and entry.q_value < SIGNIFICANT
            ax.add_patch(
                Rectangle(
                    (column, -row), 0.92, 0.92,
                    facecolor="none" if entry is None else colours(norm(entry.excess)),
                    edgecolor=INK if certain else GREY, linewidth=1.3 if certain else 0.3,
                )
            )  # fmt: skip
            strong = entry is not None and abs(entry.excess) > 0.65 * largest
            ax.text(
                column + 0.46, -row + 0.46, chemical_symbols[number], ha="center", va="center",
                fontsize=5.5, color="white" if strong else INK if entry is not None else GREY,
            )  # fmt: skip
        ax.set_xlim(-0.2, LONG_FORM_WIDTH + 0.2)
        ax.set_ylim(-8.3, 1.3)
        ax.set_aspect("equal")
        ax.set_title(name, fontsize=9)
    figure.colorbar(
        matplotlib.cm.ScalarMappable(norm, colours), ax=axes.tolist(), shrink=0.6, pad=0.01,
        aspect=40, orientation="horizontal",
        label="departure from the consensus, in excess of the other models' median",
    )  # fmt: skip
    return figure
