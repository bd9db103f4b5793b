import numpy as np
from synthetic import HEADER, SUMMARY, event, geometry, lines, structure

from platonic_ase.report.columns import follow, read_columns
from platonic_ase.report.reader import read_log


def test_a_log_is_read_as_it_grows_also_through_half_a_line(tmp_path):
    path = tmp_path / "run.jsonl"
    follower = follow(path)
    assert not follower.poll()  # not there yet
    records = [HEADER, structure(), *map(geometry, range(5)), SUMMARY]
    text = lines(*records).encode()
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
    follower = follow(path)
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


def test_a_long_track_is_thinned_and_keeps_its_extremes_its_gaps_and_its_ends(write_log):
    n = 70_000
    records = [geometry(0), *(geometry(i, scalars={"x": float(i % 977)}) for i in range(1, n))]
    records[1234]["scalars"]["x"] = 7e3
    records[56_789]["scalars"]["x"] = -7e3
    records[43_210]["scalars"]["x"] = None
    records[33_333]["events"] = [event(33_333)]
    (run,) = read_columns(write_log(HEADER, structure(), *records))
    (track,) = run.series()
    assert run.geometries == n
    assert len(track) < 20_000
    assert (track.x[0], track.x[-1]) == (0, n - 1)
    assert (np.diff(track.x) > 0).all()
    x = track.column("x")
    assert (x[track.x == 1234], x[track.x == 56_789]) == (7e3, -7e3)
    assert np.isnan(x[track.x == 43_210]).all()
    assert np.nanmax(np.diff(track.x)) <= 2 * n / 250  # evenly
    assert track.events[0][0] == 33_333
    assert run.tracks[0].recent("x", 3) == [float(i % 977) for i in range(n - 3, n)]


def test_numbers_that_are_none_are_gaps(write_log):
    layout = {"type": "layout", "layout": 0, "scalars": ["x"], "series": {}, "map": []}
    odd = [
        {"type": "geometry", "at": [i, 0, i, 0], "values": [None, 1.0, 300.0, value]}
        for i, value in enumerate((1.0, "text", [2.0], True))
    ]
    (run,) = read_columns(write_log(HEADER, {**layout, "risks": {}}, *odd))
    (track,) = run.series()
    np.testing.assert_array_equal(track.column("x"), [1.0, np.nan, np.nan, 1.0])
