"""Force bounds: the level that they promise, on data whose errors are known exactly."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binom

from platonic_ase.calibrate.force_fit import (
    fit_errors,
    fit_force_bound,
    growth_beyond,
    left_out_bounds,
    pinball,
    principal_components,
)
from platonic_ase.calibrate.force_reference import choose_references, distances_to_others
from platonic_ase.calibrate.force_scores import (
    bounds_beyond,
    bounds_left_out,
    chemistries,
    score_bounds,
)
from platonic_ase.calibrate.force_table import ForceErrors, deal, join
from platonic_ase.calibrate.force_width import POOLED, SHORTEST, Growth, unit_of_reach
from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.monitor.error_scale import ErrorScale, unfamiliarity, widths
from platonic_ase.monitor.force_bound import ForceBound, exceedance
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.folders import file_stem
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.packs import find_pack, resolve_pack

K = 6
IDENTITY = ModelIdentity("mock", "1", "mock", "ab12", "last", 4, "float64", {})

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def make_anchors(seed=0):
    rng = np.random.default_rng(seed)
    return AnchorSet(rng.normal(size=(K, 4)), np.full(K, 6), IDENTITY)


def make_table(
    n_structures=300, atoms=6, seed=0, true_slope=0.3, elements=(8, 9, 16, 26), copies=2
):
    """Errors of size (0.05 + 0.3 |F|) exp(z_0 / 2) times a chi of three directions.

    There are so many copies of each compound."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 2 * atoms, size=n_structures)
    structures = np.repeat(np.arange(n_structures), sizes)
    n = len(structures)
    # structures differ: their atoms are not independent
    common = rng.normal(size=n_structures)[structures]
    z = rng.normal(size=(n, K)) * 0.3 + 0.2 * common[:, None]
    forces = rng.normal(size=(n, 3)) * np.exp(rng.normal(size=n) + 0.3 * common)[:, None]
    size = np.linalg.norm(forces, axis=1)
    scale = (0.05 + true_slope * size) * np.exp(z[:, 0] / 2)
    compound = np.arange(n_structures) // copies
    truth = forces + scale[:, None] * rng.normal(size=(n, 3))
    numbers = np.asarray(elements)[np.arange(n_structures) % len(elements)][structures]
    groups = np.array([f"compound {k}" for k in compound])
    # of one element all embeddings are the same: nothing is unfamiliar
    embeddings = numbers[:, None] + np.zeros((n, 4))
    return ForceErrors(z, embeddings, forces, truth, numbers, structures, groups)


def bounds_of(pack, table):
    """Bounds of all atoms, structure by structure."""
    bounds = np.empty(len(table))
    for structure in np.unique(table.structures):
        own = table.structures == structure
        sizes = pack.sizes(
            table.forces[own], table.platonic[own], table.embeddings[own], table.numbers[own]
        )
        bounds[own] = pack.bounds(sizes)
    return bounds


def compound_coverage(table, bounds):
    within = table.errors <= bounds
    return np.bincount(table.compounds, within) / np.bincount(table.compounds)


def test_covers_new_structures_at_the_level():
    """Within the binomial limits of 600 structures, were each one atom only; more atoms are less
    noisy."""
    pack = fit_force_bound("mock", make_table(400, seed=1), make_anchors())
    fresh = make_table(600, seed=2)
    covered = compound_coverage(fresh, bounds_of(pack, fresh)).mean()
    # noise of the 600 and of the 400 that set the quantile
    low, high = binom.ppf([0.001, 0.999], 240, 0.9) / 240
    assert low < covered < high


def test_the_interval_of_the_coverage_draws_compounds():
    table = make_table(200, copies=20)
    half = np.where(table.compounds % 2 == 0, np.inf, 0.0)  # covered or not, as a whole
    scores = score_bounds(table, half)
    assert scores["compounds"] == 10
    low, high = scores["coverage_interval"]
    # of 10 fair coins; 200 structures would have an interval four times as narrow
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(10), rel=0.15)


