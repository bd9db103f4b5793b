"""Corrected phonons stand beside the result: laws of force constants, marked, never silent."""

import json

import numpy as np
import phonopy
import pytest

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.phonons import run_phonon
from platonic_ase.phonons.corrected import WHAT, scale_force_constants
from platonic_ase.phonons.correction import FrequencyFactor
from platonic_ase.phonons.linear import LinearPart
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.testing import SpringCrystal, mock_anchors

CUBE = 2 * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
FACTOR, HALF_WIDTH = 1.3, 0.1


def pack(factor=FACTOR, centre=0.0):
    """A calibration that finds every crystal too soft by the same factor."""
    flat = {"mean": np.full(1, centre), "scale": np.ones(1), "coefficients": np.zeros(1)}
    error = LinearPart(("log_bond",), intercept=0.2, **flat)
    log_factor = LinearPart(("log_bond",), intercept=float(np.log(factor)), **flat)
    return PhononRisk(
        "constant", error, sigma=0.05, factor=FrequencyFactor(log_factor, HALF_WIDTH), octet=True
    )


def run(risk, symbols="NaCl", **options):
    inner = SpringCrystal()
    calc = PlatonicCalculator(
        inner, anchors=mock_anchors(find_encoder(inner)), on_warning="ignore", phonon_risk=risk
    )
    settings = {"relax": False, "supercell": CUBE, "mesh": (3, 3, 3), "progress": False}
    return run_phonon(inner.structure(symbols), calc, **{**settings, **options})


@pytest.fixture(scope="module")
def corrected():
    return run(pack())


def test_force_constants_keep_their_laws(corrected):
    phonon = corrected.phonon
    scaled = scale_force_constants(phonon.force_constants, 1.37)
    largest = np.abs(scaled).max()
    assert np.abs(scaled.sum(axis=1)).max() < 1e-12 * largest
    assert np.abs(scaled - scaled.transpose(1, 0, 3, 2)).max() < 1e-12 * largest
    cell = phonon.supercell
    inverse = np.linalg.inv(cell.cell)
    operations = phonon.symmetry.symmetry_operations
    for rotation, shift in zip(
        operations["rotations"][::37], operations["translations"][::37], strict=True
    ):
        moved = cell.scaled_positions @ rotation.T + shift
        gap = moved[:, None] - cell.scaled_positions[None]
        target = np.abs(gap - np.rint(gap)).max(axis=2).argmin(axis=1)
        turn = cell.cell.T @ rotation @ inverse.T  # Cartesian
        expected = np.einsum("ab,ijbc,dc->ijad", turn, scaled, turn)
        assert np.abs(scaled[np.ix_(target, target)] - expected).max() < 1e-9 * largest


def test_a_factor_of_one_changes_nothing(corrected):
    constants = corrected.phonon.force_constants
    assert np.array_equal(scale_force_constants(constants, 1.0), constants)
    with pytest.raises(ValueError, match="positive number"):
        scale_force_constants(constants, 0.0)


def test_every_frequency_is_multiplied(corrected):
    raw, spectra = corrected.spectrum, corrected.corrected.spectra
    for name, factor in (
        ("low", FACTOR * np.exp(-HALF_WIDTH)),
        ("mid", FACTOR),
        ("high", FACTOR * np.exp(HALF_WIDTH)),
    ):
        spectrum = spectra[name]
        assert np.allclose(spectrum.frequencies, factor * raw.frequencies, atol=1e-4)
        for (_, f), (_, g) in zip(spectrum.bands.segments, raw.bands.segments, strict=True):
            assert np.allclose(f, factor * g, atol=1e-3)


def test_thermal_properties_scale_with_temperature(corrected):
    """With all frequencies times f, C(T) and S(T) are those of the model at T / f."""
    raw, mid = corrected.spectrum, corrected.corrected.spectra["mid"]
    for name in ("heat_capacity", "entropy"):
        expected = np.interp(raw.temperatures / FACTOR, raw.temperatures, getattr(raw, name))
        assert np.allclose(getattr(mid, name)[20:], expected[20:], rtol=2e-3)


BORN = "14.4\n2.4 0 0 0 2.4 0 0 0 2.4\n1.1 0 0 0 1.1 0 0 0 1.1\n-1.1 0 0 0 -1.1 0 0 0 -1.1\n"


