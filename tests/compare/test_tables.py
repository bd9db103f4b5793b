import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

from platonic_ase.compare import compare, compare_models, describe, make_views
from platonic_ase.compare.analogies import (
    analogy_structures,
    composition_vectors,
    family_analogies,
)
from platonic_ase.compare.catalogue import digest, family
from platonic_ase.compare.controls import is_control, shuffle_weights
from platonic_ase.compare.disagreement import disagreements
from platonic_ase.compare.figures import draw_all, save_all
from platonic_ase.compare.measures.kernel_alignment import cka
from platonic_ase.compare.measures.mutual_neighbours import mutual_knn
from platonic_ase.compare.measures.procrustes import angular_procrustes
from platonic_ase.compare.measures.transport import exact_transport, label_accuracy, wasserstein
from platonic_ase.compare.portraits import Departure
from platonic_ase.compare.report import render
from platonic_ase.compare.report_portraits import bias
from platonic_ase.compare.retrieval import arithmetic, pooled
from platonic_ase.errors import ComparisonError
from platonic_ase.testing import MockCalculator
from platonic_ase.testing.mocks import MockPotential

FAST = {"gromov_atoms": 60, "k": 3, "n_resamples": 10, "n_permutations": 10, "progress": False}


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
        for measure, same in (
            ("mutual_knn", 1.0),
            ("cka_linear_unbiased", 1.0),
            ("cka_linear_biased", 1.0),
            ("cka_rbf_unbiased", 1.0),
            ("cka_rbf_biased", 1.0),
            ("procrustes", 0.0),
        ):
            value = entry(found.similarity, "a", "twin", space, measure=measure).estimate.value
            assert value == pytest.approx(same, abs=1e-6)
        for kernel in ("linear", "rbf"):
            measure = f"cka_{kernel}_unbiased"
            stranger = entry(found.similarity, "a", "stranger", space, measure=measure).estimate
            assert abs(stranger.value) < 0.2
            assert stranger.low < 0.2
    for twin, space, right in (
        ("twin", "platonic", True), ("twin", "gromov", True), ("twin", "padded", False),
        ("stranger", "platonic", False), ("stranger", "gromov", False),
    ):  # fmt: skip
        atoms = entry(found.transport, "a", twin, space, label="atom")
        assert atoms.chance == pytest.approx(1 / 60)
        if right:
            assert atoms.estimate.value == pytest.approx(1.0)
            assert atoms.estimate.p_value == pytest.approx(1 / 11)
        else:
            assert atoms.estimate.value < 0.3
    distances = {
        (row.b, row.measure): row.estimate.value
        for row in found.similarity
        if row.a == "a" and row.space in ("raw", "platonic")
    }
    gromov = {
        (row.a, row.b): row.estimate
        for row in found.similarity
        if row.measure == "gromov_wasserstein"
    }
    assert gromov["a", "twin"].p_value == pytest.approx(1 / 6)  # five exchanges
    assert gromov["a", "twin"].value < 0.1 * gromov["a", "twin"].baseline_mean
    for measure in ("wasserstein", "gromov_wasserstein"):
        assert distances["twin", measure] == pytest.approx(0, abs=1e-3)
        assert distances["stranger", measure] > 0.05


