import errno
import os
import stat
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from platonic_ase.errors import KeptAsideWarning, OutputError, StructureError, warn_outside
from platonic_ase.outputs import (
    check_outputs,
    keep_previous,
    require_plain_name,
    show_path,
    write_atomically,
)
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.structures import check_structure, read_structure, require_computable

XYZ = "1\n\nCu 0 0 0\n"
LOG = '{"type": "header", "schema": 1}\n'


@pytest.mark.parametrize("way", ["itself", "symlink", "hard link", "dotted"])
def test_an_input_is_never_an_output(tmp_path, way):
    source = tmp_path / "s.xyz"
    source.write_text(XYZ)
    target = source
    if way == "symlink":
        target = tmp_path / "link"
        target.symlink_to(source)
    elif way == "hard link":
        target = tmp_path / "hard"
        os.link(source, target)
    elif way == "dotted":
        target = tmp_path / "." / "s.xyz"
    with pytest.raises(OutputError, match="is an input"):
        check_outputs({"structure": target}, [source])
    assert source.read_text() == XYZ


def test_two_outputs_need_two_names(tmp_path):
    with pytest.raises(OutputError, match="both the log and the report"):
        check_outputs({"log": tmp_path / "a", "report": tmp_path / "a"})


@pytest.mark.parametrize("kind", ["log", "report", "trajectory", "arrays", "json", "phonopy"])
def test_a_file_of_another_kind_is_refused(tmp_path, kind):
    other = tmp_path / "other"
    for content in (XYZ, LOG if kind != "log" else "<!DOCTYPE html>"):
        other.write_text(content)
        with pytest.raises(OutputError, match="exists and is not"):
            check_outputs({kind: other})
        assert other.read_text() == content


def test_what_this_package_writes_is_of_its_kind(tmp_path):
    paths = {kind: tmp_path / kind for kind in ("log", "report", "trajectory", "arrays", "json")}
    paths["log"].write_text(LOG)
    paths["report"].write_text("<!DOCTYPE html>")
    bulk("Cu").write(paths["trajectory"], format="traj")
    write_arrays(paths["arrays"], "anchors", {"x": np.zeros(3)}, {})
    paths["json"].write_text("{}")
    check_outputs(paths)
    check_outputs({"structure": tmp_path / "new.xyz"}, paths.values())


@pytest.mark.parametrize("target", ["folder", "/dev/full", "/dev/null"])
def test_directories_and_devices_are_refused_and_stay(tmp_path, target):
    path = tmp_path / target
    if target == "folder":
        path.mkdir()
    before = stat.S_IFMT(path.stat().st_mode)
    for refuse in (keep_previous, lambda p: check_outputs({"json": p})):
        with pytest.raises(OutputError, match=r"a directory|a device"):
            refuse(path)
    with pytest.raises(OutputError):
        write_atomically(path, "text")
    assert stat.S_IFMT(path.stat().st_mode) == before


def test_a_place_that_cannot_be_written_is_refused_before_the_run(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        check_outputs({"trajectory": tmp_path / "file" / "x.traj"})
    with pytest.raises(OutputError, match="is a file"):
        check_outputs({"folder": tmp_path / "file"})


def test_planted_links_are_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("x.html.part", "x.html", ".x.html.part"):
        (tmp_path / name).symlink_to(victim)
    write_atomically(tmp_path / "x.html", "page")
    assert victim.read_text() == "precious"
    assert (tmp_path / "x.html").read_text() == "page"
    assert not (tmp_path / "x.html").is_symlink()


def test_a_dangling_link_is_moved_aside(tmp_path):
    (tmp_path / "x.json").symlink_to(tmp_path / "elsewhere")
    with pytest.warns(KeptAsideWarning):
        keep_previous(tmp_path / "x.json").write_text("{}")
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    path.write_text("old")

    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("platonic_ase.outputs.os.fdopen", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_are_those_of_a_usual_file(tmp_path):
    usual, ours = tmp_path / "usual", tmp_path / "ours"
    usual.write_text("")
    write_atomically(ours, "")
    assert ours.stat().st_mode == usual.stat().st_mode


def test_names_that_are_not_utf8_can_be_printed_and_written(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.html")
    show_path(path).encode("utf-8")
    written = write_atomically(path, f"of {path}")
    assert b"caf" in written.read_bytes()


@pytest.mark.parametrize("name", ["../../../pwned", "a/b", "", ".hidden", "a\0b", "x" * 101, 3])
def test_names_that_become_paths_lead_nowhere_else(name):
    with pytest.raises(OutputError, match="part of a file name"):
        require_plain_name(name, "formula")
    assert require_plain_name("NaCl_rocksalt", "formula") == "NaCl_rocksalt"


def test_warnings_name_the_line_of_the_script():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_outside("something", UserWarning)
    assert caught[0].filename == __file__


def test_arrays_replace_a_link_instead_of_following_it(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = tmp_path / "a.safetensors"
    path.symlink_to(victim)
    write_arrays(path, "anchors", {"x": np.ones(2)}, {})
    assert victim.read_text() == "precious"
    assert read_arrays(path, "anchors")[0]["x"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("Cu", cell=[1e11, 4, 4], pbc=True), "component of 1e"),
        (Atoms("Cu", cell=[1e6] * 3, pbc=True), "component of 1e"),
        (Atoms("Cu", cell=[1e-3, 1e3, 1e3], pbc=True), "thick along"),
        (Atoms("Cu", [[1e9, 0, 0]]), "farther than"),
        (Atoms("Cu", cell=[1e308] * 3, pbc=True), "component of 1e"),
    ],
)
def test_structures_that_would_fill_the_memory_are_refused(atoms, message):
    with pytest.raises(StructureError, match=message):
        require_computable(atoms)


def test_partial_occupancy_is_said(tmp_path):
    path = tmp_path / "alloy.cif"
    path.write_text(
        "data_alloy\n_cell_length_a 3.7\n_cell_length_b 3.7\n_cell_length_c 3.7\n"
        "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n"
        "_symmetry_space_group_name_H-M 'P 1'\nloop_\n_atom_site_label\n"
        "_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
        "_atom_site_occupancy\nCu1 Cu 0 0 0 0.7\nAu1 Au 0 0 0 0.3\n"
    )
    assert any("0.7 Cu + 0.3 Au" in text for text in check_structure(read_structure(path)))
    assert not any("occupancy" in text for text in check_structure(bulk("Cu")))
