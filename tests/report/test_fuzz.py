"""Mutated logs: a report or a sentence, never a traceback, and never for long."""

import copy
import json
import warnings

import numpy as np
import pytest
from bounded import Slow, bounded
from synthetic import HEADER, SUMMARY, event, geometry, logged, structure

from platonic_ase.errors import LogError
from platonic_ase.report.reader import read_log
from platonic_ase.report.report import write_report

LOGS = 1000
NESTED = "[" * 100_000
VALUES = (
    None, True, False, -1, 0, 10**18, 10**400, 1e308, -1e308, "x", "", "$\\frac{$", "</script>",
    "\x00", "Xx", [], {}, [[]], [None], {"a": {"b": []}}, [1e308, -1e308], ["$x$"], {"$\\a": 1e308},
)  # fmt: skip
BYTES = (b"\x00" * 50, b"\xff\xfe\n", b'{"type":', NESTED.encode(), b'"\\ud800"', b"\n\n\r\n")


def whole():
    """All kinds of records."""
    laws = [{"name": "one", "holds": True, "meaning": "m"}]
    departures = [{"law": "one", "label": "l", "value": 1.0, "rounding": 0.1, "unit": "",
                   "holds": True}]  # fmt: skip
    return [
        copy.deepcopy(HEADER),
        {"type": "audit", "model": "m", "structure": "s", "laws": laws, "departures": departures},
        *(geometry(k) for k in range(4)),
        structure(0),
        geometry(4, events=[event(4)]),
        structure(4, flagged=[0, 1]),
        geometry(0, track=1),
        structure(0, track=1),
        {"type": "event", **event(4)},
        {"type": "provenance", "provenance": {"seed": 1}},
        copy.deepcopy(SUMMARY),
    ]


def places(value, path=()):
    """Paths to everything inside a record."""
    items = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list)
        else ()
    )  # fmt: skip
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def planted(record, path, value):
    inside = record
    for key in path[:-1]:
        inside = inside[key]
    if isinstance(value, type(Ellipsis)):
        del inside[path[-1]]
    else:
        inside[path[-1]] = value


def mutated(rng):
    """The bytes of a log of which something is wrong."""
    records = list(logged(whole()))
    for _ in range(int(rng.integers(1, 5))):
        record = records[rng.integers(len(records))]
        where = list(places(record))
        if where:
            value = (*VALUES, ...)[rng.integers(len(VALUES) + 1)]
            planted(record, where[rng.integers(len(where))], copy.deepcopy(value))
    text = [json.dumps(record).encode() for record in records]
    if rng.random() < 0.3:
        text.insert(int(rng.integers(1, len(text))), BYTES[rng.integers(len(BYTES))])
    data = bytearray(b"\n".join(text))
    if rng.random() < 0.2:
        for _ in range(5):
            data[rng.integers(len(data))] = rng.integers(256)
    return bytes(data[: rng.integers(len(data))]) if rng.random() < 0.1 else bytes(data)


def survives(path, data):
    """Whether there was a report; its text is UTF-8 either way."""
    path.write_bytes(data)
    html = path.with_suffix(".html")
    html.unlink(missing_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read_log(path)
            write_report(path, html)
        except LogError:
            return False
    assert html.read_text(encoding="utf-8").rstrip().endswith("</html>")
    return True


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        (0, ("model", "model"), "$\\frac{$"),
        (0, ("map", "reference"), [[1e308, -1e308]] * 4),
        (0, ("calibration",), {"alarm": "high"}),
        (0, ("versions",), [1]),
        (2, ("scalars", 0), "\ud800"),
        (2, ("map", 0), "Xx"),
        (3, ("values", 3), 1e308),
        (3, ("at", 0), 1e308),
        (4, ("at", 1), None),
    ],
)
def test_what_was_seen_failing(kind, path, value, tmp_path):
    records = list(logged(whole()))
    planted(records[kind], path, value)
    survives(tmp_path / "run.jsonl", b"\n".join(json.dumps(r).encode() for r in records))


def test_a_lone_surrogate_reaches_no_report_as_one(tmp_path):
    records = list(logged(whole()))
    text = "\n".join(json.dumps(record) for record in records)
    assert survives(tmp_path / "run.jsonl", text.replace("Na0", "\\ud800").encode())


@pytest.mark.slow
def test_mutated_logs_are_reported_or_refused(tmp_path):
    rng = np.random.default_rng(0)
    reported = 0
    for k in range(LOGS):
        data = mutated(rng)
        try:
            with bounded():
                reported += survives(tmp_path / "run.jsonl", data)
        except (Exception, Slow) as error:
            (tmp_path / f"{k}.jsonl").write_bytes(data)
            raise AssertionError(f"log {k}: {type(error).__name__}: {error}") from error
    assert LOGS / 4 < reported < LOGS