def test_values_are_those_of_the_measures(comparison):
    found, views = comparison
    z = views.platonic
    cases = {"mutual_knn": mutual_knn(z["a"], z["stranger"], 3)}
    cases["procrustes"] = angular_procrustes(z["a"], z["stranger"])
    cases["wasserstein"] = wasserstein(z["a"], z["stranger"])
    for kernel in ("linear", "rbf"):
        for estimator in ("biased", "unbiased"):
            value = cka(z["a"], z["stranger"], kernel=kernel, estimator=estimator)
            cases[f"cka_{kernel}_{estimator}"] = value
    for measure, value in cases.items():
        row = entry(found.similarity, "a", "stranger", "platonic", measure=measure)
        assert row.estimate.value == pytest.approx(value, abs=1e-9)
    plan = exact_transport(z["a"], z["stranger"]).plan
    row = entry(found.transport, "a", "stranger", "platonic", label="element")
    assert row.estimate.value == label_accuracy(plan, views.numbers, views.numbers)
    assert row.chance == pytest.approx(1 / 3)
    row = entry(found.transport, "a", "stranger", "platonic", label="atom")
    # the average over plans whose columns are permuted within elements
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(2000):
        columns = np.arange(60)
        for element in (8, 11, 17):
            of_it = np.flatnonzero(views.numbers == element)
            columns[of_it] = rng.permutation(of_it)
        drawn.append(np.trace(plan[:, columns]))
    baseline = row.estimate.baseline_mean
    assert baseline == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 10**0.5)
    assert row.estimate.baseline_std < 4 * np.std(drawn)


def test_too_few_atoms_for_k_are_refused(arrays):
    with pytest.raises(ComparisonError, match="k = 40 neighbours are too many for 60"):
        compare(make_views(*arrays), k=40, progress=False)
    raw, anchors, numbers, _ = arrays
    uneven = np.minimum(np.arange(60), 5)  # five structures of one atom, one of 55
    with pytest.raises(ComparisonError, match=r"smallest half .* has 3: lower k"):
        compare(make_views(raw, anchors, numbers, uneven), k=3, n_resamples=30, progress=False)
    with pytest.raises(ComparisonError, match="60 distinct atoms"):
        compare(make_views(*arrays), k=60, n_resamples=0, progress=False)


def test_fewer_than_four_atoms_are_refused(arrays):
    raw, anchors, *_ = arrays
    views = make_views({name: x[:3] for name, x in raw.items()}, anchors)
    with pytest.raises(ComparisonError, match=r"3 distinct atoms are too few.*4 are needed"):
        compare(views, k=1, n_resamples=0, progress=False)


def test_a_model_that_sees_the_element_alone_is_named(arrays):
    raw, anchors, *_ = arrays
    first, second = raw["a"][:2]
    elements = np.where(np.arange(60)[:, None] < 50, first, second)
    views = make_views({**raw, "coarse": elements}, {**anchors, "coarse": anchors["a"]})
    with pytest.raises(ComparisonError, match=r"cka_rbf.* of coarse: more than half of the pairs"):
        compare(views, **FAST)


def test_the_structure_that_models_dispute_comes_first(arrays, cells):
    raw, anchors, numbers, structures = arrays
    catalogue = describe(cells[:20])
    moved = raw["twin"].copy()
    moved[structures == 7] *= -1
    disputed = {"a": raw["a"], "twin": moved, "b*random": raw["stranger"]}
    axes = {name: anchors[key] for name, key in zip(disputed, anchors, strict=True)}
    rows = disagreements(make_views(disputed, axes, numbers, structures), catalogue)
    assert [row.structure for row in rows[:1]] == [7]
    assert (rows[0].a, rows[0].b) == ("a", "twin")
    assert rows[0].median == rows[0].largest > 0.5
    assert [row.median for row in rows[1:]] == pytest.approx([0] * 19, abs=1e-6)
    assert rows[0].formula == catalogue.formulas[7]


def test_report_lists_significant_departures_of_learned_models(comparison):
    found, _ = comparison
    rows = [
        Departure("a", "element", "11", 9, 7, 0.9, 0.5, 1e-9, 1e-9),
        Departure("a", "anchor", "3: O in MgO", 9, 7, 0.8, 0.4, 0.01, 0.02),
        Departure("twin", "element", "17", 9, 7, 0.7, 0.3, 0.2, 0.2),
        Departure("b*random", "element", "8", 9, 7, 1.0, 0.9, 0.0, 0.0),
    ]
    html = bias(replace(found, bias=rows))
    for text in (">Na<", "&lt; 1e-06", "3: O in MgO", "(2 are significant)"):
        assert text in html
    for text in (">Cl<", "random"):
        assert text not in html
    assert bias(replace(found, bias=rows[2:])) == ""