def test_finds_the_size_of_the_error():
    table = make_table(500, seed=3)
    pack = fit_force_bound("mock", table, make_anchors())
    bounds = bounds_of(pack, table)
    size = np.linalg.norm(table.forces, axis=1)
    true_scale = (0.05 + 0.3 * size) * np.exp(table.platonic[:, 0] / 2)
    ratio = bounds / true_scale
    # 90 % of a chi of three degrees of freedom: 2.50
    assert np.median(ratio) == pytest.approx(2.50, rel=0.15)
    assert np.std(np.log(ratio)) < 0.2


def make_scale(**changes):
    values = {
        "intercept": np.log(0.5), "floor": 0.25, "power": 0.5, "mean": np.zeros(K),
        "directions": np.eye(K)[:, :1], "coefficients": np.array([np.log(2.0)]),
        "references": np.zeros((1, 4)), "reference_numbers": np.array([6]), "reach": 2.0,
        "growth": 1.0,
    }  # fmt: skip
    return ErrorScale(**{**values, **changes})


def test_the_size_of_an_error_is_the_formula():
    forces = np.array([[0.0, 0.0, 0.0], [0.0, 0.75, 0.0]])
    platonic = np.zeros((2, K))
    platonic[1, 0] = 1.0
    carbon, at_references = np.array([6, 6]), np.zeros((2, 4))
    sizes = make_scale()(forces, platonic, at_references, carbon)
    np.testing.assert_allclose(sizes, [0.5 * 0.5, 0.5 * 1.0 * 2.0])
    # both atoms two reaches away: w = 2 ** p, and the kind of environment counts for 1 / w ** 2
    far = np.zeros((2, 4))
    far[:, 3] = 4.0
    sizes = make_scale()(forces, platonic, far, carbon)
    np.testing.assert_allclose(sizes, [2 * 0.25, 2 * 0.5 * 2 ** (1 / 4)])
    sizes = make_scale(growth=2.0)(forces, platonic, far, carbon)
    np.testing.assert_allclose(sizes, [4 * 0.25, 4 * 0.5 * 2 ** (1 / 16)])


def test_one_unfamiliar_atom_widens_its_own_bound_most():
    embeddings = np.zeros((8, 4))
    embeddings[3, 0] = 4.0
    width = make_scale().widths(embeddings, np.full(8, 6))
    # u² = (r² + mean r²) / 2: 9 there and 1 elsewhere, where the reach is 2
    np.testing.assert_allclose(width[3], 3 / 2)
    np.testing.assert_array_equal(np.delete(width, 3), 1.0)


def test_an_unknown_element_is_as_far_as_the_nearest_of_any():
    embeddings = np.array([[0.0, 3.0, 0.0, 0.0]])
    known = make_scale().widths(embeddings, np.array([6]))
    np.testing.assert_array_equal(make_scale().widths(embeddings, np.array([92])), known)


def test_exceedance_is_one_less_the_distribution():
    quantiles = np.linspace(0, 2, 101)  # uniform on 0..2
    values = np.array([0.5, 1.0, 1.5])
    np.testing.assert_allclose(exceedance(values, quantiles), [0.75, 0.5, 0.25])
    # what no draw has shown is neither certain nor impossible
    np.testing.assert_allclose(exceedance(np.array([-1.0, 9.0]), quantiles), [100 / 101, 1 / 101])


def test_stated_probabilities_are_frequencies():
    pack = fit_force_bound("mock", make_table(600, seed=1), make_anchors())
    fresh = make_table(1000, seed=2)
    sizes = bounds_of(pack, fresh) / pack.quantile
    for limit in (0.1, 0.3, 1.0):
        stated = pack.probabilities(sizes, limit)
        happened = fresh.errors > limit
        for low in (0.0, 0.25, 0.5, 0.75):
            some = (stated >= low) & (stated < low + 0.25)
            if some.sum() < 300:
                continue
            assert happened[some].mean() == pytest.approx(stated[some].mean(), abs=0.06)


def test_bound_and_probability_are_one_statement():
    """The error exceeds a bound at 90 % with a probability of 10 %."""
    pack = fit_force_bound("mock", make_table(400), make_anchors())
    stated = pack.probabilities(np.ones(1), float(pack.bounds(np.ones(1))[0]))
    assert stated[0] == pytest.approx(0.1, abs=0.01)


