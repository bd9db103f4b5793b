import json
import math
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from pages import check_sheet
from synthetic import HEADER, SUMMARY, event, geometry, lines, structure

from platonic_ase.errors import LogError
from platonic_ase.report.report import write_report

PANELS = 8  # of the time lines of a synthetic run


def report(path, **options):
    return write_report(path, path.with_suffix(".html"), **options).read_text(encoding="utf-8")


def check_page(text, panels):
    """Return what the page of a run draws."""
    scene = check_sheet(text)
    assert len(scene["lines"]) == panels
    return scene


def test_a_quiet_run(write_log):
    text = report(write_log(HEADER, geometry(0), structure(), *map(geometry, range(1, 9)), SUMMARY))
    check_page(text, PANELS)
    for said in ("Quiet", "No warning in 9 geometries", "mock-1", "abc123", "99 %", "Fm-3m (225)"):
        assert said in text
    assert "uncalibrated" not in text.lower()
    assert "killed" not in text


def test_a_run_with_events(write_log):
    records = [geometry(i) for i in range(9)]
    records[4]["events"] = [event(4), event(4, "extrapolation", message="far", atoms=[])]
    flagged = structure(4, flagged=[0, 1])
    text = report(write_log(HEADER, geometry(0), structure(), *records[1:], flagged, SUMMARY))
    check_page(text, PANELS)
    assert "Warnings: contact, extrapolation" in text
    assert "First at geometry 4: Na0–Cl1 are too close." in text
    assert "0.55" in text
    assert "Reduce the time step." in text
    assert "flagged" in text


def test_atoms_are_drawn_on_the_map_where_the_log_has_their_places(write_log):
    places = {"map_x": [0.1, 0.2], "map_y": [0.3, 0.4]}
    stored = structure(per_atom={**structure()["per_atom"], **places})
    scene = check_page(report(write_log(HEADER, stored, geometry(0), SUMMARY)), PANELS)
    assert scene["axes"] == {"x": "map_x", "y": "map_y"}
    assert scene["chemiscope"]["properties"]["map_x"]["values"] == places["map_x"]


def test_hundreds_of_events_are_grouped_by_kind(write_log):
    records = [geometry(i, events=[event(i, value=0.5 - 1e-3 * i)]) for i in range(300)]
    text = report(write_log(HEADER, structure(), *records, SUMMARY))
    check_page(text, PANELS)
    assert "contact ×300" in text
    assert "the first 200 one by one" in text
    assert "0.201" in text  # the worst of them: contacts alarm below their threshold
    assert text.split("<script")[0].count("Na0–Cl1") <= 203


def test_a_killed_run_with_damage(write_log):
    text = report(write_log(HEADER, structure(), geometry(0), geometry(1), geometry(2), cut=40))
    check_page(text, PANELS)
    assert "the run was killed, or is still going" in text
    assert "1 line of the log could not be read" in text


def test_an_empty_run(write_log):
    text = report(write_log(HEADER))
    check_page(text, 0)
    assert "Empty run" in text


def test_an_uncalibrated_run(write_log):
    bare = {**HEADER, "calibration": "uncalibrated", "reference": None}
    scalars = {"orbit_splitting": 1e-3, "asymmetry": 0.0, "closest_contact": None}
    records = [
        geometry(i, scalars=scalars, per_atom={}, risks={"extrapolation": "uncalibrated"})
        for i in range(3)
    ]
    text = report(write_log(bare, structure(per_atom={}), *records, SUMMARY))
    check_page(text, 4)
    assert "Uncalibrated: there is no reference" in text


@pytest.mark.parametrize("moving", [True, False])
def test_the_false_alarm_rate_of_molecular_dynamics_is_stated(write_log, moving):
    facts = {"symmetry": {"limits": {"symmetry_evidence": -math.log10(0.005)}}}
    scalars = {"orbit_splitting": 1e-3, **({"symmetry_evidence": 0.4} if moving else {})}
    records = [geometry(i, scalars=scalars) for i in range(3)]
    text = report(write_log(HEADER, structure(facts=facts), *records, SUMMARY))
    assert ("at most 0.5 % ever pass" in text) == moving


def test_missing_and_broken_values(write_log):
    nothing = geometry(1, energy=None, scalars={}, series={}, map=None, events=None, per_atom=None)
    positions = [[None, 0.0, 0.0], [1.0, 1.0, 1.0]]
    broken = structure(2, atoms={**structure()["atoms"], "positions": positions})
    lean = {"type": "header", "schema": 1}
    odd = event(2, value=None, threshold=None, atoms=None, message=None)
    text = report(write_log(lean, geometry(0), nothing, geometry(2, events=[odd]), broken))
    assert check_page(text, PANELS)["chemiscope"] is None


def test_a_single_geometry(write_log):
    check_page(report(write_log(HEADER, geometry(0), structure(), SUMMARY)), PANELS)


