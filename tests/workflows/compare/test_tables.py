import json

import numpy as np
import pytest
import torch

from platonic_ase.errors import ComparisonError
from platonic_ase.space.compare.kernel_alignment import cka
from platonic_ase.space.compare.transport import exact_transport, label_accuracy
from platonic_ase.testing.mocks import MockPotential
from platonic_ase.workflows.compare import compare, compare_models, describe, make_views
from platonic_ase.workflows.compare.analogies import (
    analogy_structures,
    composition_vectors,
    family_analogies,
)
from platonic_ase.workflows.compare.catalogue import digest, family
from platonic_ase.workflows.compare.controls import is_control, shuffle_weights
from platonic_ase.workflows.compare.figures import draw_all, save_all
from platonic_ase.workflows.compare.report import render

FAST = {"k": 3, "n_resamples": 10, "n_permutations": 10, "progress": False}


@pytest.fixture
def comparison(arrays):
    views = make_views(*arrays)
    return compare(views, **FAST), views


def entry(rows, a, b, space, **more):
    return next(
        r for r in rows
        if (r.a, r.b, r.space) == (a, b, space) and all(getattr(r, k) == v for k, v in more.items())
    )  # fmt: skip


def test_twins_are_twins_and_strangers_are_strangers(comparison):
    found, _ = comparison
    for space in ("raw", "platonic", "standardised"):
        for measure, same in (("mutual_knn", 1.0), ("cka", 1.0), ("procrustes", 0.0)):
            value = entry(found.similarity, "a", "twin", space, measure=measure).estimate.value
            assert value == pytest.approx(same, abs=1e-6)
        stranger = entry(found.similarity, "a", "stranger", space, measure="cka").estimate
        assert abs(stranger.value) < 0.2
    assert entry(found.transport, "a", "twin", "platonic").same_atom == pytest.approx(1.0)
    assert entry(found.transport, "a", "twin", "padded").same_atom < 0.3
    assert entry(found.transport, "a", "stranger", "platonic").same_atom < 0.3


def test_values_are_those_of_the_measures(comparison):
    found, views = comparison
    z = views.platonic
    value = entry(found.similarity, "a", "stranger", "platonic", measure="cka").estimate.value
    assert value == cka(z["a"], z["stranger"])
    plan = exact_transport(z["a"], z["stranger"]).plan
    row = entry(found.transport, "a", "stranger", "platonic")
    assert row.same_element == label_accuracy(plan, views.numbers, views.numbers)
    # the average over plans whose columns are permuted within elements
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(2000):
        columns = np.arange(60)
        for element in (8, 11, 17):
            of_it = np.flatnonzero(views.numbers == element)
            columns[of_it] = rng.permutation(of_it)
        drawn.append(np.trace(plan[:, columns]))
    assert row.element_baseline == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 2000**0.5)


def test_too_few_atoms_for_k_are_refused(arrays):
    with pytest.raises(ComparisonError, match="k = 40 neighbours are too many for 60"):
        compare(make_views(*arrays), k=40, progress=False)


def test_composition_ties_between_polymorphs():
    from platonic_ase.space.compare.arithmetic import score_analogies

    structures = analogy_structures()
    analogies = family_analogies(structures)
    assert {"halides", "III-V", "perovskites", "oxides with elements"} <= set(analogies)
    a, b, c, d = (structures[i] for i in analogies["halides"][0])
    assert a.info["first"] == d.info["first"]
    assert b.info["first"] == c.info["first"]
    assert a.info["second"] == b.info["second"]
    assert c.info["second"] == d.info["second"]
    vectors = composition_vectors(structures)
    assert vectors.sum(axis=1) == pytest.approx(np.ones(len(structures)))
    assert score_analogies(vectors, analogies["perovskites"]).hits_at_1 == 1
    score = score_analogies(vectors, analogies["halides"])
    assert score.hits_at_1 == 0  # rock salt, CsCl and zincblende tie
    assert score.mean_reciprocal_rank == pytest.approx(0.5)


def test_shuffled_weights_are_the_same_numbers_elsewhere():
    model, again = MockPotential(seed=1), MockPotential(seed=1)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    shuffle_weights(model, seed=4)
    shuffle_weights(again, seed=4)
    for name, p in model.named_parameters():
        assert torch.equal(p.flatten().sort().values, before[name].flatten().sort().values)
        assert not torch.equal(p, before[name])
        assert torch.equal(p, dict(again.named_parameters())[name])
    assert is_control("chgnet-0.3.0*random")
    assert not is_control("chgnet-0.3.0")


def test_catalogue_reads_labels(cells):
    catalogue = describe(cells)
    assert catalogue.families[:3].tolist() == ["halide", "oxide", "pnictide"]
    assert catalogue.energies == pytest.approx([-k / 4 for k in range(30)])
    assert np.isnan(catalogue.magmoms).all()
    assert len(set(catalogue.digests)) == 30
    assert family(cells[0][[0, 2]]) == "element"
    moved = cells[0].copy()
    moved.positions[0, 0] += 1e-5
    assert digest(moved) != digest(cells[0])
    assert digest(cells[0].copy()) == digest(cells[0])


def test_everything_from_calculators_to_report(cells, few_anchors, mocks, tmp_path):
    found, views = compare_models(cells, mocks, folder=tmp_path / "e", transport_atoms=40, **FAST)
    assert {row.label for row in found.stitching} == {"energy", "element", "coordination"}
    assert {row.by for row in found.bias} == {"element", "family", "space group"}
    assert {row.model for row in found.analogies} == {"a", "b", "c", "composition only"}
    assert {row.space for row in found.dimension} == {"raw", "platonic"}
    assert all(len(values) == 10 for values in found.anchors.values())
    stored = json.loads(found.save(tmp_path / "c.json").read_text())
    assert stored["data"]["n_structures"] == 30
    assert len(stored["transport"]) == 3 * 5
    drawings = draw_all(found, views)
    assert set(drawings) == {"maps", "similarity", "transport", "plan", "analogies", "bias"}
    html = render(found, drawings)
    assert html.count("<svg") == 6
    for outside in ("http://", "https://", "<script", "src="):
        assert outside not in html
    written = save_all({"plan": drawings["plan"]}, tmp_path / "figures")
    assert {path.suffix for path in written} == {".pdf", ".svg", ".png"}
    assert all(path.stat().st_size > 1000 for path in written)