def test_far_from_the_calibration_bounds_grow_with_a_power_of_the_distance():
    """So errors that do are covered, though no label of the fit shows any."""
    table = make_table(400, seed=1)
    rng = np.random.default_rng(3)
    spread = rng.normal(size=table.embeddings.shape)
    table = ForceErrors(**{**vars(table), "embeddings": table.embeddings + spread})
    pack = fit_force_bound("mock", table, make_anchors())
    fresh = make_table(300, seed=2)
    away, farther = (
        ForceErrors(**{**vars(fresh), "embeddings": fresh.embeddings + step * np.eye(4)[0]})
        for step in (100 * pack.scale.reach, 200 * pack.scale.reach)
    )
    steeper = 2**POOLED.power * bounds_of(pack, away)
    np.testing.assert_allclose(bounds_of(pack, farther), steeper, rtol=0.1)
    growth = (bounds_of(pack, away) / bounds_of(pack, fresh))[:, None]
    wrong = fresh.forces + growth * (fresh.true_forces - fresh.forces)
    covered = score_bounds(
        ForceErrors(**{**vars(away), "true_forces": wrong}), bounds_of(pack, away)
    )["coverage"]
    assert covered > 0.8
    assert score_bounds(away, bounds_of(pack, fresh))["coverage"] == pytest.approx(covered)


def make_kinds(growth, seed=0):
    """A table in kind, and two of other kinds, whose errors grow by a law that is known."""
    made = [make_table(n, seed=seed + k) for k, n in enumerate((400, 300, 300))]
    rng = np.random.default_rng(seed)
    for k, table in enumerate(made):
        step = 3.0 * k * np.linspace(0, 1, len(table.groups))[table.structures]
        away = step[:, None] * np.eye(4)[k] + rng.normal(size=table.embeddings.shape)
        made[k] = ForceErrors(
            **{
                **vars(table),
                "platonic": 0 * table.platonic,
                "embeddings": table.embeddings + away,
                "groups": np.array([f"kind {k}, {name}" for name in table.groups]),
            }
        )
    whole, ends = join(made), np.cumsum([len(table) for table in made])[:-1]
    distances = distances_to_others(whole, choose_references(made[0]))
    parts = np.split(unfamiliarity(distances, whole.structures), ends)
    reach = growth.onset * unit_of_reach(parts[0], made[0].compounds)
    for k, (table, part) in enumerate(zip(made, parts, strict=True)):
        w = widths(part, reach, growth.power)[:, None]
        wrong = table.forces + w * (table.true_forces - table.forces)
        made[k] = ForceErrors(**{**vars(table), "true_forces": wrong})
    return made[0], made[1:]


@pytest.mark.parametrize("growth", [Growth(0.8, 1.0), Growth(SHORTEST, 2.0)])
def test_a_law_of_growth_is_found_again(growth):
    table, others = make_kinds(growth)
    found = growth_beyond(table, others)
    assert found.onset == pytest.approx(growth.onset, rel=0.2)
    assert found.power == pytest.approx(growth.power, rel=0.2)
    # the nearer kind is covered by what is learnt on the farther, and the level in kind stays
    nearer = bounds_beyond(table, {"near": others[0], "far": others[1]})["near"]
    assert 0.85 < score_bounds(others[0], nearer)["coverage"] < 0.95
    in_kind = bounds_left_out(table, growth=found)["compounds"]
    assert 0.87 < score_bounds(table, in_kind)["coverage"] < 0.93


def test_too_little_growth_is_seen_by_the_score():
    table, others = make_kinds(Growth(SHORTEST, 2.0))
    fitted = fit_errors(table, growth=Growth(2.0, 1.0))
    bounds = fitted.quantile * fitted.sizes(others[1])
    assert score_bounds(others[1], bounds)["coverage"] < 0.8


def test_errors_that_do_not_grow_need_no_width():
    table, others = make_kinds(Growth(100.0, 1.0))
    assert growth_beyond(table, others).onset > 2


