"""The disk fills while rows or shards are written: told in a line, nothing lost, resumed.

A full disk is stood in for by a limit on the size of a file, which any user may set: writing stops
at it in the middle of a line, as it does where no space is left.
"""

import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read, write
from screening import make

from platonic_ase import EmbeddingSet
from platonic_ase.errors import OutputError, ScreenError
from platonic_ase.runs import embed
from platonic_ase.screen import conclude_screening, screen
from platonic_ase.screen.store import read_rows
from platonic_ase.testing import MockCalculator

TASK = {"task": "md", "options": {"steps": 3}}


@contextmanager
def files_of_at_most(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def frames(tmp_path):
    crystals = [bulk("Cu", a=3.5 + 0.01 * index) * (1, 1, 1 + index % 3) for index in range(12)]
    write(tmp_path / "crystals.xyz", crystals)
    return tmp_path / "crystals.xyz"


@pytest.fixture
def command(frames, tmp_path, space):
    """The command, its files of at most so many bytes; the line of its error."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "here.py").write_text("from screening import make\n")
    script = tmp_path / "command.py"  # workers import it anew
    script.write_text("from platonic_ase.cli import main\nif __name__ == '__main__':\n    main()\n")
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    arguments = [
        "screen", frames, "--calculator", "made.here:make", "--anchors", space["anchors"],
        "--reference", space["reference"], "--task", "md", "--steps", "3", "--quiet", "-o", "out",
    ]  # fmt: skip

    def run(size, *more):
        done = subprocess.run(
            [sys.executable, script, *map(str, (*arguments, *more))],
            env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path, capture_output=True, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
            timeout=300,
        )  # fmt: skip
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        (line,) = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        return line

    return run


def run(frames, output, space):
    return screen(frames, make, output=output, progress=False, **TASK, **space)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_rows_that_are_written_stay_and_the_rest_is_computed_later(
    workers, frames, command, tmp_path, space, rows, monkeypatch
):
    run(frames, tmp_path / "whole", space)
    size = (tmp_path / "whole" / "rows.jsonl").stat().st_size
    more = []
    if workers:
        pytest.importorskip("distributed", reason="pip install 'platonic_ase[screen]'")
        more = ["--workers", workers]
    line = command(int(0.6 * size), *more)
    assert line.startswith("error: cannot write ")
    assert f"{Path('out', 'rows.jsonl')}: [Errno 2" in line  # 27 of the limit, 28 in a line
    assert line.endswith("free some space and give the same command again.")
    left = list(read_rows(tmp_path / "out"))
    assert 0 < len(left) < 12
    assert (tmp_path / "out" / "rows.jsonl").read_bytes().endswith(b"}\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = screen(frames, "made.here:make", output=tmp_path / "out", progress=False, **TASK,
                   **space)  # fmt: skip
    assert (found.kept, found.computed, found.failed) == (len(left), 12 - len(left), 0)
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")
    assert list(read_rows(tmp_path / "out"))[: len(left)] == left


def test_nothing_can_be_written_at_all(command, tmp_path):
    line = command(0)
    assert line.startswith(f"error: cannot write to {tmp_path / 'out'}: [Errno 27] ")
    assert "same command" in line
    assert not list(read_rows(tmp_path / "out"))


@pytest.mark.parametrize("file", ["summary.html", "top.xyz", "rows.db", "rows.parquet", "run.json"])
def test_no_half_files_are_left(file, frames, tmp_path, space, monkeypatch):
    """All but the one that does not fit are there, and it when there is space again."""
    if file == "rows.parquet":
        pytest.importorskip("pyarrow", reason="pip install 'platonic_ase[parquet]'")
    out = tmp_path / "out"
    if file == "run.json":
        with files_of_at_most(200), pytest.raises(ScreenError, match=r"run\.json.*same command"):
            run(frames, out, space)
        assert [each.name for each in out.iterdir()] == ["lock"]
        assert run(frames, out, space).computed == 12
        return
    run(frames, out, space)
    if file != "summary.html":  # which is the largest
        monkeypatch.setattr("platonic_ase.screen.conclude.write_summary", lambda *_: None)
    wanted = {
        "top": 4 if file == "top.xyz" else None,
        "database": file == "rows.db",
        "parquet": file == "rows.parquet",
    }
    size = 1000 if file == "top.xyz" else 2000 if file == "rows.parquet" else 8192
    with files_of_at_most(size), pytest.raises(ScreenError, match=rf"{file}.*same command"):
        conclude_screening(out, **wanted)
    assert not (out / file).exists()
    assert not list(out.glob(".*"))
    conclude_screening(out, **wanted)
    if file == "top.xyz":
        assert len(read(out / file, ":")) == 4
    if file != "summary.html":
        assert (out / file).stat().st_size > size


class Counting(MockCalculator):
    calls = 0

    def calculate(self, *arguments, **options):
        type(self).calls += 1
        super().calculate(*arguments, **options)


def test_shards_that_are_written_are_used(tmp_path, monkeypatch):
    """Of three shards the last, of large cells, does not fit."""
    monkeypatch.setattr(embed, "SHARD", 3)
    crystals = [bulk("Cu", a=3.6) * (1 if index < 6 else 6, 2, 2) for index in range(9)]
    write(tmp_path / "f.xyz", crystals)

    def run(name):
        Counting.calls = 0
        return embed.embed_file(
            tmp_path / "f.xyz", Counting(), tmp_path / name, progress=False
        ).embeddings

    whole = run("whole.safetensors")
    assert Counting.calls == 9
    with files_of_at_most(6000), pytest.raises(OutputError, match=r"shard-000002.*same command"):
        run("out.safetensors")
    shards = tmp_path / "out.safetensors.partial"
    kept = ["shard-000000.safetensors", "shard-000001.safetensors"]
    assert sorted(each.name for each in shards.iterdir()) == kept
    assert all(len(EmbeddingSet.load(each)) for each in shards.iterdir())
    assert not (tmp_path / "out.safetensors").exists()
    assert np.array_equal(run("out.safetensors"), whole)
    assert Counting.calls == 3
    assert not shards.exists()
