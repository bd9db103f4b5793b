"""Charts of what is carried from one model to another: atoms, heads, analogies; and of bias."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ase.data import chemical_symbols

from platonic_ase.compare.chart_parts import estimates, heat_map, ordered_pairs, place, rows_of
from platonic_ase.compare.comparison import Comparison
from platonic_ase.compare.controls import is_control
from platonic_ase.compare.element_plan import element_plan
from platonic_ase.compare.retrieval import COMPOSITION, pooled
from platonic_ase.compare.spaces import SPACES
from platonic_ase.compare.views import Views
from platonic_ase.report.charts import Chart, Trace, numbers, panels, points

SHORT = {
    "platonic": "Platonic",
    "standardised": "Platonic, standardised",
    "procrustes": "raw, fitted map",
    "pca": "raw, own principal components",
    "padded": "raw, padded",
    "gromov": "raw, Gromov–Wasserstein",
}
STYLES = {
    "platonic": ("@0", "circle"),
    "standardised": ("@2", "square"),
    "procrustes": ("@4", "diamond"),
    "pca": ("@muted", "triangle-up"),
    "padded": ("@ink", "triangle-down"),
    "gromov": ("@3", "cross"),
}
PLANNED = ("padded", "platonic", "standardised")
ANSWERED = ("platonic", "standardised", "procrustes")
TICKS = (0, 0.05, 0.2, 0.5, 1)
SIGNIFICANT = 0.05
DIVERGING = [[0, "#542788"], [0.5, "#f7f7f7"], [1, "#b35806"]]
_LOWEST = -0.25  # R² below it is drawn there


def transport(comparison: Comparison) -> Chart | None:
    """Shares of mass that land on the same atom, orbit and element, with their baselines.

    Parameters
    ----------
    comparison : Comparison
    """
    pairs = ordered_pairs(comparison.similarity)
    shown: list[tuple[Sequence[Trace], str, str]] = []
    for label in ("atom", "orbit", "element"):
        drawn: list[Trace] = []
        for n, space in enumerate(SHORT):
            own = [e for e in comparison.transport if (e.space, e.label) == (space, label)]
            if not own:
                continue
            drawn += estimates(
                [e.estimate for e in own],
                [pairs.index((e.a, e.b)) + _beside(n, len(SHORT)) for e in own],
                [f"{e.a} → {e.b}, same {label}" for e in own],
                SHORT[space],
                *STYLES[space],
                first=not shown,
                baselines=space == "platonic",
            )
        if drawn:
            shown.append((drawn, f"share on the same {label}", ""))
    if not shown:
        return None
    for traces, _, _ in shown:
        for trace in traces:
            _rooted(trace)
    x = {
        "tickvals": [math.sqrt(tick) for tick in TICKS],
        "ticktext": [f"{tick:g}" for tick in TICKS],
        "tickangle": 0,
        "range": [-0.03, 1.04],
    }
    return rows_of(shown, [f"{a} → {b}" for a, b in pairs], x=x, row=64, bottom=30, showlegend=True)


def stitching(comparison: Comparison) -> Chart | None:
    """Scores of heads of one model on another, with those on their own model.

    Parameters
    ----------
    comparison : Comparison
    """
    rows = list(dict.fromkeys((e.source, e.target) for e in comparison.stitching))
    shown: list[tuple[Sequence[Trace], str, str]] = []
    shapes = []
    for label in dict.fromkeys(e.label for e in comparison.stitching):
        drawn: list[Trace] = []
        for n, space in enumerate(SPACES):
            own = [e for e in comparison.stitching if (e.space, e.label) == (space, label)]
            colour, symbol = STYLES[space]
            at = [rows.index((e.source, e.target)) + _beside(n, len(SPACES)) for e in own]
            low, high = [max(e.low, _LOWEST) for e in own], [max(e.high, _LOWEST) for e in own]
            value = [max(e.stitched, _LOWEST) for e in own]
            lines = (
                (f"{e.source} → {e.target}, {e.label}", SHORT[space],
                 f"stitched {e.stitched:.2f} ({e.low:.2f} to {e.high:.2f})",
                 f"on its own model {e.own:.2f}", f"best constant {e.chance:.2f}")
                for e in own
            )  # fmt: skip
            bars = {"type": "data", "symmetric": False, "thickness": 1.2, "width": 3}
            bars["array"] = numbers(h - v for h, v in zip(high, value, strict=True))
            bars["arrayminus"] = numbers(v - b for b, v in zip(low, value, strict=True))
            drawn.append(
                points(
                    value, at, colour, symbol=symbol, name=SHORT[space], legendgroup=space,
                    showlegend=not shown, error_x=bars, customdata=[list(each) for each in lines],
                    hovertemplate="<br>".join(f"%{{customdata[{k}]}}" for k in range(5))
                    + "<extra></extra>",
                )
            )  # fmt: skip
            if space == "platonic":
                drawn.append(
                    points(
                        [max(e.own, _LOWEST) for e in own], at, "@alarm", symbol="circle-open",
                        size=9, name="on its own model", legendgroup="own",
                        showlegend=not shown, hoverinfo="text",
                        hovertext=[f"{e.source} on itself: {e.own:.2f}" for e in own],
                    )
                )  # fmt: skip
        chance = max(next(e.chance for e in comparison.stitching if e.label == label), _LOWEST)
        number = place(len(shown))
        shapes.append(
            {"type": "line", "xref": f"x{number}", "yref": f"y{number}", "x0": chance,
             "x1": chance, "y0": -0.5, "y1": len(rows) - 0.5,
             "line": {"color": "@ink", "width": 1, "dash": "dot"}}
        )  # fmt: skip
        shown.append((drawn, label, ""))
    if not shown:
        return None
    labels = [f"{source} → {target}" for source, target in rows]
    return rows_of(
        shown, labels, x={"range": [_LOWEST - 0.05, 1.05]}, row=46, bottom=30, shapes=shapes,
        showlegend=True,
    )  # fmt: skip


def retrieval(comparison: Comparison) -> Chart | None:
    """Heat maps of the mean reciprocal rank, by model of the analogy and model of the answer.

    Parameters
    ----------
    comparison : Comparison
    """
    if not comparison.analogies:
        return None
    names, scores = comparison.models, pooled(comparison.analogies)
    base = scores[COMPOSITION, COMPOSITION, "composition"]["mean_reciprocal_rank"]
    shown: list[tuple[Sequence[Trace], str, str]] = []
    for space in ANSWERED:
        own = "raw" if space == "procrustes" else space
        found = [[scores[a, b, own if a == b else space] for b in names] for a in names]
        values = [[each["mean_reciprocal_rank"] for each in row] for row in found]
        said = [
            [
                [f"{a} → {b}", f"mean reciprocal rank {each['mean_reciprocal_rank']:.3f}",
                 f"right at once {each['hits_at_1']:.2f}, among five {each['hits_at_5']:.2f}",
                 f"composition alone {base:.3f}, "
                 f"chance {each['chance_mean_reciprocal_rank']:.3f}"]
                for b, each in zip(names, row, strict=True)
            ]
            for a, row in zip(names, found, strict=True)
        ]  # fmt: skip
        heat = heat_map(values, [[f"{v:.2f}" for v in row] for row in values], said)
        shown.append(([heat], SHORT[space], ""))
    x = {
        "tickvals": list(range(len(names))), "ticktext": list(names), "tickangle": -35,
        "tickfont": {"size": 10},
    }  # fmt: skip
    return rows_of(shown, names, x=x, bottom=75)


def plan(views: Views, a: str, b: str) -> Chart:
    """Heat maps of where the atoms of each element of one model land in another.

    Parameters
    ----------
    views : Views
    a, b : str
        Models.
    """
    shown: list[tuple[Sequence[Trace], str, str]] = []
    axes: dict[str, Any] = {}
    for k, space in enumerate(PLANNED):
        symbols, shares = element_plan(views, space, a, b)
        said = [
            [[f"{x} → {y}", f"{100 * shares[i, j]:.1f} % of the mass of {x}"]
             for j, y in enumerate(symbols)]
            for i, x in enumerate(symbols)
        ]  # fmt: skip
        heat = heat_map(shares.tolist(), [], said)
        heat.pop("text"), heat.pop("texttemplate")
        shown.append(([heat], SHORT[space], ""))
        ticks = {
            "tickvals": list(range(len(symbols))), "ticktext": symbols, "tickangle": 0,
            "tickfont": {"size": 10 if len(symbols) < 20 else 7}, "showgrid": False,
        }  # fmt: skip
        axes |= {
            f"xaxis{place(k)}": ticks,
            f"yaxis{place(k)}": {**ticks, "range": [len(symbols) - 0.5, -0.5]},
        }
    made = panels(shown, 380, axes=axes)
    made["narrow"]["height"] = 1140
    return made


def bias(comparison: Comparison) -> Chart | None:
    """Excess of the departure of each learned model from the consensus, by element.

    Parameters
    ----------
    comparison : Comparison
    """
    found = {
        (e.model, int(e.label)): e
        for e in comparison.bias
        if e.by == "element" and not is_control(e.model)
    }
    if not found:
        return None
    models = list(dict.fromkeys(model for model, _ in found))
    kinds = sorted({z for _, z in found})
    reach = max(*(abs(e.excess) for e in found.values()), 1e-6)
    said, values, stars = [], [], []
    for model in models:
        cells = [found.get((model, z)) for z in kinds]
        values.append([None if e is None else e.excess for e in cells])
        stars.append(["•" if e is not None and e.q_value < SIGNIFICANT else "" for e in cells])
        said.append(
            [
                [f"{model} on {chemical_symbols[z]}", "not tested"]
                if e is None
                else [
                    f"{model} on {chemical_symbols[z]}",
                    f"excess {e.excess:+.3f}, q = {e.q_value:.2g}",
                ]
                for z, e in zip(kinds, cells, strict=True)
            ]
        )
    heat = heat_map(values, stars, said)
    heat |= {"zmin": -reach, "zmax": reach, "colorscale": DIVERGING}
    heat |= {"showscale": True, "colorbar": {"thickness": 12, "title": {"text": "excess"}}}
    x = {
        "tickvals": list(range(len(kinds))),
        "ticktext": [chemical_symbols[z] for z in kinds],
        "tickangle": 0,
        "tickfont": {"size": 10 if len(kinds) < 40 else 7},
    }
    return rows_of([([heat], "", "")], models, x=x, row=34, bottom=20)


def _beside(k: int, count: int) -> float:
    return 0.66 * (k / max(count - 1, 1) - 0.5)


def _rooted(trace: Trace) -> None:
    """Put a trace on an axis of square roots."""
    values = trace["x"]
    if bars := trace.get("error_x"):
        high = [v + h for v, h in zip(values, bars["array"], strict=True)]
        low = [v - b for v, b in zip(values, bars["arrayminus"], strict=True)]
        bars["array"] = numbers(_root(h) - _root(v) for h, v in zip(high, values, strict=True))
        bars["arrayminus"] = numbers(_root(v) - _root(b) for b, v in zip(low, values, strict=True))
    trace["x"] = numbers(map(_root, values))


def _root(share: float) -> float:
    return math.sqrt(min(max(share, 0.0), 1.0))
