"""Charts of a phonon calculation for its page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.constants import R as GAS_CONSTANT

from platonic_ase.phonons.sites import SiteResponse
from platonic_ase.phonons.spectrum import Spectrum
from platonic_ase.report.charts import Chart, Trace, axis, chart, line, numbers, panels

_RESPONSES = (
    ("response", "Platonic response r (1/Å)"),
    ("curvature", "restoring curvature k (eV/Å²)"),
    ("force_share", "force share"),
)
_MOST_RESPONSES = 40
_MODEL, _CORRECTED, _BAND = "the model's result", "estimated correction", "its 90 % band"
_FILL = "rgba(230,159,0,0.22)"  # of the palette's orange


def bands_and_dos(raw: Spectrum, corrected: Sequence[Spectrum] = ()) -> Chart:
    """Band structure beside the density of states, on one frequency axis.

    Parameters
    ----------
    raw : Spectrum
        Of the model.
    corrected : sequence of Spectrum
        None, or the lower bound, the estimate and the upper bound of a correction.
    """
    traces: list[Trace] = []
    if corrected:
        mid = _joined(corrected[1])
        traces.append(_between(corrected[0], corrected[2]))
        for band in range(mid[1].shape[1]):
            named = {"name": _CORRECTED} if band == 0 else {}
            traces.append(line(mid[0], mid[1][:, band], "@4", dash="dash", width=1.2, hoverinfo="y",
                               legendgroup="corrected", **named))  # fmt: skip
        estimate = corrected[1]
        dos = line(estimate.dos, estimate.dos_frequencies, "@4", dash="dash", hoverinfo="skip")
        traces.append({**dos, "xaxis": "x2"})
    x, y = _joined(raw)
    for band in range(y.shape[1]):
        named = {"name": _MODEL} if band == 0 else {}
        hover = "%{y:.2f} THz<extra></extra>"
        traces.append(
            line(x, y[:, band], "@blue", width=1.5, legendgroup="raw", hovertemplate=hover, **named)
        )
    for count, column in enumerate(np.flatnonzero((y < 0).any(axis=0))):
        named = {"name": "imaginary"} if count == 0 else {}
        below = np.where(y[:, column] < 0, y[:, column], np.nan)
        traces.append(
            line(x, below, "@alarm", width=2.2, hoverinfo="skip", legendgroup="below", **named)
        )
    dos = line(raw.dos, raw.dos_frequencies, "@blue", fill="tozerox", hoverinfo="y")
    traces.append({**dos, "xaxis": "x2", "fillcolor": "rgba(0,114,178,0.2)"})
    places = [p for p, _ in raw.bands.labels]
    shapes = [
        {"type": "line", "xref": "x", "x0": p, "x1": p, "yref": "paper", "y0": 0, "y1": 1,
         "line": {"color": "@line", "width": 1}}
        for p in places
    ]  # fmt: skip
    first = axis(
        tickvals=places,
        ticktext=[name for _, name in raw.bands.labels],
        showgrid=False,
        range=[places[0], places[-1]],
        domain=[0, 0.77],
        automargin=False,
    )
    second = axis("states / THz", domain=[0.81, 1], rangemode="tozero", nticks=3)
    return chart(
        traces,
        470,
        narrow={"height": 400, "xaxis2": {**second, "domain": [0.8, 1], "title": {"text": ""}}},
        xaxis=first,
        xaxis2=second,
        yaxis=axis("frequency (THz)", zeroline=True, range=_reach(raw, corrected)),
        shapes=shapes,
    )


def thermal_properties(raw: Spectrum, n_atoms: int, corrected: Sequence[Spectrum] = ()) -> Chart:
    """Free energy, entropy and heat capacity against temperature.

    Parameters
    ----------
    raw : Spectrum
        Of the model.
    n_atoms : int
        Per primitive cell, for the limit of Dulong and Petit.
    corrected : sequence of Spectrum
        None, or the lower bound, the estimate and the upper bound of a correction.
    """
    limit = 3 * GAS_CONSTANT * n_atoms
    shown = []
    for k, (name, title) in enumerate(
        (
            ("free_energy", "free energy (kJ/mol)"),
            ("entropy", "entropy (J/K/mol)"),
            ("heat_capacity", "heat capacity (J/K/mol)"),
        )
    ):
        traces: list[Trace] = []
        if corrected:
            low, mid, high = (getattr(each, name) for each in corrected)
            traces += [
                line(raw.temperatures, low, _FILL, width=0, hoverinfo="skip"),
                line(raw.temperatures, high, _FILL, width=0, hoverinfo="skip", fill="tonexty",
                     fillcolor=_FILL, **({"name": _BAND} if k == 0 else {})),
                line(raw.temperatures, mid, "@4", dash="dash",
                     **({"name": _CORRECTED} if k == 0 else {})),
            ]  # fmt: skip
        named = {"name": _MODEL} if corrected and k == 0 else {}
        traces.append(line(raw.temperatures, getattr(raw, name), "@blue", **named))
        if name == "heat_capacity":
            ends = raw.temperatures[[0, -1]]
            dulong = line(ends, [limit, limit], "@muted", dash="dot", hoverinfo="text",
                          text=["Dulong–Petit"] * 2)  # fmt: skip
            traces.append(dulong)
        shown.append((traces, "temperature (K)", title))
    return panels(shown, 330)


def displacement_responses(symbols: Sequence[str], responses: Sequence[SiteResponse]) -> Chart:
    """How each displaced atom responded: one panel a quantity, one bar a displacement.

    Parameters
    ----------
    symbols : sequence of str
        Of the supercell.
    responses : sequence of SiteResponse
        At least one.
    """
    responses = responses[:_MOST_RESPONSES]
    rows = list(range(len(responses)))
    labels = [f"{symbols[each.atom]}{each.atom}" for each in responses]
    axes: dict[str, Any] = {}
    shown = []
    for k, (name, title) in enumerate(_RESPONSES):
        values = [float(getattr(each, name)) for each in responses]
        bars = {
            "type": "bar",
            "orientation": "h",
            "x": numbers(values, 4),
            "y": rows,
            "text": [f"{label}: {value:.3g}" for label, value in zip(labels, values, strict=True)],
            "textposition": "none",
            "hoverinfo": "text",
            "marker": {"color": ["@alarm" if value < 0 else "@blue" for value in values]},
        }
        number = "" if k == 0 else str(k + 1)
        axes[f"yaxis{number}"] = {
            "tickvals": rows,
            "ticktext": labels,
            "range": [len(rows) - 0.5, -0.5],
            "showgrid": False,
        }
        axes[f"xaxis{number}"] = {"zeroline": True, "nticks": 5}
        shown.append(([bars], title, ""))
    height = 120 + 22 * len(rows)
    made = panels(shown, height, axes=axes)
    made["narrow"]["height"] = 3 * (100 + 16 * len(rows))
    return made


def _reach(raw: Spectrum, corrected: Sequence[Spectrum]) -> list[float]:
    """From zero, or the lowest imaginary frequency, to the highest."""
    drawn = [f for each in (raw, *corrected) for _, f in each.bands.segments]
    lowest = min(0.0, *(float(f.min()) for f in drawn))
    highest = max(float(f.max()) for f in drawn)
    margin = 0.03 * (highest - lowest) or 0.1
    return [lowest - margin if lowest < -margin else 0.0, highest + margin]


def _between(low: Spectrum, high: Spectrum) -> Trace:
    """The area between the bands of two spectra: closed outlines, one a band and segment."""
    x: list[np.ndarray] = []
    y: list[np.ndarray] = []
    for (distances, below), (_, above) in zip(low.bands.segments, high.bands.segments, strict=True):
        for band in range(below.shape[1]):
            x += [distances, distances[::-1], np.array([np.nan])]
            y += [below[:, band], above[::-1, band], np.array([np.nan])]
    outline = line(np.concatenate(x), np.concatenate(y), _FILL, width=0, hoverinfo="skip")
    return {**outline, "fill": "toself", "fillcolor": _FILL, "name": _BAND, "showlegend": True}


def _joined(spectrum: Spectrum) -> tuple[np.ndarray, np.ndarray]:
    """Distances, shape (n,), and frequencies, shape (n, n_bands), with gaps between segments."""
    bands = spectrum.bands.segments[0][1].shape[1]
    x: list[np.ndarray] = []
    y: list[np.ndarray] = []
    for distances, frequencies in spectrum.bands.segments:
        x += [distances, np.array([np.nan])]
        y += [frequencies, np.full((1, bands), np.nan)]
    return np.concatenate(x[:-1]), np.concatenate(y[:-1])
