"""A transport plan between two models, element by element."""

from __future__ import annotations

from matplotlib.figure import Figure

from platonic_ase.compare.element_plan import element_plan
from platonic_ase.compare.spaces import SPACES
from platonic_ase.compare.views import Views
from platonic_ase.report.plots.style import WIDTH, styled

PANELS = ("padded", "platonic", "standardised")


@styled
def transport_plan(
    views: Views, a: str, b: str, *, n_atoms: int = 800, n_elements: int = 40, seed: int = 0
) -> Figure:
    """Draw where the atoms of each element go from one model to another.

    Parameters
    ----------
    views : Views
    a, b : str
        Models: from rows to columns.
    n_atoms : int
        Distinct atoms drawn, at most.
    n_elements : int
        Elements shown, the most frequent of them, ordered by group of the periodic table.
    seed : int
        Of the draw.
    """
    figure = Figure(figsize=(WIDTH * 1.2, WIDTH * 0.46), layout="constrained")
    axes = figure.subplots(1, len(PANELS))
    for ax, space in zip(axes, PANELS, strict=True):
        symbols, shares = element_plan(
            views, space, a, b, n_atoms=n_atoms, n_elements=n_elements, seed=seed
        )
        image = ax.imshow(shares, cmap="cividis", vmin=0, vmax=1)
        ax.grid(visible=False)
        ax.set_xticks(range(len(symbols)), symbols, fontsize=5, rotation=90)
        ax.set_yticks(range(len(symbols)), symbols, fontsize=5)
        ax.set_title(SPACES[space].replace("standardised over", "standardised\nover"), fontsize=8)
        ax.set_xlabel(f"atoms in {b}")
    axes[0].set_ylabel(f"atoms in {a}")
    figure.colorbar(image, ax=axes, shrink=0.7, pad=0.01, label="share of an element's mass")
    return figure
