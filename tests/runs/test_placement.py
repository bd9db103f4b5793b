"""One runner for all that goes over many structures: a loop and a cluster give the same."""

from functools import partial

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from platonic_ase import find_encoder
from platonic_ase.calibrate.evaluate import evaluate_structures
from platonic_ase.calibrate.evaluation import EvaluationSet
from platonic_ase.compare import describe
from platonic_ase.compare.run import embed_models
from platonic_ase.errors import ClusterError, SettingError
from platonic_ase.models.embed import embed_one
from platonic_ase.runs import embed as module
from platonic_ase.runs.embed import EmbedWork, EmbedWorker, embed_file
from platonic_ase.runs.placement import Loop, Lost, Placement, open_model
from platonic_ase.runs.shards import in_shards
from platonic_ase.space.embeddings import EmbeddingSet
from platonic_ase.testing import MockCalculator


def structures():
    made = []
    for seed in range(8):
        atoms = bulk("Si", "diamond", a=5.4, cubic=seed % 2 == 0)
        atoms.rattle(0.05, seed=seed)
        made.append(atoms)
    return made


@pytest.fixture
def frames(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHARD", 3)
    write(tmp_path / "frames.xyz", structures())
    return tmp_path / "frames.xyz"


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("embeddings", "numbers", "structures")
    )


def test_embeddings_are_the_same_over_a_cluster(frames, tmp_path, scheduler):
    found = []
    for name, place in (("loop", Placement()), ("dask", Placement(scheduler))):
        found.append(
            embed_file(frames, MockCalculator(), tmp_path / name, placement=place, progress=False)
        )
    assert same(*found)
    assert not (tmp_path / "dask.partial").exists()


def test_evaluations_are_the_same_over_a_cluster(tmp_path, scheduler):
    encoder = find_encoder(MockCalculator())
    loop = evaluate_structures(encoder, structures(), tmp_path / "loop", progress=False)
    dask = evaluate_structures(
        encoder, structures(), tmp_path / "dask", placement=Placement(scheduler), progress=False
    )
    assert np.array_equal(loop.forces, dask.forces)
    assert same(loop.embedded, dask.embedded)


def test_a_comparison_embeds_the_same_over_a_cluster(tmp_path, scheduler):
    catalogue = describe(structures(), progress=False)
    sets = []
    for name, place in (("loop", Placement()), ("dask", Placement(scheduler))):
        sets.append(
            embed_models(
                structures, catalogue, {"mock": partial(MockCalculator)}, folder=tmp_path / name,
                placement=place, progress=False,
            )["mock"]
        )  # fmt: skip
    assert same(*sets)
    assert sets[0].source == sets[1].source


def test_workers_with_other_weights_than_this_process_are_refused(tmp_path, scheduler):
    here = EmbedWorker(find_encoder(MockCalculator(seed=1)))
    with pytest.raises(ClusterError, match=r"fingerprint '\w+' there, '\w+' elsewhere"):
        Placement(scheduler).engine(EmbedWork(MockCalculator()), here)


class Pieces(Loop):
    """Parts every parcel, in reverse, and loses its second structure."""

    def results(self, parcels):
        for parcel, _ in super().results(parcels):
            for place, item in reversed(list(enumerate(parcel.items))):
                piece = type(parcel)((item,), parcel.key, place)
                yield piece, Lost("died") if place == 1 else self._worker.do((item,))


@pytest.mark.parametrize("kind", [EmbeddingSet, EvaluationSet])
def test_shards_are_put_together_from_pieces(kind, tmp_path):
    from platonic_ase.calibrate.evaluate import EvaluateWorker

    encoder = find_encoder(MockCalculator())
    worker = (EmbedWorker if kind is EmbeddingSet else EvaluateWorker)(encoder)
    done = []
    parts = in_shards(
        kind, structures(), tmp_path / "x", 3, encoder.identity, lambda chunk: {"n": len(chunk)},
        Pieces(worker), done.append,
    )  # fmt: skip
    assert done == [3, 3, 2]
    joined = kind.join(parts, 3, {})
    embedded = joined if kind is EmbeddingSet else joined.embedded
    assert embedded.failures == {1: "died", 4: "died", 7: "died"}
    for index in (0, 2, 3, 5, 6):
        rows = embedded.embeddings[embedded.structures == index]
        assert np.array_equal(rows, embed_one(encoder, structures()[index]))


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(SettingError, match="workers = -1"):
        Placement(workers=-1)
    with pytest.raises(SettingError, match="no such function"):
        open_model("platonic_ase.nowhere:make")
