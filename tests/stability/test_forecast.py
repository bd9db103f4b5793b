import json
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from typer.testing import CliRunner

from platonic_ase import PlatonicCalculator
from platonic_ase.cli.options import WatchOptions
from platonic_ase.errors import StructureError
from platonic_ase.phonons.breaking import SymmetryRisk
from platonic_ase.stability import run as workflow
from platonic_ase.stability.report import render_forecast
from platonic_ase.stability.run import doubled, primitive, run_forecast
from platonic_ase.testing import DoubleWellCrystal, SpringEncoder, mock_anchors

TILTED = {"I4/mcm (140)", "Imma (74)", "R-3c (167)", "P4/mbm (127)", "I4/mmm (139)", "Im-3 (204)"}
"""Perovskites whose octahedra are tilted by one mode: C. J. Howard and H. T. Stokes, Acta Cryst. B
54, 782 (1998), doi:10.1107/S0108768198004200."""


def watched(inner, **options):
    encoder = SpringEncoder(inner)
    return PlatonicCalculator(
        inner, encoder=encoder, anchors=mock_anchors(encoder), reference=None, phonon_risk=None,
        **options,
    )  # fmt: skip


def run(depth, **options):
    inner = DoubleWellCrystal(depth)
    calculator = watched(inner, **options.pop("wrapper", {}))
    return run_forecast(inner.structure(), calculator, relax=False, progress=False, **options)


def risk_for(calculator, **changes):
    identity = calculator.encoder.identity
    values = {
        "name": "springs", "package": identity.package, "model": identity.model,
        "fingerprint": identity.fingerprint, "settings": dict(identity.settings),
        "intercept": 0.0, "slope": -2.0, "curvatures": (-1.0, 1.0), "broke": (True, False),
    }  # fmt: skip
    return SymmetryRisk(**{**values, **changes})


def test_a_crystal_that_breaks_with_its_exact_curvature():
    forecast = run(2.0).forecast
    # at most 0.1 Å of an atom: w = 0.2 Å between the sublattices along <111>,
    # E = -b w²/2 + c w⁴/12 per pair with c = b / width², and ‖u‖² = w²/2
    b, c, w = 2.0, 2.0 / 0.3**2, 0.2
    expected = 2 * (-b * w**2 / 2 + c * w**4 / 12) / (w**2 / 2)
    assert forecast.leading.curvature == pytest.approx(expected, rel=1e-6)
    assert forecast.leading.subgroup == "R3m (160)"
    assert forecast.leading.shares == pytest.approx({"Na": 0.5, "Cl": 0.5})
    assert forecast.leading.eigenvalue == pytest.approx(-4, rel=0.01)  # 0.03 Å is not quite 0
    assert forecast.space_group == "Fm-3m (225)"


def test_a_crystal_that_stays():
    forecast = run(-1.0).forecast
    assert forecast.leading.curvature > 1
    assert all(way.curvature >= forecast.leading.curvature for way in forecast.directions)


def test_a_model_without_its_own_calibration_gets_the_universal_one_and_says_so():
    events = []
    result = run(2.0, wrapper={"on_warning": events.append})
    forecast = result.forecast
    assert result.risk.universal
    assert forecast.judgement.universal
    assert forecast.calibration.startswith("universal")
    said = "by the universal calibration: this model has none of its own"
    assert said in str(forecast)
    (event,) = events
    assert event.kind == "symmetry_forecast"
    assert said in event.signal.message
    pooled = replace(result.risk, spread=0.0)
    assert 0.5 < forecast.probability < pooled.probability(forecast.leading.curvature)
    assert result.to_dict()["judgement"]["universal"] is True


def test_without_any_calibration_nothing_is_made_up(monkeypatch):
    monkeypatch.setattr(workflow, "find_symmetry_risk", lambda identity: None)
    result = run(2.0)
    assert result.forecast.probability is None
    assert result.forecast.breaks is None
    assert result.to_dict()["calibration"] == "uncalibrated"
    assert result.events == ()
    assert "uncalibrated" in str(result.forecast)
    assert "Uncalibrated" in render_forecast(result.to_dict())


@pytest.mark.parametrize(("depth", "alarms"), [(2.0, 1), (-1.0, 0)])
def test_a_calibrated_forecast_warns(monkeypatch, depth, alarms):
    monkeypatch.setattr(
        workflow, "find_symmetry_risk", lambda identity: risk_for(watched(DoubleWellCrystal(depth)))
    )
    events = []
    result = run(depth, wrapper={"on_warning": events.append})
    assert [event.kind for event in events] == ["symmetry_forecast"] * alarms
    assert (result.forecast.probability > 0.99) == bool(alarms)
    assert result.forecast.breaks == bool(alarms)
    assert "stays" in str(result.forecast) or "R3m (160)" in str(events[0])