def test_without_labels_of_another_kind_growth_is_that_of_other_models():
    assert growth_beyond(make_table(40), []) == POOLED
    learnt = json.loads((BENCHMARKS / "force_growth.json").read_text())
    onset, power = np.mean([each["both"] for each in learnt.values()], axis=0)
    assert len(learnt) == 6
    assert (POOLED.onset, POOLED.power) == (pytest.approx(onset, abs=0.05), round(power, 1))


def test_a_kind_does_not_tell_its_own_bounds():
    """Neither by its labels, nor by those of its compounds in the other tables."""
    table, (one, two) = make_kinds(Growth(0.8, 1.0))
    shared = {
        **vars(table),
        "groups": np.where(table.groups == "kind 0, compound 3", two.groups[0], table.groups),
    }
    table = ForceErrors(**shared)
    before = bounds_beyond(table, {"one": one, "two": two})["two"]
    changed = ForceErrors(**{**vars(two), "true_forces": two.true_forces + 100.0})
    own = table.groups[table.structures] == two.groups[0]
    assert own.any()
    spoiled = ForceErrors(
        **{**vars(table), "true_forces": table.true_forces + 100.0 * own[:, None]}
    )
    after = bounds_beyond(spoiled, {"one": one, "two": changed})["two"]
    np.testing.assert_array_equal(before, after)


def test_distances_are_to_other_compounds():
    table = make_table(40)
    rng = np.random.default_rng(0)
    table = ForceErrors(**{**vars(table), "embeddings": rng.normal(size=(len(table), 4))})
    references = choose_references(table, per_element=30)
    assert len(references) <= 4 * 30
    found = distances_to_others(table, references, neighbours=1)
    group = table.groups[table.structures]
    for i in range(0, len(table), 17):
        others = references[
            (table.numbers[references] == table.numbers[i]) & (group[references] != group[i])
        ]
        apart = np.linalg.norm(table.embeddings[others] - table.embeddings[i], axis=1)
        assert found[i] == pytest.approx(apart.min())


def test_rotated_and_permuted_atoms_have_the_same_bounds():
    table = make_table(200)
    pack = fit_force_bound("mock", table, make_anchors())
    one = table.take(table.structures == int(np.bincount(table.structures).argmax()))
    bounds = bounds_of(pack, one)
    rotation, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    turned = ForceErrors(**{**vars(one), "forces": one.forces @ rotation})
    np.testing.assert_allclose(bounds_of(pack, turned), bounds)
    order = np.random.default_rng(6).permutation(len(one))
    np.testing.assert_allclose(bounds_of(pack, one.take(order)), bounds[order], rtol=1e-12)


def test_the_fit_does_not_depend_on_the_order_of_the_atoms():
    table = make_table(200)
    order = np.random.default_rng(7).permutation(len(table))
    one = fit_force_bound("mock", table, make_anchors())
    other = fit_force_bound("mock", table.take(order), make_anchors())
    np.testing.assert_allclose(
        bounds_of(other, table),
        bounds_of(one, table),
        rtol=0.05,  # the minimum is flat
    )


def test_copies_of_a_compound_are_never_on_both_sides():
    table = make_table(200)
    fold = deal(table, 5)
    for group in set(table.groups):
        assert len(set(fold[table.groups[table.structures] == group])) == 1


def test_a_structure_does_not_tell_its_own_bound():
    """Whatever the labels of the part left out are, its bounds stay the same."""
    table = make_table(200)
    parts = deal(table, 3, seed=1)
    before = left_out_bounds(table, parts)
    changed = table.true_forces.copy()
    changed[parts == 0] += 100.0
    spoiled = ForceErrors(**{**vars(table), "true_forces": changed})
    after = left_out_bounds(spoiled, parts)
    np.testing.assert_array_equal(after[parts == 0], before[parts == 0])
    assert (after[parts == 1] > before[parts == 1]).all()


def test_a_wrong_level_is_seen_by_the_score():
    table = make_table(300)
    pack = fit_force_bound("mock", table, make_anchors(), level=0.6)
    bounds = bounds_of(pack, table)
    assert score_bounds(table, bounds)["coverage"] == pytest.approx(0.6, abs=0.05)


