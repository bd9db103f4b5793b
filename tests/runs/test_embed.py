import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from platonic_ase import EmbeddingSet
from platonic_ase.errors import EncoderError, StructureError
from platonic_ase.models import find_encoder
from platonic_ase.models.embed import embed_one
from platonic_ase.runs import embed as module
from platonic_ase.runs.embed import embed_file
from platonic_ase.testing import MockCalculator


class KilledError(BaseException):
    """What a kill looks like from inside."""


class CountingMock(MockCalculator):
    """Counts its calculations; is killed at one of them, fails for copper."""

    def __init__(self, killed_at=None, **options):
        super().__init__(**options)
        self.count, self.killed_at = 0, killed_at

    def calculate(self, atoms=None, *arguments, **options):
        if self.count == self.killed_at:
            raise KilledError
        self.count += 1
        if "Cu" in atoms.symbols:
            raise RuntimeError("no parameters for copper")
        super().calculate(atoms, *arguments, **options)


@pytest.fixture
def frames(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHARD", 3)
    structures = []
    for seed in range(8):
        atoms = bulk("Cu" if seed == 4 else "Si", "diamond", a=5.4, cubic=seed % 2 == 0)
        atoms.rattle(0.05, seed=seed)
        structures.append(atoms)
    write(tmp_path / "frames.xyz", structures)
    return tmp_path / "frames.xyz"


def run(frames, calculator, **options):
    return embed_file(
        frames, calculator, frames.parent / "out.safetensors", progress=False, **options
    )


def test_file_holds_what_each_structure_gives_alone(frames):
    from ase.io import read

    found = run(frames, MockCalculator())
    encoder = find_encoder(MockCalculator())
    for index, atoms in enumerate(read(frames, ":")):
        rows = found.embeddings[found.structures == index]
        assert np.array_equal(rows, embed_one(encoder, atoms))
    loaded = EmbeddingSet.load(frames.parent / "out.safetensors")
    assert np.array_equal(loaded.embeddings, found.embeddings)
    assert loaded.identity == encoder.identity
    assert loaded.source["structures"] == 8
    assert [path.name for path in frames.parent.iterdir()] == ["frames.xyz", "out.safetensors"]


def test_a_killed_run_goes_on_where_it_was(frames):
    with pytest.raises(KilledError):
        run(frames, CountingMock(killed_at=7))
    assert not (frames.parent / "out.safetensors").exists()
    again = CountingMock()
    resumed = run(frames, again)
    assert again.count == 2, "of eight structures in shards of three, two were not yet saved"
    whole = run(frames, CountingMock())
    assert np.array_equal(resumed.embeddings, whole.embeddings)
    assert np.array_equal(resumed.structures, whole.structures)


@pytest.mark.parametrize("change", ["weights", "structures", "nothing kept"])
def test_partial_files_of_another_run_are_not_used(frames, change):
    with pytest.raises(KilledError):
        run(frames, CountingMock(killed_at=7))
    if change == "structures":
        frames.write_text(frames.read_text().replace("0.0", "0.1", 1))
    again = CountingMock(seed=1 if change == "weights" else 0)
    run(frames, again, resume=change != "nothing kept")
    assert again.count == 8


def test_broken_partial_file_is_made_anew(frames):
    with pytest.raises(KilledError):
        run(frames, CountingMock(killed_at=7))
    next((frames.parent / "out.safetensors.partial").iterdir()).write_bytes(b"cut off")
    again = CountingMock()
    run(frames, again)
    assert again.count == 5


def test_failures_are_listed_with_the_reason(frames):
    found = run(frames, CountingMock())
    assert found.failures == {4: "RuntimeError: no parameters for copper"}
    assert sorted(set(found.structures.tolist())) == [0, 1, 2, 3, 5, 6, 7]


def test_nothing_to_embed_is_an_error(frames, tmp_path):
    write(tmp_path / "copper.xyz", [bulk("Cu")] * 2)
    with pytest.raises(EncoderError, match=r"none of 2 structures .* no parameters for copper"):
        run(tmp_path / "copper.xyz", CountingMock())
    with pytest.raises(StructureError, match="no trajectory"):
        run(tmp_path / "absent.xyz", MockCalculator())
