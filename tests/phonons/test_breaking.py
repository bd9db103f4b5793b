import json
import math

import numpy as np
import pytest

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.breaking import (
    SCALE,
    SymmetryRisk,
    find_symmetry_risk,
    fit_symmetry_risk,
)
from platonic_ase.space.folders import packaged_folder
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.stability.packaging import build_symmetry_risk

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


def test_it_belongs_to_one_model(tmp_path, monkeypatch):
    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path))
    assert find_symmetry_risk(IDENTITY) is None
    (tmp_path / "broken.symmetry.json").write_text("{")
    risk().save(tmp_path / "mine.symmetry.json")
    assert find_symmetry_risk(IDENTITY) == risk()
    other = ModelIdentity.from_dict({**IDENTITY.to_dict(), "fingerprint": "beef"})
    assert find_symmetry_risk(other) is None
    layer = ModelIdentity.from_dict({**IDENTITY.to_dict(), "layer": "first"})
    assert find_symmetry_risk(layer) is not None  # it rests on energies alone


def test_packaging(tmp_path):
    rows = [{"name": f"c{k}", "curvature": x, "broke": x < 0} for k, x in enumerate((1, -1, 2, -2))]
    path = build_symmetry_risk(IDENTITY, {"title": "Model", "about": "how", "rows": rows}, tmp_path)
    made = SymmetryRisk.load(path)
    assert made.curvatures == (-2, -1, 1, 2)
    assert made.broke == (True, True, False, False)
    assert made.probability(-1) > 0.5 > made.probability(1)
    assert made.fits(IDENTITY)


def test_the_packaged_calibration_is_that_of_the_table(request):
    table = request.config.rootpath / "tests" / "benchmarks" / "symmetry_table.json"
    rows = json.loads(table.read_text(encoding="utf-8"))["rows"]
    intercept, slope = fit_symmetry_risk(
        [round(row["curvature"], 4) for row in rows], [row["broke"] for row in rows]
    )
    (path,) = packaged_folder().glob("chgnet-0.3.0-*.symmetry.json")
    shipped = SymmetryRisk.load(path)
    assert len(shipped.broke) == len(rows)
    assert shipped.intercept == pytest.approx(intercept, rel=1e-6)
    assert shipped.slope == pytest.approx(slope, rel=1e-6)