def test_scores_of_known_bounds():
    table = make_table(100)
    scores = score_bounds(table, table.errors)
    assert scores["coverage"] == scores["coverage_of_atoms"] == 1.0
    assert scores["median_ratio"] == pytest.approx(1.0)
    assert scores["auroc_worst_tenth"] == 1.0
    half = np.where(table.structures < 50, np.inf, 0.0)
    assert score_bounds(table, half)["coverage"] == pytest.approx(0.5)


def test_anions_left_out_are_not_seen_at_all():
    table = make_table(200)
    parts, barred, names = chemistries(table)
    assert names == ["F", "O", "S", "none"]  # 26 is iron
    for part, (name, unseen) in enumerate(zip(names, barred, strict=True)):
        number = {"F": 9, "O": 8, "S": 16, "none": 26}[name]
        assert set(table.numbers[parts == part]) == {number}
        assert number not in table.numbers[~unseen]


def test_scores_of_what_was_left_out():
    table = make_table(300)
    scores = {
        name: score_bounds(table, found) for name, found in bounds_left_out(table, folds=3).items()
    }
    assert scores["compounds"]["structures"] == scores["anions"]["structures"] == 300
    assert 0.85 < scores["compounds"]["coverage"] < 0.95


def test_pinball_is_the_derivative_and_has_its_minimum_at_the_quantile():
    residuals = np.linspace(-1, 1, 401)
    loss, slope = pinball(residuals, 0.9)
    np.testing.assert_allclose(np.gradient(loss, residuals)[1:-1], slope[1:-1], atol=0.05)
    values = np.random.default_rng(0).normal(size=20_000)
    shifts = np.linspace(0, 3, 301)
    best = shifts[np.argmin([pinball(values - s, 0.9)[0].sum() for s in shifts])]
    assert best == pytest.approx(np.quantile(values, 0.9), abs=0.05)


def test_principal_components_are_standardised():
    cloud = np.random.default_rng(0).normal(size=(500, K)) * np.arange(1, K + 1)
    mean, directions = principal_components(cloud, 3)
    x = (cloud - mean) @ directions
    np.testing.assert_allclose(np.cov(x.T), np.eye(3), atol=1e-10)
    assert abs(np.corrcoef(x[:, 0], cloud[:, -1])[0, 1]) > 0.99


def test_too_few_compounds_are_refused():
    with pytest.raises(ValueError, match=r"8 compounds are too few for a bound.*least 10 are"):
        fit_force_bound("mock", make_table(16), make_anchors())
    ten = make_table(20)
    pack = fit_force_bound("mock", ten, make_anchors())
    assert pack.provenance["compounds"] == 10
    assert not np.isnan(bounds_left_out(ten)["compounds"]).any()  # each by the nine others
    lone = make_table(120)
    one = ForceErrors(**{**vars(lone), "groups": np.full(120, "NaCl")})
    with pytest.raises(ValueError, match=r'all structures are of NaCl.*info\["group"\]'):
        fit_force_bound("mock", one, make_anchors())


def test_few_compounds_are_left_out_one_by_one():
    lone = make_table(120)
    few = ForceErrors(**{**vars(lone), "groups": np.array([f"run {k % 3}" for k in range(120)])})
    assert sorted(set(deal(few, 5))) == [0, 1, 2]
    at_half = bounds_left_out(few, level=0.5)["compounds"]
    assert 0.3 < score_bounds(few, at_half)["coverage"] < 0.9
    assert np.isnan(bounds_left_out(few)["compounds"]).all()  # two bound no third at 90 %


def test_files_come_back(tmp_path):
    pack = fit_force_bound("mock", make_table(200), make_anchors(), provenance={"source": "mock"})
    read = ForceBound.load(pack.save(tmp_path / "m.forces.safetensors"))
    table = make_table(20, seed=9)
    np.testing.assert_allclose(
        bounds_of(read, table),
        bounds_of(pack, table),
        rtol=1e-4,
    )
    assert (read.name, read.elements) == (pack.name, pack.elements)
    np.testing.assert_allclose(read.ratios, pack.ratios, rtol=1e-6)
    assert read.provenance["source"] == "mock"
    assert read.provenance["structures"] == 200


