"""The recorder and the annotation, on real atoms with diagnoses made by hand."""

import json

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read, write

from platonic_ase.monitor import Diagnosis, Event, Finding, Signal
from platonic_ase.monitor.annotate import annotate
from platonic_ase.monitor.plane import principal_plane
from platonic_ase.monitor.recorder import Recorder
from platonic_ase.report.columns import read_columns
from platonic_ase.report.reader import read_log
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.identity import ModelIdentity

ANCHORS = AnchorSet(
    embeddings=np.eye(4),
    numbers=np.array([11, 11, 17, 17]),
    identity=ModelIdentity("mock", "1.0", "mock-1", "abc123", "last", 4, "float64", {}),
)
SIGNAL = Signal("contact", 2.0, 0.3, 0.55, "of the radii", "too close.", "Slow down.", (1,))


@pytest.fixture
def atoms():
    return bulk("NaCl", "rocksalt", a=5.6)


def diagnosis(index, track=0, signals=(), raised=True):
    finding = Finding(
        "mock",
        scalars={"extrapolation_score": 0.5},
        per_atom={"manifold_distance": np.array([0.1, 0.2])},
        signals=tuple(signals),
        facts={"limits": {"closest_contact": 0.55}},
    )
    events = tuple(Event(index, track, s) for s in signals) if raised else ()
    return Diagnosis(index, track, {"mock": finding}, events)


def record(recorder, atoms, *diagnoses):
    for made in diagnoses:
        recorder.record(atoms, np.eye(2, 4), {"energy": -1.0}, made, made.index)
    recorder.close({"evaluated": len(diagnoses)})
    return read_log(recorder.log.path)[0]


def test_one_record_a_geometry_and_structures_at_start_events_and_end(tmp_path, atoms):
    recorder = Recorder(tmp_path / "run.jsonl", ANCHORS, None)
    run = record(
        recorder, atoms, *(diagnosis(i, signals=[SIGNAL] if i == 2 else []) for i in range(5))
    )
    assert [g["index"] for g in run.geometries] == [0, 1, 2, 3, 4]
    assert [s["index"] for s in run.structures] == [0, 2, 4]
    assert [s["flagged"] for s in run.structures] == [[], [1], []]
    assert ["facts" in s for s in run.structures] == [True, False, False]
    assert run.structures[0]["facts"] == {"mock": {"limits": {"closest_contact": 0.55}}}
    assert run.summary["evaluated"] == 5
    assert run.header["anchors_digest"] == ANCHORS.digest
    assert run.header["calibration"] == "uncalibrated"


def test_the_last_structure_is_written_once(tmp_path, atoms):
    recorder = Recorder(tmp_path / "run.jsonl", ANCHORS, None)
    run = record(recorder, atoms, diagnosis(0), diagnosis(1, signals=[SIGNAL]))
    assert [s["index"] for s in run.structures] == [0, 1]


def test_a_displaced_copy_is_written_as_what_moved(tmp_path, atoms):
    path = tmp_path / "run.jsonl"
    recorder = Recorder(path, ANCHORS, None)
    displaced, other = atoms.copy(), atoms.copy()
    displaced.positions[1, 0] += 0.01
    other.positions[1, 0] += 0.2  # too far
    for track, each in enumerate((atoms, displaced, other)):
        recorder.record(each, np.eye(2, 4), {}, diagnosis(0, track), None)
    recorder.close({})
    run = read_log(path)[0]
    assert [s["track"] for s in run.structures] == [0, 2]
    assert run.damaged == 0
    (copy,) = [r for r in map(json.loads, path.read_text().splitlines()) if r["type"] == "copy"]
    assert (copy["track"], copy["of"], copy["moved"]) == (1, 0, [1])
    assert copy["positions"] == [pytest.approx(displaced.positions[1])]
    columns = read_columns(path)[0]
    assert [columns.tracks[n].n_atoms for n in range(3)] == [2, 2, 2]
    assert columns.tracks[1].facts == {"mock": {"limits": {"closest_contact": 0.55}}}
    assert columns.damaged == 0


def test_a_geometry_seen_again_is_not_recorded_again(tmp_path, atoms):
    recorder = Recorder(tmp_path / "run.jsonl", ANCHORS, None)
    visits = [diagnosis(i, track) for i in (0, 1, 1, 0, 2) for track in (0, 1)]
    run = record(recorder, atoms, *visits)
    assert [(g["index"], g["track"]) for g in run.geometries] == [
        (i, track) for i in (0, 1, 2) for track in (0, 1)
    ]


def test_the_map_holds_the_mean_of_each_element(tmp_path, atoms):
    recorder = Recorder(tmp_path / "run.jsonl", ANCHORS, None)
    run = record(recorder, atoms, diagnosis(0))
    mean, plane = principal_plane(np.eye(4))
    assert list(run.geometries[0]["map"]) == ["Na", "Cl"]
    for row, symbol in enumerate(("Na", "Cl")):
        expected = (np.eye(4)[row] - mean) @ plane
        np.testing.assert_allclose(run.geometries[0]["map"][symbol], expected, atol=1e-6)


def test_atoms_stand_on_the_map_where_a_structure_is_stored(tmp_path, atoms):
    recorder = Recorder(tmp_path / "run.jsonl", ANCHORS, None)
    run = record(recorder, atoms, *(diagnosis(i) for i in range(4)))
    mean, plane = principal_plane(np.eye(4))
    expected = (np.eye(2, 4) - mean) @ plane
    assert len(run.structures) == 2
    for stored in run.structures:
        places = np.column_stack([stored["per_atom"]["map_x"], stored["per_atom"]["map_y"]])
        np.testing.assert_allclose(places, expected, atol=1e-5)
    assert not any("per_atom" in geometry for geometry in run.geometries)


def test_a_recorder_that_saw_nothing_leaves_the_runs_before_it_alone(tmp_path, atoms):
    path = tmp_path / "run.jsonl"
    killed = Recorder(path, ANCHORS, None)
    killed.record(atoms, np.eye(2, 4), {}, diagnosis(0), 0)
    killed.log.close()
    unused = Recorder(path, ANCHORS, None)
    unused.close({"evaluated": 0})
    (run,) = read_log(path)
    assert run.summary is None


def test_annotations_survive_extxyz(tmp_path, atoms):
    up = diagnosis(3, signals=[SIGNAL], raised=False)  # an alarm that stays up flags as well
    assert annotate(atoms, up) is atoms
    write(tmp_path / "a.xyz", atoms, format="extxyz")
    back = read(tmp_path / "a.xyz")
    np.testing.assert_allclose(back.arrays["platonic_manifold_distance"], [0.1, 0.2])
    np.testing.assert_array_equal(back.arrays["platonic_flagged"], [0, 1])


def test_annotating_twice_replaces(atoms):
    annotate(atoms, diagnosis(0, signals=[SIGNAL]))
    annotate(atoms, diagnosis(1))
    np.testing.assert_array_equal(atoms.arrays["platonic_flagged"], [0, 0])
