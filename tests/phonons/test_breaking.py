import json
import math

import numpy as np
import pytest

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.breaking import (
    SCALE,
    UNIVERSAL,
    SymmetryRisk,
    find_symmetry_risk,
    fit_symmetry_risk,
    intercepts_by_model,
)
from platonic_ase.space.folders import packaged_folder
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.stability.packaging import build_symmetry_risk, fit_universal_risk

IDENTITY = ModelIdentity("pkg", "1", "model", "f00d", "last", 8, "float32")


def risk(**changes):
    values = {
        "name": "test", "package": "pkg", "model": "model", "fingerprint": "f00d", "settings": {},
        "intercept": -0.5, "slope": -1.5, "curvatures": (-1.0, 2.0), "broke": (True, False),
    }  # fmt: skip
    return SymmetryRisk(**{**values, **changes})


def test_the_probability_is_the_formula():
    for curvature in (-3.0, 0.0, 0.4):
        odds = -0.5 - 1.5 * math.asinh(curvature / SCALE)
        assert risk().probability(curvature) == pytest.approx(1 / (1 + math.exp(-odds)))
    assert risk().probability(-1e9) <= 1
    assert risk().probability(1e9) >= 0


def test_a_known_law_is_recovered():
    rng = np.random.default_rng(0)
    curvatures = SCALE * np.sinh(rng.normal(scale=2, size=4000))
    truth = risk()
    broke = rng.random(4000) < [truth.probability(x) for x in curvatures]
    intercept, slope = fit_symmetry_risk(curvatures, broke)
    assert intercept == pytest.approx(truth.intercept, abs=0.15)
    assert slope == pytest.approx(truth.slope, rel=0.1)


def test_both_kinds_are_needed():
    with pytest.raises(ValueError, match="3 of 3 crystals break"):
        fit_symmetry_risk([1.0, 2.0, 3.0], [True, True, True])


def test_a_file_comes_back_as_it_was(tmp_path):
    path = risk().save(tmp_path / "a.symmetry.json")
    assert SymmetryRisk.load(path) == risk()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "other", "version": 1}', '{"kind": "symmetry_risk"}']
)
def test_broken_files_are_refused(tmp_path, text):
    path = tmp_path / "broken.symmetry.json"
    path.write_text(text)
    with pytest.raises(SpaceFileError, match=r"broken\.symmetry\.json"):
        SymmetryRisk.load(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"intercept": float("nan")}, "intercept"),
        ({"slope": "steep"}, "slope"),
        ({"slope": 10**400}, "slope"),
        ({"spread": -0.1}, "spread"),
        ({"spread": None}, "spread"),
        ({"threshold": -1.0}, "threshold"),
        ({"curvatures": [1.0]}, "1 curvatures for 2 crystals"),
        ({"curvatures": [1.0, None]}, "curvatures"),
        ({"broke": [1, 0]}, "broke"),
        ({"settings": []}, "settings"),
        ({"provenance": "mine"}, "provenance"),
        ({"name": 3}, "name"),
        ({"more": 3}, "more"),
    ],
)
def test_files_that_make_no_sense_are_refused(tmp_path, change, said):
    path = risk().save(tmp_path / "a.symmetry.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(SpaceFileError, match=said):
        SymmetryRisk.load(path)


def test_a_file_nested_too_deeply_is_refused(tmp_path):
    path = tmp_path / "a.symmetry.json"
    path.write_text("[" * 100_000)
    with pytest.raises(SpaceFileError, match="no symmetry calibration"):
        SymmetryRisk.load(path)


def test_senseless_numbers_are_refused():
    with pytest.raises(SpaceFileError, match="negative slope"):
        risk(slope=1.0)
    with pytest.raises(SpaceFileError, match="threshold"):
        risk(threshold=1.5)
    with pytest.raises(SpaceFileError, match="spread"):
        risk(spread=math.inf)


def test_a_spread_makes_probabilities_wider_on_both_sides():
    own, wide = risk(), risk(spread=1.5)
    for curvature in (-5.0, -0.5, 0.3, 4.0):
        assert abs(wide.probability(curvature) - 0.5) < abs(own.probability(curvature) - 0.5)
    even = SCALE * math.sinh(-1 / 3)  # where the odds are even they stay so
    assert wide.probability(even) == pytest.approx(0.5) == own.probability(even)


def test_a_spread_is_the_average_over_models():
    """MacKay's formula against the integral over the intercept."""
    wide, offsets = risk(spread=1.0), np.random.default_rng(0).normal(size=20_000)
    for curvature in (-2.0, 0.1, 1.0):
        each = [risk(intercept=-0.5 + d).probability(curvature) for d in offsets]
        assert wide.probability(curvature) == pytest.approx(np.mean(each), abs=0.01)


def test_it_belongs_to_one_model_and_others_get_the_universal_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path))
    universal = find_symmetry_risk(IDENTITY)
    assert universal.universal
    assert universal.name.startswith("universal")
    (tmp_path / "broken.symmetry.json").write_text("{")
    risk().save(tmp_path / "mine.symmetry.json")
    assert find_symmetry_risk(IDENTITY) == risk()
    assert not risk().universal
    other = ModelIdentity.from_dict({**IDENTITY.to_dict(), "fingerprint": "beef"})
    assert find_symmetry_risk(other) == universal
    layer = ModelIdentity.from_dict({**IDENTITY.to_dict(), "layer": "first"})
    assert find_symmetry_risk(layer) == risk()  # it rests on energies alone