def test_broken_files_are_refused(tmp_path):
    path = fit_force_bound("mock", make_table(200), make_anchors()).save(tmp_path / "m.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SpaceFileError, match="truncated"):
        ForceBound.load(path)
    with pytest.raises(SpaceFileError, match="no force_bound file"):
        ForceBound.load(tmp_path / "none.safetensors")
    with pytest.raises(SpaceFileError):
        ForceBound.load(make_anchors().save(tmp_path / "anchors.safetensors"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": 1.5}, "level"),
        ({"quantile": -1.0}, "quantile"),
        ({"ratios": np.array([1.0, 0.5])}, "do not fall"),
    ],
)
def test_impossible_values_are_refused(change, message):
    pack = fit_force_bound("mock", make_table(200), make_anchors())
    with pytest.raises(SpaceFileError, match=message):
        ForceBound(**{**vars(pack), **change})
    for name in ("floor", "power", "reach", "growth"):
        with pytest.raises(SpaceFileError, match=name):
            make_scale(**{name: 0.0})
    with pytest.raises(SpaceFileError, match=r"\(M, d\) and \(M,\)"):
        make_scale(reference_numbers=np.array([6, 6]))


def test_other_models_and_anchors_are_refused():
    pack = fit_force_bound("mock", make_table(200), make_anchors())
    pack.require(make_anchors())
    with pytest.raises(ModelMismatchError, match="anchors"):
        pack.require(make_anchors(seed=1))
    other = AnchorSet(
        make_anchors().embeddings,
        np.full(K, 6),
        ModelIdentity("mock", "1", "mock", "cd34", "last", 4, "float64", {}),
    )
    with pytest.raises(ModelMismatchError, match="cd34"):
        pack.require(other)


def test_the_users_pack_comes_first_and_a_broken_one_is_passed_over(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path / "cache"))
    anchors, own = make_anchors(), tmp_path / "own"
    assert find_pack(anchors, ForceBound, "forces") is None
    assert resolve_pack(anchors, "default", ForceBound, "forces") is None
    name = f"{file_stem(IDENTITY)}.forces.safetensors"
    cached = fit_force_bound("cached", make_table(200), anchors).save(tmp_path / "cache" / name)
    fit_force_bound("mine", make_table(200), anchors).save(own / name)
    assert find_pack(anchors, ForceBound, "forces").name == "cached"
    assert find_pack(anchors, ForceBound, "forces", calibration=own).name == "mine"
    assert resolve_pack(anchors, None, ForceBound, "forces", calibration=own) is None
    assert resolve_pack(anchors, cached, ForceBound, "forces", calibration=own).name == "cached"
    (own / name).write_bytes(b"nonsense")
    assert find_pack(anchors, ForceBound, "forces", calibration=own).name == "cached"
    assert "is not used" in caplog.text


def test_arrays_that_do_not_fit_are_refused():
    table = make_table(10)
    with pytest.raises(ValueError, match="one row an atom"):
        ForceErrors(**{**vars(table), "forces": table.forces[1:]})
    with pytest.raises(ValueError, match="structures only"):
        ForceErrors(**{**vars(table), "groups": table.groups[:3]})


def test_packaged_bounds_belong_to_packaged_anchors():
    from platonic_ase.space.folders import packaged_folder

    paths = sorted(packaged_folder().glob("*.forces.safetensors"))
    assert paths
    for path in paths:
        pack = ForceBound.load(path)
        anchors = path.with_name(path.name.replace(".forces.", ".anchors."))
        pack.require(AnchorSet.load(anchors))
        left_out = pack.provenance["left_out"]["compounds"]
        low, high = left_out["coverage_interval"]
        assert low <= 0.90 <= high
        # few frames leave the width of a bound less well known, never the share it holds
        assert left_out["median_ratio"] <= (3 if left_out["structures"] >= 1000 else 4)
        assert "CC BY 4.0" in pack.provenance["source"]


def test_results_without_a_pack_are_uncalibrated():
    from platonic_ase.monitor import ForceErrorBound

    frame = SimpleNamespace(results={"forces": np.zeros((1, 3))})
    assert ForceErrorBound().examine(frame, []).risks == {"force_error": "uncalibrated"}
