"""Structures with flagged atoms, and how far each atom is from the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import covalent_radii
from ase.utils import rotate
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from platonic_ase.report.plots.style import (
    ALARM,
    GREY,
    INK,
    PAPER,
    element_colours,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from ase import Atoms

VIEWS: Mapping[str, str] = {"along z": "", "tilted": "-75x,-25y,-7z"}
_MANY_ATOMS = 1500
_MOST_LABELS = 12
_CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])


@styled
def structure_views(atoms: Atoms, flagged: Sequence[int] = ()) -> Figure:
    """Two views of a structure; flagged atoms have a ring.

    Parameters
    ----------
    atoms : Atoms
        Wrapped into the cell where it is periodic.
    flagged : sequence of int

    Returns
    -------
    Figure
    """
    atoms = atoms.copy()
    if atoms.cell.rank == 3:
        atoms.wrap(eps=0.02)  # atoms on a face stay on it
    colours = element_colours(atoms.symbols)
    figure = new_figure(3.8)
    for ax, (name, rotation) in zip(figure.subplots(1, len(VIEWS)), VIEWS.items(), strict=True):
        _draw_atoms(ax, atoms, flagged, rotate(rotation), colours)
        ax.set_title(name)
    handles = [_dot(colour, symbol) for symbol, colour in colours.items()]
    if len(flagged):
        handles.append(_dot("none", "flagged", edge=ALARM, width=1.8))
    figure.legend(handles=handles, loc="outside right upper")
    return figure


@styled
def distance_histogram(
    symbols: Sequence[str],
    distances: np.ndarray,
    scores: np.ndarray,
    most: int = 6,
) -> Figure | None:
    """Histogram of per-atom manifold distance for each element, with its threshold.

    Parameters
    ----------
    symbols : sequence of str, length n_atoms
    distances : ndarray, shape (n_atoms,)
    scores : ndarray, shape (n_atoms,)
        Distance / threshold of the atom's element.
    most : int
        Elements shown: those with the largest scores.

    Returns
    -------
    Figure or None
        None where no distance is finite.
    """
    names, good = np.array(symbols, dtype=str), np.isfinite(distances) & np.isfinite(scores)
    elements = sorted(set(names[good]), key=lambda s: -scores[good & (names == s)].max())[:most]
    if not elements:
        return None
    colours = element_colours(symbols)
    figure = new_figure(0.95 * len(elements) + 0.6)
    axes = figure.subplots(len(elements), sharex=True, squeeze=False)[:, 0]
    limits = {}
    for symbol in elements:
        mine = good & (names == symbol) & (scores > 0)
        limits[symbol] = float(np.median(distances[mine] / scores[mine])) if mine.any() else None
    largest = max([distances[good].max(), *(v for v in limits.values() if v is not None)])
    bins = np.linspace(0, 1.05 * largest or 1.0, 61)
    for symbol, ax in zip(elements, axes, strict=True):
        ax.hist(distances[good & (names == symbol)], bins=bins, color=colours[symbol])
        if (limit := limits[symbol]) is not None:
            ax.axvline(limit, color=ALARM, ls="--", lw=1.2, label="threshold of the element")
        ax.set_ylabel(f"{symbol} atoms")
        ax.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right")
    axes[-1].set_xlabel("manifold distance of an atom (–)")
    return figure


def _draw_atoms(
    ax: Axes,
    atoms: Atoms,
    flagged: Sequence[int],
    rotation: np.ndarray,
    colours: Mapping[str, str],
) -> None:
    points = atoms.positions @ rotation
    order = np.argsort(points[:, 2], kind="stable")
    sizes = 1.3 * covalent_radii[atoms.numbers]  # diameters, so that neighbours do not hide
    many = len(atoms) > _MANY_ATOMS
    if atoms.cell.rank == 3:
        ax.add_collection(LineCollection(_edges(atoms.cell.array @ rotation), colors=GREY, lw=0.8))
    _discs(
        ax,
        points[order, :2],
        sizes[order],
        facecolors=[colours[s] for s in np.array(atoms.symbols)[order]],
        edgecolors=GREY if many else INK,
        linewidths=0.3 if many else 0.5,
        rasterized=many,
    )
    rings = np.array(flagged, dtype=int)
    if len(rings):
        _discs(
            ax,
            points[rings, :2],
            1.25 * sizes[rings],
            facecolors="none",
            edgecolors=ALARM,
            linewidths=0.8 if many else 1.8,
            rasterized=many,
        )
    shown = points[:, :2]
    if atoms.cell.rank == 3:
        shown = np.concatenate([shown, (_CORNERS @ atoms.cell.array @ rotation)[:, :2]])
    margin = float(sizes.max())
    low, high = shown.min(axis=0) - margin, shown.max(axis=0) + margin
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.set_aspect("equal")
    ax.set_axis_off()
    if len(rings) <= _MOST_LABELS:
        for place, label in _labels(points[:, :2], rings, float((high - low).max())):
            ax.annotate(
                label,
                (place[0], place[1]),
                xytext=(7, 7),
                textcoords="offset points",
                fontsize=8,
                bbox={"boxstyle": "round,pad=0.1", "fc": PAPER, "ec": "none", "alpha": 0.75},
            )


def _labels(points: np.ndarray, atoms: np.ndarray, size: float) -> list[tuple[np.ndarray, str]]:
    """Collect indices of atoms, those that would overlap joined in one label."""
    reach = size * np.array([0.1, 0.06])  # a label is wider than tall
    labels: list[tuple[np.ndarray, str]] = []
    for i in atoms:
        for k, (place, label) in enumerate(labels):
            if (np.abs(points[i] - place) < reach).all():
                labels[k] = (place, f"{label}, {i}")
                break
        else:
            labels.append((points[i], str(i)))
    return labels


def _discs(ax: Axes, centres: np.ndarray, diameters: np.ndarray, **style: Any) -> None:
    ax.add_collection(
        EllipseCollection(
            diameters,
            diameters,
            np.zeros(len(centres)),
            units="xy",
            offsets=centres,
            offset_transform=ax.transData,
            **style,
        )
    )


def _edges(cell: np.ndarray) -> list[np.ndarray]:
    """Project the twelve edges of a cell along the last axis, each of shape (2, 2)."""
    return [
        (np.array([a, b]) @ cell)[:, :2]
        for i, a in enumerate(_CORNERS)
        for b in _CORNERS[i + 1 :]
        if np.abs(a - b).sum() == 1
    ]


def _dot(face: str, label: str, edge: str = INK, width: float = 0.5) -> Line2D:
    return Line2D([], [], ls="none", marker="o", ms=8, mfc=face, mec=edge, mew=width, label=label)