def table(title="Model", shift=0.0, n=160, seed=0):
    rng = np.random.default_rng(seed)
    curvatures = SCALE * np.sinh(rng.normal(scale=2, size=n))
    truth = risk(intercept=-0.5 + shift)
    rows = [
        {"name": f"c{k}", "curvature": x, "broke": bool(rng.random() < truth.probability(x))}
        for k, x in enumerate(curvatures)
    ]
    return {"title": title, "about": "how", "identity": IDENTITY.to_dict(), "rows": rows}


def test_packaging(tmp_path):
    made = SymmetryRisk.load(build_symmetry_risk(table(), tmp_path))
    assert list(made.curvatures) == sorted(made.curvatures)
    assert len(made.broke) == 160
    assert made.probability(-1) > 0.5 > made.probability(1)
    assert made.fits(IDENTITY)
    assert made.spread == 0
    few = {**table(), "rows": table()["rows"][:149]}
    one_kind = {**table(), "rows": [{**row, "broke": True} for row in table()["rows"]]}
    assert build_symmetry_risk(few, tmp_path) is build_symmetry_risk(one_kind, tmp_path) is None


def test_the_universal_one_knows_how_far_models_are_apart():
    alike = fit_universal_risk([table("a", n=2000, seed=1), table("b", n=2000, seed=2)])
    apart = fit_universal_risk([table("a", n=2000, seed=1), table("b", 2.0, n=2000, seed=2)])
    assert alike.spread < 0.3
    assert apart.spread == pytest.approx(2.0 / math.sqrt(2), abs=0.3)
    assert apart.package == UNIVERSAL
    assert not apart.fits(IDENTITY)
    assert abs(apart.probability(-1) - 0.5) < abs(alike.probability(-1) - 0.5)


def test_intercepts_of_models():
    rows = table(n=4000)["rows"]
    values = [row["curvature"] for row in rows], [row["broke"] for row in rows]
    models = ["even" if k % 2 == 0 else "odd" for k in range(len(rows))]
    found = intercepts_by_model(0.0, -1.5, *values, models)
    assert found == pytest.approx({"even": -0.5, "odd": -0.5}, abs=0.2)
    values = [1.0, -1.0, 2.0], [False, True, False], ["a", "a", "b"]
    same_kind = intercepts_by_model(0.0, -1.5, *values)
    assert set(same_kind) == {"a"}  # nothing can be said of b


def benchmark_tables(request):
    folder = request.config.rootpath / "tests" / "benchmarks"
    paths = [folder / "symmetry_table.json", *sorted(folder.glob("symmetry_table_*.json"))]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def test_the_packaged_calibrations_are_those_of_the_tables(request, tmp_path):
    tables = benchmark_tables(request)
    own = [path for each in tables if (path := build_symmetry_risk(each, tmp_path))]
    universal = fit_universal_risk(tables)
    shipped = {path.name for path in packaged_folder().glob("*.symmetry.json")}
    assert shipped == {path.name for path in own} | {"universal.symmetry.json"}
    pairs = [(SymmetryRisk.load(path), path.name) for path in own]
    for made, name in [*pairs, (universal, "universal.symmetry.json")]:
        kept = SymmetryRisk.load(packaged_folder() / name)
        assert kept.curvatures == made.curvatures
        assert kept.broke == made.broke
        for value in ("intercept", "slope", "spread"):
            assert getattr(kept, value) == pytest.approx(getattr(made, value), rel=1e-6)
    assert universal.spread > 0
