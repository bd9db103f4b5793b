from dataclasses import replace

import numpy as np
import pytest

from platonic_ase.compare import align, describe, embed_to_file, make_views
from platonic_ase.compare.run import compare_models, embed_models
from platonic_ase.compare.spaces import SPACES, common_space
from platonic_ase.errors import ComparisonError
from platonic_ase.space.embeddings import EmbeddingSet
from platonic_ase.testing import MockCalculator


def test_rotated_twins_have_the_same_platonic_coordinates(arrays):
    raw, anchors, numbers, structures = arrays
    views = make_views(raw, anchors, numbers, structures)
    for space in ("platonic", "standardised"):
        x, y = common_space(views, space, "a", "twin")
        assert x == pytest.approx(y)
    assert set(SPACES) == {"platonic", "standardised", "padded", "pca", "procrustes"}
    x, y = common_space(views, "procrustes", "a", "twin")
    assert x == pytest.approx(y)


def test_equivalent_atoms_are_compared_once(arrays):
    raw, anchors, *_ = arrays
    doubled = {name: np.vstack([x, x[:5]]) for name, x in raw.items()}
    assert make_views(doubled, anchors).distinct.tolist() == list(range(60))


def spoil(x, how):
    x = x.copy()
    if how == "constant":
        x[:] = x[0]
    elif how == "nan":
        x[3] = np.nan
    elif how == "short":
        x = x[:-1]
    return x


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("constant", "all 60 embeddings of twin are equal"),
        ("nan", "embeddings of twin has values that are not finite in 1 of 60 rows"),
        ("short", "different numbers of atoms: a 60, twin 59"),
    ],
)
def test_bad_arrays_are_refused_by_name(arrays, how, message):
    raw, anchors, *_ = arrays
    with pytest.raises(ComparisonError, match=message):
        make_views({**raw, "twin": spoil(raw["twin"], how)}, anchors)


def test_missing_models_and_anchors_are_refused(arrays):
    raw, anchors, *_ = arrays
    with pytest.raises(ComparisonError, match="at least 2 models"):
        make_views({"a": raw["a"]}, {"a": anchors["a"]})
    with pytest.raises(ComparisonError, match="anchors of"):
        make_views(raw, {"a": anchors["a"]})
    with pytest.raises(ComparisonError, match="8 columns and anchors 5"):
        make_views(raw, {**anchors, "a": anchors["a"][:, :5]})
    with pytest.raises(ComparisonError, match="numbers of anchors"):
        make_views(raw, {**anchors, "a": anchors["a"][:5]})


def embedded(cells, mocks, folder):
    catalogue = describe(cells)
    return catalogue, embed_models(lambda: cells, catalogue, mocks, folder=folder, progress=False)


def test_embedding_goes_on_where_it_stopped(cells, few_anchors, tmp_path, monkeypatch):
    from platonic_ase.compare import embedding
    from platonic_ase.models import find_encoder

    monkeypatch.setattr(embedding, "SHARD", 8)
    digests = describe(cells).digests
    path = tmp_path / "m.safetensors"
    reference = embed_to_file(
        find_encoder(MockCalculator()), cells, digests, tmp_path / "r.safetensors", progress=False
    )
    calculator = MockCalculator()

    def stopping():
        for k, atoms in enumerate(cells):
            if k == 20:
                raise KeyboardInterrupt
            yield atoms

    with pytest.raises(KeyboardInterrupt):
        embed_to_file(find_encoder(calculator), stopping(), digests, path, progress=False)
    before = calculator.model.forwards
    assert not path.exists()
    found = embed_to_file(find_encoder(calculator), cells, digests, path, progress=False)
    total = len(reference.source["digests"])
    assert before % 8 == 0
    assert 0 < before < total
    assert calculator.model.forwards == total
    assert (found.embeddings == reference.embeddings).all()
    assert (found.structures == reference.structures).all()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.safetensors", "r.safetensors"]
    embed_to_file(find_encoder(calculator), cells, digests, path, progress=False)
    assert calculator.model.forwards == total  # a complete file is used as it is
    with pytest.raises(ComparisonError, match="another model"):
        embed_to_file(find_encoder(MockCalculator(seed=7)), cells, digests, path, progress=False)


def test_failures_are_listed_and_left_out_for_all(cells, few_anchors, mocks, tmp_path):
    class Picky(MockCalculator):
        def _evaluate(self, atoms):
            if len(atoms) == 4 and 31 in atoms.numbers:
                raise RuntimeError("gallium is not my thing")
            return super()._evaluate(atoms)

    catalogue = describe(cells)
    comparison, views = compare_models(
        cells, {**mocks, "picky": Picky(seed=4)}, folder=tmp_path, progress=False,
        k=3, n_resamples=0, n_permutations=0, transport_atoms=30,
    )  # fmt: skip
    assert sorted(views.failures["picky"]) == [i for i in range(30) if i % 3 == 2]
    assert views.failures["a"] == {}
    assert "gallium" in comparison.failures["picky"][2]
    assert views.n_structures == 20
    assert set(np.unique(views.numbers)) == {8, 11, 12, 17}
    assert len(catalogue) == 30


def test_orders_and_structures_must_be_the_same(cells, few_anchors, mocks, tmp_path):
    _, sets = embedded(cells, {"a": mocks["a"]}, tmp_path / "1")
    _, turned = embedded(cells[::-1], {"b": mocks["b"]}, tmp_path / "2")
    with pytest.raises(ComparisonError, match="another order"):
        align({**sets, **turned})
    _, fewer = embedded(cells[:-1], {"b": mocks["b"]}, tmp_path / "3")
    with pytest.raises(ComparisonError, match="a holds 30 structures and b 29"):
        align({**sets, **fewer})
    cells[4].positions[0, 0] += 0.01
    _, moved = embedded(cells, {"b": mocks["b"]}, tmp_path / "4")
    with pytest.raises(ComparisonError, match="structure 4 is not the same"):
        align({**sets, **moved})


def test_a_file_of_something_else_is_refused(cells, few_anchors, mocks, tmp_path):
    _, sets = embedded(cells, mocks, tmp_path)
    bare = replace(sets["a"], source={})
    with pytest.raises(ComparisonError, match="not made for a comparison"):
        align({"a": bare, "b": sets["b"]})
    path = tmp_path / "b.embeddings.safetensors"
    assert isinstance(EmbeddingSet.load(path), EmbeddingSet)
    with pytest.raises(ComparisonError, match="in another order"):
        compare_models(cells[::-1], {}, folder=tmp_path / "x", embeddings=[path], progress=False)


def test_files_of_other_environments_join_in(cells, few_anchors, mocks, tmp_path):
    embedded(cells, {"far": mocks["c"]}, tmp_path / "elsewhere")
    comparison, views = compare_models(
        cells, {"near": mocks["a"]}, folder=tmp_path / "here", progress=False, k=3,
        embeddings=[tmp_path / "elsewhere" / "far.embeddings.safetensors"],
        n_resamples=0, n_permutations=0, transport_atoms=30,
    )  # fmt: skip
    assert comparison.models == ("near", "far")
    assert views.raw["far"].shape == (120, 8)
