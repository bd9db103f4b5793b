import json
import tracemalloc

import numpy as np
import pytest
from ase.build import bulk
from ase.db import connect
from ase.io import read
from screening import make

from platonic_ase.errors import MissingExtraError, ScreenError
from platonic_ase.screen import conclude_screening, screen
from platonic_ase.screen.parquet import _column, write_parquet
from platonic_ase.screen.ranking import ranked, resolve, score, select
from platonic_ase.screen.rows import structure_of
from platonic_ase.screen.store import latest_rows


def row(index, risk, platonic=None, **more):
    return {
        "id": index, "name": f"s{index}", "error": None, "formula": "Cu", "space_group": None,
        "space_group_after": None, "energy": -1.0, "largest_force": 0.5, "ended": "finished",
        "worst": {"extrapolation_score": risk}, "risks": {"force_error": "uncalibrated"},
        "events": {}, "covered": True, "not_covered": [], "structure": structure_of(bulk("Cu")),
        "platonic": platonic, "seconds": 1.0, **more,
    }  # fmt: skip


def test_risk_is_the_first_number_that_rows_have():
    rows = [row(0, 0.1), row(1, 0.3), row(2, 0.2)]
    assert resolve(rows) == "worst.extrapolation_score"
    assert [r["id"] for r in ranked(rows, resolve(rows))] == [1, 2, 0]
    calibrated = [*rows, row(3, 0.0, risks={"force_error_bound": 0.7})]
    assert resolve(calibrated) == "risks.force_error_bound"
    assert resolve(rows, "largest_force") == "largest_force"
    with pytest.raises(ScreenError, match=r"no row has that number.*worst\.extrapolation_score"):
        resolve(rows, "beauty")


def test_the_selection_is_risky_and_diverse():
    """Two clusters among the risky ones: one of each, though one holds the four riskiest."""
    rng = np.random.default_rng(0)
    near = [row(k, 10 - k, [0.0, *rng.normal(0, 1e-3, 3)]) for k in range(4)]
    far = [row(4, 5.0, [1.0, 0.5, 0.5, 0.5])]
    harmless = [row(5 + k, 0.1, [0.5, *rng.normal(0, 1, 3)]) for k in range(20)]
    rows = near + far + harmless
    chosen = {r["id"] for r in select(rows[:5] + rows[10:15], 2, "worst.extrapolation_score")}
    assert len(chosen) == 2
    pool = [*near, *far]
    chosen = {r["id"] for r in select(pool, 2, "worst.extrapolation_score")}
    assert 4 in chosen
    assert chosen & {0, 1, 2, 3}
    # without coordinates to tell them apart, the riskiest
    plain = [row(k, 10 - k) for k in range(6)]
    assert [r["id"] for r in select(plain, 2, "worst.extrapolation_score")] == [0, 1]


def test_page_selection_and_database(crystals, tmp_path, space):
    structures = [*crystals, bulk("Cu", a=0.2)]
    screen(structures, make, output=tmp_path, progress=False, **space)
    files = conclude_screening(tmp_path, top=3, database=True)
    page = files["summary"].read_text()
    assert "Screening of 8 structures" in page
    assert "1 could not be computed" in page
    assert page.count("data-chart=") == 2
    assert "Not computed" in page
    frames = read(files["selection"], ":")
    assert len(frames) == 3
    by_id = {r["id"]: r for r in map(json.loads, (tmp_path / "rows.jsonl").open())}
    for atoms in frames:
        known = by_id[atoms.info["platonic_id"]]
        assert np.allclose(atoms.positions, known["structure"]["positions"], atol=1e-7)
        assert atoms.info["worst_extrapolation_score"] == pytest.approx(
            score(known, "worst.extrapolation_score")
        )
    with connect(files["database"]) as database:
        stored = list(database.select("screen_largest_force>=0"))
        assert len(stored) == 7
        assert stored[0].data["screen"]["name"] == "#0"


def test_rows_as_a_table(crystals, tmp_path, space):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'platonic_ase[parquet]'")
    screen([*crystals, bulk("Cu", a=0.2)], make, output=tmp_path, progress=False, **space)
    table = parquet.read_table(conclude_screening(tmp_path, parquet=True)["table"])
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").open()]
    found = table.to_pylist()
    assert [row["name"] for row in found] == [row["name"] for row in rows]
    for one, row in zip(found[:-1], rows[:-1], strict=True):
        assert one["energy"] == row["energy"]
        assert one["worst.extrapolation_score"] == row["worst"]["extrapolation_score"]
        assert one["platonic"] == row["platonic"]
        assert json.loads(one["structure"]) == row["structure"]
    assert found[-1]["energy"] is None
    assert "volume" in found[-1]["error"]


def test_words_among_numbers_are_left_out_of_a_table():
    assert _column([1.5, "uncalibrated", 2, None]) == [1.5, None, 2, None]
    assert _column(["a", None]) == ["a", None]
    assert _column([{"b": 1}, None]) == ['{"b": 1}', None]
    assert _column([True, None]) == [True, None]


def test_a_table_without_pyarrow_is_refused_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'platonic_ase\[parquet\]'"):
        write_parquet([], tmp_path / "rows.parquet")


def test_nothing_to_conclude_is_told(tmp_path, space):
    with pytest.raises(ScreenError, match="holds no rows"):
        conclude_screening(tmp_path)
    screen([bulk("Cu", a=0.2)], make, output=tmp_path, progress=False, **space)
    with pytest.raises(ScreenError, match="none of 1 structures could be computed"):
        conclude_screening(tmp_path)


def test_rows_stay_in_their_file_when_they_are_concluded(tmp_path):
    """Rows that were all read into memory took some 10 kB each."""
    rng = np.random.default_rng(0)

    def peak(count):
        folder = tmp_path / str(count)
        folder.mkdir()
        (folder / "run.json").write_text("{}")
        with (folder / "rows.jsonl").open("w") as file:
            for k in range(count):
                each = row(k, float(rng.random()), rng.normal(size=100).tolist(), n_atoms=1)
                file.write(json.dumps(each) + "\n")
        tracemalloc.start()
        conclude_screening(folder, top=5)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(20)  # what is imported
    grown = (peak(6000) - peak(2000)) / 4000
    assert grown < 3000, grown


def test_rows_come_in_the_order_of_structures_and_the_latest_counts(tmp_path):
    file = tmp_path / "rows.jsonl"
    written = [row(2, 0.1), row(0, 0.2), row(1, 0.3), row(0, 0.4)]
    file.write_text("".join(json.dumps(each) + "\n" for each in written) + '{"half')
    rows = latest_rows(tmp_path)
    assert [each["worst"]["extrapolation_score"] for each in rows] == [0.4, 0.3, 0.1]
    assert [each["id"] for each in rows[1:]] == [1, 2]
    assert rows[-1]["id"] == 2
    assert [each["id"] for each in rows.take([2, 0])] == [2, 0]
    assert ranked(rows, "worst.extrapolation_score")[0]["id"] == 0
