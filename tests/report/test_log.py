import gc
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import HEADER, SUMMARY, geometry, structure

from platonic_ase.errors import LogError, RecordingWarning
from platonic_ase.monitor.log import RunLog, header_record, to_json
from platonic_ase.report.reader import read_log


def test_what_is_written_is_read_back(tmp_path):
    log = RunLog(tmp_path / "new" / "run.jsonl")
    log.write("header", header_record(anchors=3))
    names = {"scalars": ["a", "b"], "series": {"s": 2}, "map": ["Cu"], "risks": {"r": "unknown"}}
    log.write("layout", {"layout": 0, **names})
    values = np.array([-1.0, 9.0, np.nan, 1.5, np.nan, 3.0, 4.0, 0.1, 0.2])
    log.write("geometry", {"at": [0, 0, 7, 0], "values": values})
    log.write("structure", {"index": 0, "track": 0, "atoms": {}})
    log.write("summary", {"evaluated": np.int64(1)})
    log.close()
    (run,) = read_log(log.path)
    assert run.header["anchors"] == 3
    assert run.geometries == [
        {
            "index": 0,
            "track": 0,
            "step": 7,
            "energy": -1.0,
            "volume": 9.0,
            "scalars": {"a": 1.5, "b": None},
            "series": {"s": [3.0, 4.0]},
            "map": {"Cu": [0.1, 0.2]},
            "risks": {"r": "unknown"},
            "events": [],
        }
    ]
    assert len(run.structures) == 1
    assert run.summary == {"evaluated": 1}
    assert run.damaged == 0


def test_values_that_json_lacks_become_none():
    value = {"a": (math.inf, np.float32("nan")), "b": np.bool_(True), 3: np.arange(2)}
    assert to_json(value) == {"a": [None, None], "b": True, "3": [0, 1]}


def test_every_record_is_on_disk_before_the_next(tmp_path):
    log = RunLog(tmp_path / "run.jsonl")
    for n in range(3):
        log.write("header", header_record(n=n))
        assert len(log.path.read_text().splitlines()) == n + 1
    log.close()


@pytest.mark.parametrize("cut", [1, 2, 20, 200])
def test_a_run_killed_in_the_middle_of_a_line(write_log, cut):
    path = write_log(HEADER, *(geometry(i) for i in range(5)), cut=cut)
    (run,) = read_log(path)
    whole = cut == 1  # only the newline is missing
    assert len(run.geometries) == (5 if whole else 4)
    assert run.damaged == (0 if whole else 1)
    assert run.summary is None


def test_the_next_run_starts_on_a_line_of_its_own(write_log):
    path = write_log(HEADER, geometry(0), geometry(1), cut=30)
    log = RunLog(path)
    log.write("header", header_record(second=True))
    log.close()
    first, second = read_log(path)
    assert (len(first.geometries), first.damaged) == (1, 1)
    assert second.header["second"]
    assert second.damaged == 0


def test_records_that_lost_their_keys_are_damaged(write_log):
    path = write_log(HEADER, {"type": "geometry"}, {"type": "other"}, {"no": "type"}, geometry(0))
    (run,) = read_log(path)
    assert (len(run.geometries), run.damaged) == (1, 3)


@pytest.mark.parametrize(
    "broken",
    [
        {"at": [0, 0, 0, 1], "values": [1.0, 2.0, 3.0]},  # of a layout that is not there
        {"at": [0, 0, 0, 0], "values": [1.0]},
        {"at": [0, [], 0, 0], "values": [1.0, 2.0, 3.0]},
        {"at": [0], "values": [1.0, 2.0, 3.0]},
        {"at": [0, 0, 0, 0]},
    ],
)
def test_a_geometry_without_its_layout_is_damaged(write_log, broken):
    layout = {"type": "layout", "layout": 0, "scalars": [], "series": {}, "map": [], "risks": {}}
    path = write_log(HEADER, layout, {"type": "geometry", **broken})
    (run,) = read_log(path)
    assert (len(run.geometries), run.damaged) == (0, 1)


@pytest.mark.parametrize("text", ["", "not a log\n", '{"type": "geometry"}\n', "\x00\xff\n"])
def test_a_file_without_a_run_is_refused(tmp_path, text):
    path = tmp_path / "run.jsonl"
    path.write_text(text)
    with pytest.raises(LogError, match="holds no run"):
        read_log(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(LogError, match="cannot read"):
        read_log(tmp_path / "none.jsonl")


def test_another_schema_is_refused_with_both_numbers(write_log):
    with pytest.raises(LogError, match=r"schema 99; .* reads 1"):
        read_log(write_log({**HEADER, "schema": 99}))


def test_events_of_all_geometries_in_order(write_log):
    records = [geometry(i, events=[{"kind": str(i)}] if i else None) for i in range(3)]
    (run,) = read_log(write_log(HEADER, *records, structure(), SUMMARY))
    assert [event["kind"] for event in run.events] == ["1", "2"]


def _says_it_once(log_path: Path) -> RunLog:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        log = RunLog(log_path)
        for n in range(3):
            log.write("geometry", {"index": n})
        log.close()
        gc.collect()  # no stream is left that complains of what it could not write
    (warning,) = caught
    assert warning.category is RecordingWarning
    assert "the run goes on without it" in str(warning.message)
    assert log.failure is not None
    return log


def test_a_path_that_cannot_be_written_is_said_once_and_the_run_goes_on(tmp_path):
    (tmp_path / "file").write_text("")
    _says_it_once(tmp_path / "file" / "run.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_once_and_the_run_goes_on():
    _says_it_once(Path("/dev/full"))


def test_numbers_keep_seven_digits():
    assert json.dumps(to_json(1 / 3)) == "0.3333333"
    assert to_json(np.float64(1e-30)) == 1e-30


@given(
    shape=st.sampled_from([(), (0,), (5,), (3, 0), (2, 3), (2, 3, 4)]),
    kind=st.sampled_from(["float32", "float64", "int32", "bool"]),
    seed=st.integers(0, 99),
)
def test_arrays_are_written_as_their_numbers_are(shape, kind, seed):
    rng = np.random.default_rng(seed)
    array = np.asarray(rng.normal(scale=10.0 ** rng.integers(-9, 9), size=shape)).astype(kind)
    if array.size and array.dtype.kind == "f":
        array.flat[0] = np.nan
    assert to_json(array) == to_json(array.tolist())