def test_composition_ties_between_polymorphs():
    from platonic_ase.compare.measures.arithmetic import score_analogies

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
    assert is_control("chgnet-0.3.0-random")  # by the name of its file
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


def test_orbits_are_those_of_the_structures():
    perfect, rattled = bulk("NaCl", "rocksalt", a=5.6, cubic=True), bulk("MgO", "rocksalt", a=4.2)
    rattled = rattled.repeat((2, 1, 1))
    rattled.rattle(0.2, seed=1)
    catalogue = describe([perfect, rattled, molecule("H2O")])
    first, second, third = np.split(catalogue.orbits, [8, 12])
    assert len(np.unique(first)) == 2
    for number in (11, 17):
        assert len(np.unique(first[perfect.numbers == number])) == 1
    assert len(np.unique(second)) > 1
    assert len(np.unique(third)) == 3
    assert not set(first) & set(second)
    assert not set(second) & set(third)


def with_moments(atoms, moments):
    atoms = atoms.copy()
    atoms.calc = SinglePointCalculator(atoms, magmoms=moments)
    return atoms


def test_moments_of_a_file_are_stitched(cells, few_anchors, mocks, tmp_path):
    # moments that are linear in the position's length, from results and from arrays alike
    moments = [np.linalg.norm(atoms.positions, axis=1) for atoms in cells]
    labelled = [with_moments(a, m) for a, m in zip(cells, moments, strict=True)]
    path = tmp_path / "labelled.xyz"
    write(path, labelled)
    structures = read(path, ":")
    catalogue = describe(structures)
    assert catalogue.magmoms == pytest.approx(np.concatenate(moments))
    vectors = with_moments(cells[0], np.tile([0.0, 3.0, -4.0], (4, 1)))
    assert describe([vectors]).magmoms == pytest.approx(np.full(4, 5.0))
    found, views = compare_models(
        structures, mocks, folder=tmp_path / "e", transport_atoms=40, **FAST
    )
    rows = [row for row in found.stitching if row.label == "magmom"]
    assert len(rows) == 6 * 5
    assert {row.n_rows for row in rows} == {len(views.distinct)}
    assert all(np.isfinite([row.own, row.stitched, row.chance]).all() for row in rows)


class MagneticMock(MockCalculator):
    """Gives every atom of Z electrons a moment of -Z / 10; fails on gallium."""

    implemented_properties = (*MockCalculator.implemented_properties, "magmoms")

    def calculate(self, atoms=None, properties=None, system_changes=None):
        if 31 in atoms.numbers:
            raise RuntimeError("gallium is not my thing")
        super().calculate(atoms, ["energy"], system_changes)
        self.results["magmoms"] = -atoms.numbers / 10


def test_moments_of_a_teacher_are_marked(cells, few_anchors, mocks, tmp_path):
    found, views = compare_models(
        cells, mocks, folder=tmp_path / "e", transport_atoms=40,
        moments_of=("teacher", MagneticMock()), **FAST,
    )  # fmt: skip
    labels = {row.label: row.n_rows for row in found.stitching}
    known = views.structures[views.distinct] % 3 != 2  # every third one has gallium
    assert labels["magmom, predicted by teacher"] == known.sum() < len(known)
    assert "magmom" not in labels
    with pytest.raises(ComparisonError, match="a predicts no magnetic moments"):
        compare_models(
            cells, mocks, folder=tmp_path / "e", moments_of=("a", MockCalculator()), **FAST
        )
    labelled = [with_moments(atoms, np.ones(4)) for atoms in cells]
    with pytest.raises(ComparisonError, match="120 atoms have magnetic moments in the file"):
        compare_models(
            labelled, mocks, folder=tmp_path / "e", moments_of=("t", MagneticMock()), **FAST
        )


