"""Figures of a phonon calculation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from scipy.constants import R as GAS_CONSTANT

from platonic_ase.phonons.sites import SiteResponse
from platonic_ase.report.plots.style import (
    ALARM,
    BLUE,
    GREY,
    ORANGE,
    WIDTH,
    element_colours,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from platonic_ase.phonons.result import PhononResult


class Bands(Protocol):
    """Frequencies along a path."""

    @property
    def segments(self) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Distances, shape (n,), and frequencies, shape (n, n_bands), THz; imaginary ones < 0."""

    @property
    def labels(self) -> Sequence[tuple[float, str]]:
        """Special points."""


class Phonons(Protocol):
    """What of a spectrum is drawn."""

    @property
    def bands(self) -> Bands:
        """Along a path."""

    @property
    def dos_frequencies(self) -> np.ndarray:
        """THz."""

    @property
    def dos(self) -> np.ndarray:
        """States per THz and primitive cell."""

    @property
    def temperatures(self) -> np.ndarray:
        """K."""

    @property
    def free_energy(self) -> np.ndarray:
        """kJ/mol."""

    @property
    def entropy(self) -> np.ndarray:
        """J/K/mol."""

    @property
    def heat_capacity(self) -> np.ndarray:
        """J/K/mol."""


@styled
def bands_and_dos(raw: Phonons, corrected: Sequence[Phonons] = ()) -> Figure:
    """Band structure beside the density of states, on one frequency axis.

    Parameters
    ----------
    raw : Phonons
        Of the model.
    corrected : sequence of Phonons
        None, or the lower bound, the estimate and the upper bound of a correction.
    """
    figure = new_figure(4.4 if corrected else 4.2)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3.4, 1))
    segments = raw.bands.segments
    if corrected:
        low, mid, high = (each.bands.segments for each in corrected)
        for (x, bottom), (_, middle), (_, top) in zip(low, mid, high, strict=True):
            for band in range(middle.shape[1]):
                left.fill_between(x, bottom[:, band], top[:, band], color=ORANGE, alpha=0.16, lw=0)
            left.plot(x, middle, color=ORANGE, lw=1.0, ls="--")
        estimate = corrected[1]
        right.plot(estimate.dos, estimate.dos_frequencies, color=ORANGE, ls="--")
    for distances, frequencies in segments:
        left.plot(distances, frequencies, color=BLUE, lw=1.1)
        left.plot(distances, np.where(frequencies < 0, frequencies, np.nan), color=ALARM, lw=1.6)
    for position, _ in raw.bands.labels:
        left.axvline(position, color=GREY, lw=0.6)
    left.set_xticks([p for p, _ in raw.bands.labels], [name for _, name in raw.bands.labels])
    left.set_xlim(segments[0][0][0], segments[-1][0][-1])
    left.set_ylabel("frequency (THz)")
    left.grid(axis="x", visible=False)
    below = raw.dos_frequencies < 0
    right.fill_betweenx(raw.dos_frequencies, 0, raw.dos, color=BLUE, alpha=0.25, lw=0)
    right.plot(raw.dos, raw.dos_frequencies, color=BLUE)
    if below.any():
        right.plot(raw.dos[below], raw.dos_frequencies[below], color=ALARM, lw=1.6)
    right.set_xlim(left=0)
    right.set_xlabel("states per THz and cell")
    drawn = [f for each in (raw, *corrected) for _, f in each.bands.segments]
    lowest = min(float(f.min()) for f in drawn)
    highest = max(float(f.max()) for f in drawn)
    for ax in (left, right):
        ax.axhline(0, color=GREY, lw=0.8)
        margin = 0.03 * (highest - min(lowest, 0.0)) or 0.1
        ax.set_ylim(lowest - margin if lowest < -margin else 0, highest + margin)
    if corrected:
        _legend(figure)
    return figure


def _legend(figure: Figure) -> None:
    figure.legend(
        handles=[
            Line2D([], [], color=BLUE, label="the model's result"),
            Line2D([], [], color=ORANGE, ls="--", label="estimated correction"),
            Patch(color=ORANGE, alpha=0.25, lw=0, label="its 90 % band"),
        ],
        loc="outside upper right", ncols=3, frameon=False,
    )  # fmt: skip


