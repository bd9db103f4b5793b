"""The crystals that nothing was chosen on, and the benchmark that predicts them."""

import json
from pathlib import Path

import numpy as np
import pytest

from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.phonons.spectra import best_log_factor, relative_error
from platonic_ase.phonons.table import ERROR_FEATURES, read_phonon_table
from platonic_ase.space.folders import packaged_folder

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SPECTRA = Path(__file__).parents[3] / "shared" / "data" / "phonondb_pbe_73.json"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import phonon_unseen

    return phonon_unseen


@pytest.fixture(scope="module")
def stored():
    return json.loads((BENCHMARKS / "phonon_unseen.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def unseen():
    return read_phonon_table(BENCHMARKS / "phonon_unseen.json")


def test_no_crystal_is_in_the_packs(unseen):
    fitted = read_phonon_table(BENCHMARKS / "phonon_table.json")
    for model, table in unseen.items():
        known = {row.key for row in fitted[model].rows}
        assert not known & {row.key for row in table.rows}
        assert len({row.key for row in table.rows}) == len(table)


def test_labels_follow_from_the_spectra(unseen, stored):
    column = stored["columns"].index("teacher_quantiles")
    for model, table in unseen.items():
        for row, raw in zip(table.rows, stored["models"][model]["rows"], strict=True):
            truth = np.array(raw[column])
            assert truth[0] >= -0.1
            assert row.imaginary is (row.lowest < -0.1)
            assert row.relative_error == pytest.approx(
                relative_error(row.quantiles, truth), abs=2e-3
            )
            assert row.log_factor == pytest.approx(
                best_log_factor(np.array(row.quantiles), truth), abs=2e-3
            )
            assert all(np.isfinite(getattr(row.features, name)) for name in ERROR_FEATURES)


def test_another_truth_is_told_exactly(benchmark, unseen):
    table = unseen["7net-0"]
    stable = table.where(lambda row: not row.imaginary)
    again = benchmark.retold(stable, np.exp(0.3) * stable.column("quantiles"))
    assert again.column("log_factor") == pytest.approx(0.3)
    assert again.relative_errors == pytest.approx(1 - np.exp(-0.3), abs=1e-3)  # quantiles of -0.0


def test_the_pack_that_is_scored_is_the_one_that_is_shipped(benchmark, unseen, capsys):
    if not SPECTRA.is_file():
        pytest.skip(f"no DFT spectra at {SPECTRA}: they are not part of the repository")
    benchmark.main([str(SPECTRA), "--resamples", "20"])
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    shipped = [PhononRisk.load(path) for path in packaged_folder().glob("*-*.phonons.safetensors")]
    for model, table in unseen.items():
        (pack,) = [pack for pack in shipped if pack.name.startswith(f"{table.title}, ")]
        scores = found["unseen"][f"{model}, unseen, truth times 1.00"]
        risks = [pack.inside(row.features) for row in table.rows]
        alarms = [risk.probability_above_25_percent > 0.5 for risk in risks]
        large = table.relative_errors > 0.25
        assert scores["alarm"]["hits"] == f"{(large & alarms).sum()} of {large.sum()}"
        assert found["taught"][model]["DFT"]["spearman"][0] == pytest.approx(
            pack.provenance["scores"]["spearman"], abs=5e-3
        )
        assert model in captured.err
