"""Dask: workers on this machine and elsewhere, killed, wrong or missing."""

import json
import runpy
from pathlib import Path

import pytest
from ase.build import bulk

pytest.importorskip("distributed", reason="pip install 'platonic_ase[screen]'")

import screening
from distributed import LocalCluster

from platonic_ase.errors import ClusterError, ModelNotFoundError
from platonic_ase.runs import cluster
from platonic_ase.runs.placement import Placement
from platonic_ase.screen import screen
from platonic_ase.screen.store import latest_rows

WHERE = ("scheduler", "scheduler_file", "workers", "wait")


def run(structures, output, space, calculator=screening.make, **options):
    where = {n: options.pop(n) for n in WHERE if n in options}
    return screen(
        structures, calculator, output=output, progress=False, placement=Placement(**where),
        **space, **options,
    )  # fmt: skip


def test_rows_are_the_same_however_they_are_scheduled(crystals, tmp_path, space, rows, scheduler):
    options = {"task": "relax", "options": {"steps": 4, "fmax": 1e-6}}
    run(crystals, tmp_path / "loop", space, **options)
    result = run(crystals, tmp_path / "dask", space, scheduler=scheduler, **options)
    assert (result.computed, result.failed) == (7, 0)
    assert rows(tmp_path / "dask") == rows(tmp_path / "loop")
    # and a plain loop goes on where a cluster stopped
    assert run(crystals, tmp_path / "dask", space, **options).kept == 7


def test_a_scheduler_file_is_read(crystals, tmp_path, space, scheduler):
    (tmp_path / "scheduler.json").write_text(json.dumps({"address": scheduler}))
    result = run(crystals, tmp_path / "o", space, scheduler_file=tmp_path / "scheduler.json")
    assert result.computed == 7


def test_a_model_is_loaded_once_per_worker(crystals, tmp_path, space, scheduler, monkeypatch):
    monkeypatch.setenv("LOADS", str(tmp_path / "loads"))
    result = run(crystals * 5, tmp_path, space, screening.make_counted, scheduler=scheduler,
                 task="audit")  # fmt: skip
    assert result.computed == 35
    assert (tmp_path / "loads").read_text() == "xx"


def test_two_clients_of_one_scheduler_keep_apart(crystals, tmp_path, space, rows, scheduler):
    """The second begins while the first is under way, with another task."""

    def interrupted_by_another():
        for index, atoms in enumerate(crystals * 4):
            if index == 8:
                run(crystals, tmp_path / "other", space, scheduler=scheduler)
            yield atoms

    options = {"task": "relax", "options": {"steps": 2, "fmax": 1e-6}}
    run(interrupted_by_another(), tmp_path / "relaxed", space, scheduler=scheduler, **options)
    run(crystals * 4, tmp_path / "loop", space, **options)
    assert rows(tmp_path / "relaxed") == rows(tmp_path / "loop")
    assert {row["steps"] for row in latest_rows(tmp_path / "other")} == {0}


def test_workers_with_different_weights_are_refused(
    crystals, tmp_path, space, scheduler, monkeypatch
):
    monkeypatch.setenv("LOADS", str(tmp_path / "loads"))
    options = {"anchors": "default", "reference": None}
    with pytest.raises(ClusterError, match=r"fingerprint '\w+' there, '\w+' elsewhere"):
        run(crystals, tmp_path / "o", options, screening.make_by_file, scheduler=scheduler)
    assert not (tmp_path / "o" / "rows.jsonl").exists()


def test_workers_of_another_version_are_refused(crystals, tmp_path, space, scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "__version__", "0.0.1")
    with pytest.raises(ClusterError, match=r"has platonic_ase \d.*, this process 0\.0\.1"):
        run(crystals, tmp_path, space, scheduler=scheduler)


def test_a_model_that_workers_cannot_load_is_told(crystals, tmp_path, scheduler):
    with pytest.raises(ModelNotFoundError, match="no potential is called"):
        run(crystals, tmp_path, {}, "chgnett", scheduler=scheduler)


def test_a_scheduler_that_is_not_there_is_told(crystals, tmp_path, space):
    with pytest.raises(ClusterError, match=r"no scheduler answers at tcp://127\.0\.0\.1:1 "):
        run(crystals, tmp_path, space, scheduler="tcp://127.0.0.1:1")


def test_a_scheduler_without_workers_is_told(crystals, tmp_path, space):
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=None) as empty,
        pytest.raises(ClusterError, match=r"no worker after 0\.1 s"),
    ):
        run(crystals, tmp_path, space, scheduler=empty.scheduler_address, wait=0.1)


@pytest.mark.slow
def test_worker_deaths_lose_nothing_and_blame_the_right_structure(
    crystals, tmp_path, space, rows, monkeypatch
):
    """Silver kills its worker: six times in all, so that one of two gets through."""
    fuse = tmp_path / "fuse"
    monkeypatch.setenv("FUSE", str(fuse))
    poison = [bulk("Ag", a=4.1), bulk("Ag", a=4.2)]
    mixed = [*crystals[:4], poison[0], *crystals[4:], poison[1]]
    fuse.write_text("0")
    run(mixed, tmp_path / "whole", space, screening.make_killer)
    fuse.write_text("6")
    result = run(mixed, tmp_path / "killed", space, screening.make_killer, workers=2)
    assert (result.computed, result.failed, result.ended) == (9, 1, "finished")
    found, whole = rows(tmp_path / "killed"), rows(tmp_path / "whole")
    failed = [row for row in found if row["error"]]
    assert [row["id"] in (4, 8) for row in failed] == [True]
    assert "3 workers died over it" in failed[0]["error"]
    assert failed[0]["structure"] is not None
    for one, other in zip(found, whole, strict=True):
        assert one["error"] or one == other
    # asked again, and with no lives left to take, it is computed
    again = run(mixed, tmp_path / "killed", space, screening.make_killer, retry=True)
    assert (again.computed, again.kept, again.failed) == (1, 8, 0)
    assert rows(tmp_path / "killed") == whole
    assert len(latest_rows(tmp_path / "killed")) == 9


def test_the_job_script_of_the_slurm_example_starts_single_threaded_workers():
    pytest.importorskip("dask_jobqueue", reason="pip install dask-jobqueue")
    example = Path(__file__).parents[2] / "examples" / "screen_slurm.py"
    with runpy.run_path(str(example))["open_cluster"]() as cluster:
        script = cluster.job_script()
    lines = script.splitlines()
    assert "#SBATCH -p standard" in lines
    assert "#SBATCH -A materials" in lines
    assert "#SBATCH --cpus-per-task=8" in lines
    assert "#SBATCH -t 12:00:00" in lines
    assert "export OMP_NUM_THREADS=1" in lines
    (command,) = [line for line in lines if "distributed.cli.dask_worker" in line]
    assert "--nthreads 1 " in command
    assert "--nworkers 8 " in command
    assert cluster.scheduler_address in command