def test_the_bands_of_a_polar_crystal_split_beside_gamma_corrected_or_not(corrected, tmp_path):
    born = tmp_path / "BORN"
    born.write_text(BORN)
    polar = run(pack(), born=born, corrected_params=tmp_path / "mended.yaml")
    for plain, split, factor in (
        (corrected.spectrum, polar.spectrum, 1.0),
        (corrected.corrected.spectra["mid"], polar.corrected.spectra["mid"], FACTOR),
    ):
        ends = dict(split.bands.labels), dict(plain.bands.labels)
        assert ends[0] == ends[1]
        gamma = [position for position, name in split.bands.labels if name == "Γ"]
        seen = 0
        for (x, f), (_, g) in zip(split.bands.segments, plain.bands.segments, strict=True):
            for end, beside in ((0, 1), (-1, -2)):
                if not any(abs(x[end] - position) < 1e-9 for position in gamma):
                    continue
                seen += 1
                # the longitudinal mode is higher at Γ itself too, and goes on without a jump
                assert f[end, 5] > g[end, 5] + 0.5
                assert f[end, 5] == pytest.approx(f[beside, 5], abs=0.05)
                assert f[end, :5] == pytest.approx(g[end, :5], abs=0.01)
        assert seen >= 2
        # the term comes from Born charges: the factor does not multiply it
        shift = max(f[0, 5] for _, f in split.bands.segments) ** 2
        shift -= max(g[0, 5] for _, g in plain.bands.segments) ** 2
        if factor == 1:
            of_model = shift
        else:
            assert shift == pytest.approx(of_model, rel=1e-3)
    assert "the non-analytical term, which stays" in polar.describe()
    assert "non-analytical" not in corrected.describe()
    stored = phonopy.load(tmp_path / "mended.yaml", log_level=0)
    assert stored.nac_params["born"][0, 0, 0] == pytest.approx(1.1, abs=1e-6)


def test_the_result_of_the_model_stays(corrected, tmp_path):
    paths = {name: tmp_path / f"{name}.yaml" for name in ("params", "corrected_params")}
    bare = run(None)
    again = run(pack(), **paths, json=tmp_path / "out.json", report=tmp_path / "out.html")
    assert np.array_equal(again.phonon.force_constants, bare.phonon.force_constants)
    assert np.array_equal(again.spectrum.quantiles, bare.spectrum.quantiles)
    own, mended = (phonopy.load(path, log_level=0) for path in paths.values())
    ratio = mended.force_constants[0, 0, 0, 0] / own.force_constants[0, 0, 0, 0]
    assert ratio == pytest.approx(FACTOR**2, rel=1e-6)
    assert WHAT in paths["corrected_params"].read_text().splitlines()[0]
    assert WHAT not in paths["params"].read_text()
    values = json.loads((tmp_path / "out.json").read_text())
    assert values["frequency_quantiles_THz"] == pytest.approx(bare.spectrum.quantiles.tolist())
    block = values["corrected"]
    assert block["what"] == WHAT
    assert block["factor"] == pytest.approx(FACTOR)
    assert block["calibration"] == "constant"
    assert list(block["frequency_quantiles_THz"]) == ["low", "mid", "high"]
    low, mid, high = (block["mean_frequency_THz"][name] for name in ("low", "mid", "high"))
    assert low < mid < high
    assert mid == pytest.approx(FACTOR * values["mean_frequency_THz"], rel=1e-4)
    assert set(block["thermal"]["entropy_J_K_mol"]) == {"low", "mid", "high"}
    assert WHAT in (tmp_path / "out.html").read_text(encoding="utf-8")
    assert WHAT in again.describe()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"risk": None}, "no phonon pack"),
        ({"risk": pack(), "symbols": "KH"}, "hydride"),
        ({"risk": pack(), "symbols": "LaN"}, "La does not give"),
        ({"risk": pack(centre=9.0)}, "log_bond"),
        ({"risk": pack(), "displacement": 0.01}, "displacements of"),
    ],
    ids=["no pack", "hydride", "metal", "features", "displacement"],
)
def test_outside_the_calibration_it_says_why_not(options, reason, tmp_path):
    path, report = tmp_path / "corrected.yaml", tmp_path / "out.html"
    result = run(**options, corrected_params=path, report=report)
    block = result.to_dict()["corrected"]
    assert block["factor"] is None
    assert reason in block["reason"]
    assert "frequency_quantiles_THz" not in block
    assert f"No correction is offered: {block['reason']}" in result.describe()
    assert not path.exists()
    text = report.read_text(encoding="utf-8")
    assert ("no calibration of phonon errors" in text) is (options["risk"] is None)
    assert ("unlike all of the calibration in chemistry" in text) is (
        reason in ("hydride", "La does not give")
    )
