"""Synthetic runs: records as the recorder writes them, with values that tests can predict."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

HEADER: dict[str, Any] = {
    "type": "header",
    "schema": 1,
    "platonic_ase": "0.1.0",
    "started": "2026-01-02T03:04:05+0000",
    "model": {
        "package": "mock",
        "package_version": "1.0",
        "model": "mock-1",
        "fingerprint": "abc123",
        "layer": "last",
        "width": 4,
        "dtype": "float32",
        "settings": {},
    },
    "versions": {"ase": "3.29.0"},
    "anchors": 3,
    "anchors_digest": "0123456789abcdef",
    "centred": False,
    "reference": 4,
    "calibration": {"level": 0.99, "alarm_level": 0.99, "alarm": 1.1},
    "map": {
        "anchors": [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]],
        "reference": [[0.1, 0.1], [0.2, 0.3], [0.5, 0.5], [0.9, 0.1]],
        "reference_numbers": [11, 11, 17, 8],
    },
}
SUMMARY: dict[str, Any] = {
    "type": "summary",
    "ended": "2026-01-02T03:05:05+0000",
    "evaluated": 1,
    "diagnosed": 1,
    "tracks": 1,
    "raised": {},
    "held_back": {},
    "worst": {},
    "switched_off": {},
}


def geometry(index: int, track: int = 0, **entries: Any) -> dict[str, Any]:
    wave = float(np.sin(0.1 * index))
    return {
        "type": "geometry",
        "index": index,
        "track": track,
        "step": index,
        "energy": -10.0 + 0.1 * wave,
        "volume": 90.0,
        "temperature": 300 + 20 * wave,
        "scalars": {
            "extrapolation_score": 0.3 + 0.1 * wave,
            "manifold_distance": 0.2,
            "orbit_splitting": 1e-3,
            "asymmetry": 0.1,
            "net_force": 1e-9,
            "max_force": 1.0,
            "closest_contact": 0.9,
        },
        "series": {"orbit_splitting_by_orbit": [1e-3, 2e-3]},
        "risks": {},
        "map": {"Na": [0.1 + 1e-3 * wave, 0.1], "Cl": [0.5, 0.5 + 1e-3 * wave]},
        "events": [],
        "per_atom": {"manifold_distance": [0.1, 0.2], "extrapolation_score": [0.2, 0.4]},
        **entries,
    }


def event(index: int, kind: str = "contact", track: int = 0, **entries: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "index": index,
        "track": track,
        "value": 0.4,
        "threshold": 0.55,
        "unit": "of the covalent radii",
        "message": "Na0–Cl1 are too close.",
        "advice": "Reduce the time step.",
        "atoms": [0, 1],
        **entries,
    }


def structure(index: int = 0, track: int = 0, **entries: Any) -> dict[str, Any]:
    return {
        "type": "structure",
        "index": index,
        "track": track,
        "step": index,
        "atoms": {
            "numbers": [11, 17],
            "positions": [[0.0, 0.0, 0.0], [2.8, 2.8, 2.8]],
            "cell": [[5.6, 0.0, 0.0], [0.0, 5.6, 0.0], [0.0, 0.0, 5.6]],
            "pbc": [True, True, True],
        },
        "per_atom": {"manifold_distance": [0.1, 0.2], "extrapolation_score": [0.2, 0.4]},
        "flagged": [],
        "facts": {
            "symmetry": {
                "space_group": "Fm-3m (225)",
                "orbits": ["Na (4 atoms)", "Cl (4 atoms)"],
                "limits": {"lindemann_ratio": 0.2},
            },
            "physics": {"limits": {"net_force": 1e-3, "closest_contact": 0.55}},
        },
        **entries,
    }


def lines(*records: dict[str, Any]) -> str:
    """The text of a log: numbers of geometries in lists, after the layouts that name them."""
    return "".join(json.dumps(r, separators=(",", ":")) + "\n" for r in logged(records))


def logged(records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Records as they stand in a log."""
    layouts: dict[str, int] = {}
    for record in records:
        if record.get("type") == "header":
            layouts = {}
        run = {"run": record["run"]} if "run" in record else {}
        if record.get("type") != "geometry" or not {"index", "track"} <= record.keys():
            yield record
            continue
        scalars = record.get("scalars") or {}
        series, points = record.get("series") or {}, record.get("map") or {}
        points = points if isinstance(points, dict) else {}
        risks = record.get("risks") or {}
        said = {name: value for name, value in risks.items() if isinstance(value, str)}
        layout = {
            "scalars": list(scalars),
            "series": {name: len(row) for name, row in series.items()},
            "map": list(points),
            "risks": said,
        }
        key = json.dumps(layout)
        if key not in layouts:
            layouts[key] = len(layouts)
            yield {"type": "layout", **run, "layout": layouts[key], **layout}
        entry = {
            "type": "geometry",
            **run,
            "at": [record["index"], record["track"], record.get("step"), layouts[key]],
            "values": [
                *(record.get(name) for name in ("energy", "volume", "temperature")),
                *scalars.values(),
                *(value for row in series.values() for value in row),
                *(value for point in points.values() for value in point),
            ],
        }
        if len(said) < len(risks):
            entry["risks"] = {k: v for k, v in risks.items() if not isinstance(v, str)}
        for name in ("events", "per_atom"):
            if record.get(name):
                entry[name] = record[name]
        yield entry