def test_analogies_cross_from_model_to_model(arrays):
    raw, anchors, *rest = arrays
    structures = analogy_structures()
    turn = np.linalg.lstsq(raw["a"], raw["twin"], rcond=None)[0]
    crystals = composition_vectors(structures) @ np.random.default_rng(3).normal(size=(118, 8))
    analogies = {"a": crystals, "twin": crystals @ turn}
    analogies["stranger"] = np.random.default_rng(4).normal(size=crystals.shape)
    views = make_views(raw, anchors, *rest, analogies=analogies)
    scores = pooled(arithmetic(views))
    assert len(scores) == 1 + 3 * 3 + 6 * 5
    for space in ("platonic", "standardised"):
        within, across = scores["a", "a", space], scores["a", "twin", space]
        assert across == pytest.approx(within)
        stranger = scores["a", "stranger", space]
        assert stranger["mean_reciprocal_rank"] < 0.3 * within["mean_reciprocal_rank"]
        assert stranger["hits_at_5"] < 5 * stranger["chance_hits_at_5"]
    assert scores["a", "twin", "procrustes"] == pytest.approx(scores["a", "a", "raw"])
    assert ("composition only", "composition only", "composition") in scores


def test_everything_from_calculators_to_report(cells, few_anchors, mocks, tmp_path):
    found, views = compare_models(
        cells, mocks, folder=tmp_path / "e", transport_atoms=40, **{**FAST, "gromov_atoms": 40}
    )
    assert {row.label for row in found.stitching} == {"energy", "element", "coordination"}
    assert {row.by for row in found.bias} == {"element", "family", "space group", "anchor"}
    anchors = [row.label for row in found.bias if row.by == "anchor"]
    assert len(anchors) == 3 * 10
    assert set(anchors) == {f"{k}: {'Cl in NaCl' if k % 2 else 'Mg in MgO'}" for k in range(10)}
    assert {row.model for row in found.analogies} == {"a", "b", "c", "composition only"}
    assert {row.space for row in found.dimension} == {"raw", "platonic"}
    assert sorted(row.structure for row in found.structures) == list(range(30))
    stored = json.loads(found.save(tmp_path / "c.json").read_text())
    assert stored["data"]["n_structures"] == 30
    assert len(stored["transport"]) == 3 * 6 * 3
    assert {row["label"] for row in stored["transport"]} == {"atom", "orbit", "element"}
    assert stored["data"]["gromov_atoms"] == 40
    drawings = draw_all(found, views)
    figures = {"maps", "similarity", "transport", "plan", "analogies", "retrieval", "bias"}
    assert set(drawings) == figures
    html = render(found, views, cells)
    stored = re.search(r'<script type="application/json" id="scene">(.*?)</script>', html, re.S)
    scene = json.loads(stored[1])
    maps = {"map-standardised", "map-raw"}
    names = {"likeness", "distances", "transport", "plan", "stitching", "retrieval", "bias"}
    assert set(scene["charts"]) == names | maps
    heat = scene["charts"]["likeness"]["traces"][1]  # Platonic
    values = {
        tuple(sorted((row.a, row.b))): row.estimate.value
        for row in found.similarity
        if (row.space, row.measure) == ("platonic", "mutual_knn")
    }
    drawn = {
        tuple(said[0].split(" – ")): float(said[2].split()[1]) for said, *_ in heat["customdata"]
    }
    assert drawn == pytest.approx(values, abs=5e-4)
    assert len(scene["groups"]) == 30
    for trace in scene["charts"]["map-raw"]["traces"]:
        for k, text in zip(trace["customdata"], trace["hovertext"], strict=True):
            number = text.split("(")[-1].rstrip(")")
            assert scene["groups"][k]["label"].startswith(f"structure {number}: ")
    n_rows = len(found.similarity)
    assert n_rows > 60
    assert f"<summary>{n_rows} rows</summary>" in html  # long tables are folded
    with pytest.raises(ComparisonError, match="in their order"):
        render(found, views, cells[::-1])
    written = save_all({"plan": drawings["plan"]}, tmp_path / "figures")
    assert {path.suffix for path in written} == {".pdf", ".svg", ".png"}
    assert all(path.stat().st_size > 1000 for path in written)
