"""The table of phonon errors, the pack that is shipped, and what the benchmark says of both."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from platonic_ase.calibration import packaging
from platonic_ase.calibration.defaults import file_stem, packaged_folder
from platonic_ase.calibration.packaging import build_phonon_pack
from platonic_ase.calibration.phonon_risk import PhononRisk
from platonic_ase.calibration.phonon_table import (
    ERROR_FEATURES,
    auroc,
    leave_anions_out,
    left_out_scores,
    read_phonon_table,
    spearman,
)
from platonic_ase.errors import SpaceFileError

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TABLE = BENCHMARKS / "phonon_table.json"
MODELS = ("chgnet-0.3.0", "7net-0", "7net-l3i5", "chgnet-0.2.0")


@pytest.fixture(scope="module")
def tables():
    return read_phonon_table(TABLE)


@pytest.fixture(scope="module")
def shipped():
    (path,) = packaged_folder().glob("chgnet-0.3.0-*.phonons.safetensors")
    return PhononRisk.load(path)


@pytest.fixture
def benchmark(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    sys.modules.pop("phonon_risk", None)
    import phonon_risk

    phonon_risk.main(["--resamples", "20"])
    captured = capsys.readouterr()
    return json.loads(captured.out), captured.err


def test_the_table_holds_what_it_says(tables):
    assert set(tables) == set(MODELS)
    assert [len(tables[model]) for model in MODELS] == [73, 73, 49, 49]
    for table in tables.values():
        assert len(set(zip(table.formulas, table.prototypes, strict=True))) == len(table)
        assert (table.relative_errors > 0).all()
        assert np.array_equal(table.imaginary, table.frequencies["lowest"] < -0.1)
        assert all(np.isfinite(table.feature(name)).all() for name in ERROR_FEATURES)


def test_the_shipped_pack_is_the_fit_of_the_table(tables, shipped, tmp_path):
    path = build_phonon_pack(shipped.identity, tables["chgnet-0.3.0"], tmp_path)
    assert path.name == f"{file_stem(shipped.identity)}.phonons.safetensors"
    refit = PhononRisk.load(path)
    assert (refit.name, refit.identity) == (shipped.name, shipped.identity)
    assert refit.provenance == shipped.provenance
    assert refit.element_counts == shipped.element_counts
    assert refit.sigma == pytest.approx(shipped.sigma, abs=1e-6)
    for part in ("error", "imaginary"):
        mine, theirs = getattr(refit, part), getattr(shipped, part)
        assert mine.features == theirs.features
        assert mine.intercept == pytest.approx(theirs.intercept, abs=1e-6)
        for name in ("mean", "scale", "coefficients"):
            assert getattr(mine, name) == pytest.approx(getattr(theirs, name), abs=1e-6)


def test_the_benchmark_agrees_with_the_pack_and_beats_its_baselines(benchmark, shipped):
    found, text = benchmark
    scores = shipped.provenance["scores"]
    chgnet = found["models"]["chgnet-0.3.0"]
    assert chgnet["features"]["auroc"][0] == pytest.approx(
        scores["auroc_above_25_percent"], abs=5e-3
    )
    assert chgnet["features"]["spearman"][0] == pytest.approx(scores["spearman"], abs=5e-3)
    assert (chgnet["alarm"]["hits"], chgnet["alarm"]["false_alarms"]) == (
        scores["hits"],
        scores["false_alarms"],
    )
    for model in MODELS:
        each = found["models"][model]
        value, low, high = each["features"]["auroc"]
        assert 0 <= low <= value <= high <= 1
        assert all(value > other["auroc"][0] for other in each["baselines"].values())
        assert set(each["universal"]) == {"model left out", "family left out"}
        assert model in text
    assert found["left_out"] == scores["left_out"]


def test_what_is_left_out_is_not_seen(tables):
    table = tables["chgnet-0.3.0"]
    out = leave_anions_out(table)
    tellurides = np.array(table.anions) == "Te"
    errors = np.where(tellurides, 9.0, table.relative_errors)
    tampered = type(table)(**{**vars(table), "relative_errors": errors})
    again = leave_anions_out(tampered)
    assert np.array_equal(again.root_error[tellurides], out.root_error[tellurides])
    assert not np.allclose(again.root_error[~tellurides], out.root_error[~tellurides])


def test_scores():
    labels = np.array([True, False, True, False])
    assert auroc(labels, np.array([3.0, 1.0, 2.0, 0.0])) == 1.0
    assert auroc(labels, np.array([1.0, 1.0, 1.0, 1.0])) == 0.5
    assert auroc(labels, np.array([2.0, 1.0, 0.0, 3.0])) == 0.25
    assert np.isnan(auroc(np.zeros(4, dtype=bool), np.arange(4.0)))
    assert np.isnan(auroc(labels, np.array([np.nan, 1.0, 2.0, 3.0])))
    assert spearman(np.array([1.0, 2.0, 30.0]), np.array([4.0, 5.0, 6.0])) == pytest.approx(1)


def test_a_score_that_is_not_defined_is_not_stated(tables):
    assert "auroc_above_25_percent" not in left_out_scores(tables["7net-l3i5"])


def test_broken_tables(tmp_path):
    with pytest.raises(SpaceFileError, match="no phonon table"):
        read_phonon_table(tmp_path / "none.json")
    path = tmp_path / "bad.json"
    path.write_text('{"columns": ["formula"], "models": {"m": {"title": "M", "rows": [["X"]]}}}')
    with pytest.raises(SpaceFileError, match="no table of phonon errors"):
        read_phonon_table(path)


def test_packaging_needs_a_table_with_the_model(monkeypatch, capsys):
    arguments = ["packaging", "phonons", "--calculator", "mace-mp-0", "--table", str(TABLE)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        packaging.main()
    assert "--table with mace-mp-0" in capsys.readouterr().err
