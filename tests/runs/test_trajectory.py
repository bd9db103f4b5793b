import numpy as np
import pytest
from ase.io import read

from platonic_ase.errors import OutputError
from platonic_ase.runs.md import run_md
from platonic_ase.runs.relax import run_relaxation
from platonic_ase.runs.replay import replay
from platonic_ase.runs.trajectory import open_trajectory, trajectory_kind

ARRAYS = {"platonic_flagged", "platonic_manifold_distance", "platonic_extrapolation_score"}


def run(atoms, calc, path, **options):
    return run_md(
        atoms, calc, temperature=300, steps=4, seed=1, progress=False, trajectory=path,
        trajectory_interval=1, **options,
    )  # fmt: skip


@pytest.mark.parametrize("suffix", [".xyz", ".extxyz", ".h5"])
def test_frames_hold_what_was_seen_of_every_atom(suffix, wrap, copper, tmp_path):
    if suffix == ".h5":
        pytest.importorskip("znh5md")
    exact, annotated = copper.copy(), copper.copy()
    run(exact, wrap(), tmp_path / "run.traj")
    calc = wrap()
    result = run(annotated, calc, tmp_path / f"run{suffix}")
    assert result.files == {"trajectory": tmp_path / f"run{suffix}"}
    frames = read(result.trajectory, ":")
    assert len(frames) == 5
    for frame, other in zip(frames, read(tmp_path / "run.traj", ":"), strict=True):
        assert set(frame.arrays) >= ARRAYS
        assert np.ptp(frame.arrays["platonic_manifold_distance"]) > 0 or frame is frames[0]
        assert np.allclose(frame.positions, other.positions, atol=1e-7)
        assert np.allclose(frame.get_momenta(), other.get_momenta(), atol=1e-7)
        assert frame.get_potential_energy() == pytest.approx(other.get_potential_energy())
        assert np.allclose(frame.get_forces(), other.get_forces(), atol=1e-7)
    last = calc.diagnosis.per_atom["manifold_distance"]
    assert np.allclose(frames[-1].arrays["platonic_manifold_distance"], last, atol=1e-7)


@pytest.mark.parametrize("suffix", [".xyz", ".h5"])
def test_geometries_that_were_not_diagnosed_show_nothing(suffix, wrap, copper, tmp_path):
    if suffix == ".h5":
        pytest.importorskip("znh5md")
    result = run(copper, wrap(interval=2), tmp_path / f"run{suffix}")
    seen = [
        np.isfinite(frame.arrays.get("platonic_manifold_distance", [np.nan])).all()
        for frame in read(result.trajectory, ":")
    ]
    assert seen == [True, False, True, False, True]


def test_a_relaxation_is_annotated_too(wrap, copper, tmp_path):
    copper.rattle(0.1, seed=0)
    result = run_relaxation(copper, wrap(), steps=3, trajectory=tmp_path / "r.xyz", progress=False)
    assert all(set(frame.arrays) >= ARRAYS for frame in read(result.trajectory, ":"))


def test_formats_that_cannot_hold_it_are_refused_with_a_remedy(wrap, copper, tmp_path):
    with pytest.raises(OutputError, match=r"drops all other arrays; use \.xyz or \.h5"):
        replay([copper], wrap(), annotated=tmp_path / "a.traj", progress=False)
    with pytest.raises(OutputError, match=r"no trajectory is written.*use \.traj"):
        run(copper, wrap(), tmp_path / "run.dcd")
    with pytest.raises(OutputError, match=r"only a \.traj holds"):
        run(copper, wrap(), tmp_path / "run.xyz", append=True)
    assert not list(tmp_path.iterdir())


def test_a_missing_writer_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(OutputError, match=r"pip install 'platonic_ase\[h5md\]'"):
        trajectory_kind("run.h5")


def test_h5md_holds_frames_of_one_size(wrap, copper, tmp_path):
    pytest.importorskip("znh5md")
    frames = [copper, copper.repeat((2, 1, 1))]
    with pytest.raises(OutputError, match=r"frames of 4 atoms.*8 atoms come next"):
        replay(frames, wrap(), annotated=tmp_path / "a.h5", progress=False)
    replay(frames, wrap(), annotated=tmp_path / "a.xyz", progress=False)
    assert [len(frame) for frame in read(tmp_path / "a.xyz", ":")] == [4, 8]


def test_a_frame_is_on_the_disk_when_it_is_written(wrap, copper, tmp_path):
    calc = wrap()
    copper.calc = calc
    writer = open_trajectory(tmp_path / "run.xyz", copper, calc)
    copper.get_forces()
    writer.write()
    assert len(read(tmp_path / "run.xyz", ":")) == 1