@pytest.mark.parametrize(("tracks", "each"), [(5, 4), (30, 2), (30, 1)])
def test_several_tracks(write_log, tracks, each):
    records = [structure(0, t) for t in range(tracks)]
    records += [geometry(i, t) for i in range(each) for t in range(tracks)]
    text = report(write_log(HEADER, *records, SUMMARY))
    scene = check_page(text, PANELS)
    assert (scene["map"] is None) == (each == 1)  # structures in a row have no path
    assert {4 in {line["track"] for line in scene["lines"][0]["lines"]}} == {each > 1}
    assert ("6 of 30 tracks" in text) == (tracks == 30 and each == 2)


def test_text_from_the_log_is_escaped(write_log):
    nasty = "<script>alert('&\"')</script>"
    head = {**HEADER, "model": {**HEADER["model"], "model": nasty, "settings": {nasty: nasty}}}
    facts = {"symmetry": {"space_group": nasty, "orbits": [nasty, "<b>"]}}
    happened = event(0, nasty, message=nasty, advice=nasty, unit=nasty)
    summary = {**SUMMARY, "switched_off": {nasty: nasty}, "held_back": {nasty: 3}}
    records = [geometry(i, risks={nasty: nasty}, events=[happened]) for i in range(2)]
    text = report(write_log(head, structure(facts=facts), *records, summary))
    check_page(text, PANELS)


def test_the_last_run_of_a_log_by_default(write_log):
    second = {**HEADER, "model": {"model": "second"}}
    path = write_log(HEADER, geometry(0), SUMMARY, second, geometry(0), geometry(1), SUMMARY)
    assert "second" in report(path)
    assert "2 of 2" in report(path)
    assert "mock-1" in report(path, run=0)
    with pytest.raises(LogError, match="has no run 2: it holds 2"):
        report(path, run=2)


def test_a_report_that_cannot_be_written_leaves_the_old_one(write_log, tmp_path):
    path = write_log(HEADER, geometry(0), SUMMARY)
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match="cannot write the report"):
        write_report(path, tmp_path / "file" / "run.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(LogError, match="cannot write the report"):
        write_report(path, tmp_path / "folder")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder", "run.jsonl"]


def test_the_same_log_gives_the_same_report(write_log):
    path = write_log(HEADER, structure(), geometry(0), geometry(1), SUMMARY)
    assert report(path) == report(path)


@pytest.mark.slow
def test_a_long_run_gives_a_small_report_in_little_memory(tmp_path):
    def made(n):
        path = tmp_path / f"{n}.jsonl"
        records = [
            geometry(i, events=[event(i)] if i % 100 == 0 else None, per_atom=None)
            for i in range(n)
        ]
        records[n // 3]["scalars"]["extrapolation_score"] = 7.5
        path.write_text(lines(HEADER, structure(), *records, SUMMARY))
        del records
        tracemalloc.start()
        text = report(path)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        scene = check_page(text, PANELS)
        (score,) = scene["lines"][0]["lines"]
        assert max(score["y"]) == 7.5
        assert f"{n:,d}" in text
        return len(text), most

    made(1000)  # what is read once
    (short_page, short_memory), (long_page, long_memory) = made(40_000), made(160_000)
    assert long_page < 1.5 * short_page
    assert long_memory < 2 * short_memory


def test_no_pyplot_and_no_change_of_settings(write_log):
    path = write_log(HEADER, structure(), geometry(0), geometry(1), SUMMARY)
    code = (
        "import sys, matplotlib\n"
        "before = matplotlib.rcParams.copy()\n"
        "from platonic_ase.report.report import write_report\n"
        f"write_report({str(path)!r}, {str(path) + '.html'!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert matplotlib.rcParams.copy() == before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_explosion(write_log):
    records = [
        geometry(
            i, energy=-4.0 * (1 if i < 90 else -(10.0 ** (i - 90))), temperature=10.0 ** (i / 9)
        )
        for i in range(99)
    ]
    records.append(geometry(99, energy=None, temperature=None, scalars={"max_force": None}))
    check_page(report(write_log(HEADER, structure(), *records, SUMMARY)), PANELS)


def test_figures_for_papers(write_log, tmp_path):
    path = write_log(HEADER, structure(), geometry(0), geometry(1), SUMMARY)
    report(path, figures=tmp_path / "figures")
    names = {p.name for p in (tmp_path / "figures").iterdir()}
    assert {"distortion.pdf", "map.svg", "structure.png"} <= names


def test_a_peak_of_one_step_is_on_the_page(write_log):
    records = [geometry(i) for i in range(5000)]
    records[3217]["scalars"] = {"extrapolation_score": 7.5}
    scene = check_page(report(write_log(HEADER, structure(), *records, SUMMARY)), PANELS)
    (line,) = scene["lines"][0]["lines"]
    assert line["x"][line["y"].index(7.5)] == 3217
    assert len(line["x"]) < 2000


def test_data_of_a_page_may_name_files_that_are_not_utf8():
    from platonic_ase.report.html import as_script

    said = as_script({"file": "caf\udce9", "x": np.array([1.0, np.nan]), "n": [float("inf")]})
    assert json.loads(said) == {"file": "caf?", "x": [1.0, None], "n": [None]}
