import json

import numpy as np
from synthetic import HEADER, SUMMARY, event, geometry, structure

from platonic_ase.report.follow import LogFollower, read_columns
from platonic_ase.report.reader import read_log


def test_a_log_is_read_as_it_grows_also_through_half_a_line(tmp_path):
    path = tmp_path / "run.jsonl"
    follower = LogFollower(path)
    assert not follower.poll()  # not there yet
    records = [HEADER, structure(), *map(geometry, range(5)), SUMMARY]
    text = "".join(json.dumps(record) + "\n" for record in records).encode()
    for end in range(0, len(text), 331):
        path.write_bytes(text[:end])
        follower.poll()
    path.write_bytes(text)
    assert follower.poll()
    assert not follower.poll()
    (run,) = follower.runs
    assert (run.geometries, run.damaged) == (5, 0)
    assert run.summary is not None
    np.testing.assert_array_equal(run.series()[0].x, range(5))


def test_a_log_that_was_replaced_is_read_anew(write_log):
    path = write_log(HEADER, *map(geometry, range(9)))
    follower = LogFollower(path)
    follower.poll()
    write_log(HEADER, geometry(0))
    assert follower.poll()
    assert [run.geometries for run in follower.runs] == [1]


def test_columns_hold_what_the_records_hold(write_log):
    records = [geometry(i, events=[event(i)] if i == 3 else []) for i in range(6)]
    path = write_log(HEADER, structure(), *records, SUMMARY)
    (columns,), (whole,) = read_columns(path), read_log(path)
    (track,) = columns.series()
    for name in records[0]["scalars"]:
        expected = [record["scalars"][name] for record in whole.geometries]
        np.testing.assert_array_equal(track.column(name), expected)
    assert columns.events == whole.events


def test_structures_of_a_long_run_are_thinned_and_first_and_last_stay(write_log):
    path = write_log(HEADER, *(structure(i) for i in range(1000)))
    kept = [record["index"] for record in read_columns(path)[0].structures]
    assert (kept[0], kept[-1]) == (0, 999)
    assert len(kept) <= 240
