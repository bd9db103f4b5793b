import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import HEADER, event, geometry, structure

from platonic_ase.report.columns import read_columns
from platonic_ase.report.tracks import TrackSeries, choose_tracks, envelope


def tracks_of(path):
    return read_columns(path)[0].series()


def test_columns_paths_orbits_and_facts(write_log):
    records = [geometry(i, events=[event(i)] if i == 2 else []) for i in range(4)]
    (track,) = tracks_of(write_log(HEADER, structure(), *records))
    np.testing.assert_array_equal(track.x, range(4))
    assert track.x_label == "step"
    np.testing.assert_array_equal(track.column("asymmetry"), [0.1] * 4)
    assert list(track.orbits) == ["Na (4 atoms)", "Cl (4 atoms)"]
    assert track.paths["Cl"].shape == (4, 2)
    assert track.events == ((2.0, records[2]["events"][0]),)
    assert (track.limit("closest_contact"), track.limit("unheard_of")) == (0.55, None)
    assert track.n_atoms == 2


def test_what_is_missing_is_nan(write_log):
    bare = {"type": "geometry", "index": 1, "track": 0}
    broken = geometry(2, energy=None, scalars={"asymmetry": None}, map=[1.0, 2.0], step=None)
    (track,) = tracks_of(write_log(HEADER, geometry(0), bare, broken))
    np.testing.assert_array_equal(track.column("asymmetry"), [0.1, np.nan, np.nan])
    np.testing.assert_array_equal(np.isnan(track.paths["Na"][:, 0]), [False, True, True])
    assert np.isnan(track.column("never")).all()
    assert (track.x_label, track.n_atoms) == ("geometry", None)
    assert list(track.orbits) == ["orbit 1", "orbit 2"]


def test_orbits_of_one_name_are_told_apart(write_log):
    facts = {"symmetry": {"orbits": ["O (8 atoms)", "O (8 atoms)"]}}
    (track,) = tracks_of(write_log(HEADER, structure(facts=facts), geometry(0)))
    assert list(track.orbits) == ["O (8 atoms) a", "O (8 atoms) b"]


@pytest.mark.parametrize(
    ("steps", "indices", "label", "x"),
    [
        ((0, 1, 0), (0, 1, 2), "geometry", (0, 1, 2)),  # a second integrator
        ((0, 1, 1), (0, 1, 2), "step", (0, 1, 1)),
        ((None, 1, 2), (0, 3, 1), "geometry", (0, 1, 2)),  # a line search
    ],
)
def test_time_never_runs_backwards(write_log, steps, indices, label, x):
    records = [geometry(i, step=s) for i, s in zip(indices, steps, strict=True)]
    (track,) = tracks_of(write_log(HEADER, *records))
    assert track.x_label == label
    np.testing.assert_array_equal(track.x, x)


def test_of_many_tracks_the_worst_are_chosen(write_log):
    records = [
        geometry(i, track, scalars={"extrapolation_score": float(track % 7)})
        for track in range(20)
        for i in range(2)
    ]
    records[1]["events"] = [event(1)]
    chosen, remark = choose_tracks(tracks_of(write_log(HEADER, *records)), most=3)
    assert [track.number for track in chosen] == [0, 6, 13]
    assert "3 of 20 tracks" in remark


def test_many_structures_of_one_geometry_become_one_row(write_log):
    records = [r for t in range(20) for r in (geometry(0, t, energy=-2.0 * t), structure(0, t))]
    (row,), remark = choose_tracks(tracks_of(write_log(HEADER, *records)))
    assert (row.x_label, remark) == ("structure", None)
    np.testing.assert_array_equal(row.column("energy"), -np.arange(20.0))  # per atom


@given(
    values=st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), min_size=1, max_size=400),
    bins=st.integers(1, 30),
)
def test_the_envelope_keeps_extremes_gaps_and_ends(values, bins):
    values = np.array(values)
    kept = envelope(values, bins)
    assert len(kept) <= max(4 * bins, 3 * bins + 2)
    assert (np.diff(kept) > 0).all()
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    thinned = values[kept]
    if np.isfinite(values).any():
        assert np.nanmax(thinned) == np.nanmax(values)
        assert np.nanmin(thinned) == np.nanmin(values)
    assert np.isnan(thinned).any() == np.isnan(values).any()


def test_a_line_joins_what_was_computed_and_breaks_where_nothing_was():
    values = np.full(60, np.nan)
    values[[0, 1, 10, 20, 50]] = 1.0
    index = np.arange(60.0)
    track = TrackSeries(0, index, "step", index=index)
    assert track.computed(values).tolist() == [0, 1, 10, 20, 21, 50]
    assert track.computed(np.ones(60)).tolist() == list(range(60))
    assert len(track.computed(np.full(60, np.nan))) == 60