def test_a_second_crystal_that_breaks_is_told_as_well(monkeypatch):
    """On the same calculator; the same crystal again is not."""
    inner = DoubleWellCrystal(2.0)
    events = []
    calculator = watched(inner, on_warning=events.append)
    monkeypatch.setattr(workflow, "find_symmetry_risk", lambda identity: risk_for(calculator))
    first = inner.structure()
    second = first.copy()
    second.symbols[first.symbols == "Na"] = "K"
    for atoms in (first, second, second):
        run_forecast(atoms, calculator, relax=False, progress=False)
        events.append(str(atoms.symbols))
    assert [getattr(each, "kind", each) for each in events] == [
        "symmetry_forecast", str(first.symbols), "symmetry_forecast", str(second.symbols),
        str(second.symbols),
    ]  # fmt: skip


def test_files_hold_the_result(tmp_path):
    result = run(2.0, json=tmp_path / "f.json", report=tmp_path / "f.html")
    written = json.loads((tmp_path / "f.json").read_text())
    assert written["curvature_eV_per_A2"] == result.forecast.leading.curvature
    assert written["heads_for"] == "R3m (160)"
    assert written["settings"]["supercell_atoms"] == 16
    page = (tmp_path / "f.html").read_text()
    assert "Breaks: probability" in page
    assert "no calibration of its own" in page
    assert "R3m (160)" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_file_that_cannot_be_written_loses_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="cannot be written"):
        result = run(2.0, json=tmp_path / "file" / "f.json", report=tmp_path / "f.html")
    assert result.files == {"report": tmp_path / "f.html"}


def test_the_report_of_a_calibrated_forecast(monkeypatch):
    risk = risk_for(watched(DoubleWellCrystal(2.0)))
    monkeypatch.setattr(workflow, "find_symmetry_risk", lambda identity: risk)
    result = run(2.0, wrapper={"on_warning": "ignore"})
    page = render_forecast(result.to_dict(), risk)
    assert "Breaks: probability 1.00" in page
    assert "Where this crystal stands" in page


def test_the_structure_is_left_as_it_is():
    inner = DoubleWellCrystal(2.0)
    atoms = inner.structure()
    before = atoms.copy()
    run_forecast(atoms, watched(inner), relax=False, progress=False)
    assert atoms == before
    assert atoms.calc is None


def test_supercells():
    salt = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    assert len(primitive(salt)) == 2
    assert doubled(primitive(salt)) == (2, 2, 2)
    assert doubled(salt, max_atoms=40) in {(1, 2, 2), (2, 1, 2), (2, 2, 1)}
    assert len(run(2.0, supercell=(3, 1, 1)).supercell) == 6


def test_what_has_no_cell_or_no_sense_is_refused():
    inner = DoubleWellCrystal(2.0)
    with pytest.raises(StructureError, match="crystal"):
        run_forecast(Atoms("NaCl", positions=[[0, 0, 0], [0, 0, 2.8]]), watched(inner))
    with pytest.raises(ValueError, match="displacement = 0"):
        run_forecast(inner.structure(), watched(inner), displacement=0)
    rattled = inner.structure()
    rattled.rattle(0.05, seed=0)
    with pytest.raises(StructureError, match=r"P1 within 0\.001 Å: there is no symmetry to lose"):
        run_forecast(rattled, watched(inner))


def test_the_command(tmp_path, monkeypatch):
    from platonic_ase import cli

    inner = DoubleWellCrystal(2.0)
    monkeypatch.setattr(WatchOptions, "wrap", lambda *args, **options: watched(inner))
    monkeypatch.chdir(tmp_path)
    inner.structure().write("salt.extxyz")
    run_command = CliRunner().invoke(cli.app, ["forecast", "salt.extxyz", "--no-relax", "--quiet"])
    assert run_command.exit_code == 0, run_command.output
    assert "towards R3m (160)" in run_command.output
    assert (tmp_path / "salt-forecast.json").is_file()
    assert (tmp_path / "salt-forecast.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cation", "metal", "anion", "a", "breaks", "subgroups"),
    [
        ("Ba", "Zr", "O", 4.2, False, None),
        ("Ba", "Ti", "O", 4.03, True, {"R3m (160)"}),
        ("Ca", "Ti", "O", 3.89, True, TILTED),
    ],
)
def test_perovskites_with_chgnet(cation, metal, anion, a, breaks, subgroups):
    pytest.importorskip("chgnet")
    from platonic_ase.models import load_calculator

    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    cube = Atoms([cation, metal] + [anion] * 3, scaled_positions=sites, cell=3 * [a], pbc=True)
    calculator = PlatonicCalculator(
        load_calculator("chgnet-0.3.0"), on_warning="ignore", progress=False
    )
    found = run_forecast(cube, calculator, progress=False).forecast
    assert found.breaks is breaks
    assert np.sign(found.leading.curvature) == (-1 if breaks else 1)
    if subgroups:
        assert found.leading.subgroup in subgroups