@styled
def thermal_properties(raw: Phonons, n_atoms: int, corrected: Sequence[Phonons] = ()) -> Figure:
    """Free energy, entropy and heat capacity against temperature.

    Parameters
    ----------
    raw : Phonons
        Of the model.
    n_atoms : int
        Per primitive cell, for the limit of Dulong and Petit.
    corrected : sequence of Phonons
        None, or the lower bound, the estimate and the upper bound of a correction.
    """
    figure = new_figure(2.9 if corrected else 2.6)
    axes = figure.subplots(1, 3)
    for ax, name, label in (
        (axes[0], "free_energy", "free energy (kJ/mol)"),
        (axes[1], "entropy", "entropy (J/K/mol)"),
        (axes[2], "heat_capacity", "heat capacity $C_V$ (J/K/mol)"),
    ):
        if corrected:
            low, mid, high = (getattr(each, name) for each in corrected)
            ax.fill_between(raw.temperatures, low, high, color=ORANGE, alpha=0.25, lw=0)
            ax.plot(raw.temperatures, mid, color=ORANGE, ls="--")
        ax.plot(raw.temperatures, getattr(raw, name), color=BLUE)
        ax.set_xlabel("temperature (K)")
        ax.set_ylabel(label)
    limit = 3 * GAS_CONSTANT * n_atoms
    axes[2].axhline(limit, color=GREY, ls="--", lw=0.9)
    axes[2].annotate(
        "Dulong–Petit", (0.98, limit), xycoords=("axes fraction", "data"), ha="right", va="bottom",
        fontsize=8,
    )  # fmt: skip
    axes[2].set_ylim(0, 1.12 * limit)
    if corrected:
        _legend(figure)
    return figure


@dataclass(frozen=True)
class ResponseBar:
    """One displaced atom, for the figure.

    Attributes
    ----------
    label, symbol : str
        What to call it, and its element.
    values : mapping of str to float
        By the name of the panel.
    """

    label: str
    symbol: str
    values: Mapping[str, float]


_PANELS = (
    ("response", "Platonic response r (1/Å)"),
    ("curvature", "restoring curvature k (eV/Å²)"),
    ("restoring", "k / r (eV/Å)"),
    ("locality", "response share"),
    ("force_share", "force share"),
)


@styled
def displacement_responses(bars: Sequence[ResponseBar]) -> Figure:
    """How each displaced atom responded: one panel a quantity, one bar a displacement.

    Parameters
    ----------
    bars : sequence of ResponseBar
        At least one.
    """
    bars = bars[:40]
    colours = element_colours(bar.symbol for bar in bars)
    figure = Figure(figsize=(WIDTH, 1.1 + 0.24 * len(bars)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(_PANELS), sharey=True))
    rows = np.arange(len(bars))
    for ax, (name, label) in zip(axes, _PANELS, strict=True):
        values = np.array([bar.values[name] for bar in bars])
        ax.barh(rows, values, color=[colours[bar.symbol] for bar in bars], height=0.7)
        for row, value in zip(rows, values, strict=True):
            _number(ax, int(row), float(value))
        ax.set_xlabel(label)
        ax.axvline(0, color=GREY, lw=0.8)
        ax.margins(x=0.28)
        ax.xaxis.set_major_locator(MaxNLocator(3))
        if (values >= 0).all():
            ax.set_xlim(left=0)
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(rows, [bar.label for bar in bars])
    axes[0].set_ylim(len(bars) - 0.5, -0.5)
    return figure


def _number(ax: Axes, row: int, value: float) -> None:
    if not np.isfinite(value):
        return
    ax.annotate(
        f"{value:.3g}", (value, row), xytext=(3 if value >= 0 else -3, 0),
        textcoords="offset points", va="center", ha="left" if value >= 0 else "right", fontsize=8,
        color=ALARM if value < 0 else None,
    )  # fmt: skip


def drawings(result: PhononResult) -> dict[str, Callable[[], Figure | None]]:
    """What draws each figure of a calculation, by file name.

    Parameters
    ----------
    result : PhononResult
    """
    drawn: dict[str, Callable[[], Figure | None]] = {}
    raw = result.spectrum
    corrected = () if result.corrected is None else tuple(result.corrected.spectra.values())
    if raw is not None:
        drawn["bands"] = lambda: bands_and_dos(raw, corrected)
        drawn["thermal"] = lambda: thermal_properties(raw, len(result.phonon.primitive), corrected)
    if result.responses:
        bars = as_bars(list(result.phonon.supercell.symbols), result.responses)
        drawn["responses"] = lambda: displacement_responses(bars)
    return drawn


def as_bars(symbols: Sequence[str], responses: Sequence[SiteResponse]) -> list[ResponseBar]:
    """Bars of site responses.

    Parameters
    ----------
    symbols : sequence of str
        Of the supercell.
    responses : sequence of SiteResponse
    """
    return [
        ResponseBar(
            label=f"{symbols[each.atom]}{each.atom}",
            symbol=symbols[each.atom],
            values={name: float(getattr(each, name)) for name, _ in _PANELS},
        )
        for each in responses
    ]
