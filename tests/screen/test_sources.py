import io
import json

import numpy as np
import pytest
from ase.build import bulk
from ase.db import connect
from ase.io import read, write

from platonic_ase.errors import ScreenError
from platonic_ase.screen.rows import structure_of
from platonic_ase.screen.sources import read_entries, split_frames


def xyz(*frames):
    file = io.StringIO()
    write(file, list(frames), format="extxyz")
    return file.getvalue()


def names(entries):
    return [(entry.name, entry.error is None) for entry in entries]


def test_a_frame_that_is_cut_short_costs_itself_alone(tmp_path):
    first, second = xyz(bulk("Cu", cubic=True)), xyz(bulk("NaCl", "rocksalt", a=5.6))
    cut = "".join(first.splitlines(keepends=True)[:4])
    bad = second.replace("Na", "Qq")
    (tmp_path / "a.xyz").write_text(first + cut + second + bad + "stray\n" + first + cut)
    entries = list(read_entries(tmp_path / "a.xyz"))
    assert [entry.error is None for entry in entries] == [
        True, False, True, False, False, True, False,
    ]  # fmt: skip
    assert [entry.index for entry in entries] == list(range(7))
    assert entries[1].error == "unreadable: the frame is cut short, 2 of 4 atoms are there"
    assert "Qq" in entries[3].error
    assert "1 lines that belong to no frame" in entries[4].error
    assert np.array_equal(entries[5].atoms.positions, bulk("Cu", cubic=True).positions)


def test_a_comment_that_is_a_number_begins_no_frame():
    assert list(split_frames(["1\n", "7\n", "Cu 0 0 0\n"])) == [("1\n7\nCu 0 0 0\n", "")]


def test_folders_are_walked_and_unreadable_files_listed(tmp_path):
    for name in ("b/Cu.cif", "b/Al.cif", "c/Cu.cif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, bulk(name[2:4]))
    (tmp_path / "b" / "Bad.cif").write_text("data_\n_cell_length_a nonsense\n")
    (tmp_path / "b" / "notes.txt").write_text("not a structure")
    assert names(read_entries(tmp_path)) == [
        ("b/Al.cif", True),
        ("b/Bad.cif", False),
        ("b/Cu.cif", True),
        ("c/Cu.cif", True),
    ]


def test_names_that_occur_again_get_a_number(tmp_path):
    write(tmp_path / "Cu.cif", bulk("Cu"))
    path = tmp_path / "Cu.cif"
    assert names(read_entries([path, path])) == [("Cu.cif", True), ("Cu.cif (2)", True)]


def test_a_database_and_rows_of_a_former_screening(tmp_path):
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=0)
    with connect(tmp_path / "a.db") as database:
        database.write(atoms)
    rows = [
        {"name": "x", "structure": structure_of(atoms)},
        {"name": "y", "structure": None, "error": "E"},
    ]
    lines = [*map(json.dumps, rows), '{"half":']
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    from_db, from_row, failed, half = read_entries([tmp_path / "a.db", tmp_path / "rows.jsonl"])
    assert from_db.name == "a.db#1"
    assert np.array_equal(from_db.atoms.positions, atoms.positions)
    assert from_row.name == "x"
    assert from_row.digest == from_db.digest
    assert failed.error == "has no structure: E"
    assert "no row of a screening" in half.error


def test_labels_of_a_file_are_kept_apart(tmp_path):
    text = xyz(bulk("Cu")).replace("pos:R:3", "pos:R:3:forces:R:3").splitlines()
    text[-1] += " 0.1 0.2 0.3"
    (tmp_path / "a.xyz").write_text("\n".join(text))
    (entry,) = read_entries(tmp_path / "a.xyz")
    assert np.array_equal(entry.forces, read(tmp_path / "a.xyz").get_forces())
    assert entry.atoms.calc is None


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ScreenError, match=r"no structures at .*nowhere"):
        list(read_entries([bulk("Cu"), tmp_path / "nowhere.xyz"]))
