import math
from dataclasses import replace

import numpy as np
import pytest

from platonic_ase import find_encoder
from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.phonons.correction import FrequencyFactor
from platonic_ase.phonons.estimate import probability_above
from platonic_ase.phonons.features import FEATURES, DisplacementFeatures
from platonic_ase.phonons.fit import fit_phonon_risk
from platonic_ase.phonons.linear import LinearPart
from platonic_ase.phonons.packs import resolve_phonon_risk
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.space.folders import identity_key
from platonic_ase.testing import MockCalculator, mock_anchors

SALT, HYDRIDE = np.array([11, 17]), np.array([19, 1])
USED = ("stiffness_excess", "log_bond", "bond_polarity")


def factor():
    part = LinearPart(("log_bond",), np.ones(1), np.ones(1), np.ones(1), 0.0)
    return FrequencyFactor(part, 0.1)


def crystal(**values):
    return DisplacementFeatures(**{**dict.fromkeys(FEATURES, 0.0), "n_elements": 2.0, **values})


@pytest.fixture
def data():
    """Roots of errors that are linear in two features, and modes that follow a third."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4))
    crystals = [
        crystal(stiffness_excess=a, log_bond=b, bond_polarity=c, force_odds=d) for a, b, c, d in x
    ]
    errors = (0.5 - 0.06 * x[:, 0] + 0.03 * x[:, 1]) ** 2
    groups = [f"anion {k % 8}" for k in range(80)]
    return crystals, errors, groups, x[:, 3] < -1


def test_an_exact_law_is_learnt(data):
    crystals, errors, groups, imaginary = data
    pack = fit_phonon_risk(
        "law", crystals, errors, groups, imaginary=imaginary, error_features=USED, penalty=1e-6
    )
    for one, error in zip(crystals, errors, strict=True):
        risk = pack.inside(one)
        assert risk.relative_error == pytest.approx(error, rel=1e-4)
        assert risk.interval[0] < error < risk.interval[1]
        assert (risk.probability_above_25_percent > 0.5) == (error > 0.25)
        assert risk.calibration == "law"
        assert 0 < risk.probability_imaginary < 1
    risks = [pack.inside(one).probability_imaginary for one in crystals]
    assert np.mean([r for r, m in zip(risks, imaginary, strict=True) if m]) > 0.5


def test_probability_of_a_large_error():
    assert probability_above(0.5, 0.3, 0.25) == pytest.approx(0.5)
    draws = np.random.default_rng(1).normal(0.6, 0.1, size=200_000) ** 2
    assert probability_above(0.6, 0.1, 0.25) == pytest.approx((draws > 0.25).mean(), abs=5e-3)


def test_the_worst_third_has_a_probability(data):
    crystals, errors, groups, _ = data
    pack = fit_phonon_risk("p", crystals, errors, groups, error_features=USED, penalty=1e-6)
    chances = np.array([pack.inside(one).probability_worst_third for one in crystals])
    assert ((chances > 0.5) == (errors > np.quantile(errors, 2 / 3))).all()


def test_files_keep_everything(data, tmp_path):
    crystals, errors, groups, imaginary = data
    identity = find_encoder(MockCalculator()).identity
    pack = fit_phonon_risk(
        "kept", crystals, errors, groups, imaginary=imaginary, error_features=USED,
        log_factors=np.log(1 + errors), octet=True,
        identity=identity, provenance={"licence": "none"},
    )  # fmt: skip
    back = PhononRisk.load(pack.save(tmp_path / "kept.phonons.safetensors"))
    assert back.identity == identity
    assert back.provenance["crystals"] == 80
    for one in crystals[:5]:
        assert back.predict(one, SALT) == pack.predict(one, SALT)
        assert back.correct(one, SALT) == pack.correct(one, SALT)
        assert back.predict(one, HYDRIDE) == pack.predict(one, HYDRIDE)


def test_broken_files(tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(SpaceFileError, match=r"bad\.safetensors"):
        PhononRisk.load(path)
    with pytest.raises(SpaceFileError, match="no phonon_risk file"):
        PhononRisk.load(tmp_path / "none.safetensors")


def test_malformed_packs_are_refused():
    ones = np.ones(1)
    with pytest.raises(SpaceFileError, match="unknown features"):
        PhononRisk("p", LinearPart(("colour",), ones, ones, ones, 0.0), sigma=1.0)
    with pytest.raises(SpaceFileError, match=r"\(1,\) is needed"):
        LinearPart(("log_bond",), np.ones(2), ones, ones, 0.0)
    with pytest.raises(SpaceFileError, match="positive"):
        LinearPart(("log_bond",), ones, 0 * ones, ones, 0.0)
    part = LinearPart(("log_bond",), ones, ones, ones, 0.0)
    with pytest.raises(SpaceFileError, match="sigma"):
        PhononRisk("p", part, sigma=0.0)
    with pytest.raises(SpaceFileError, match="probability"):
        PhononRisk("p", part, sigma=1.0, alarm_error=1.5)
    latent = LinearPart(("restoring",), ones, ones, ones, 0.0)
    with pytest.raises(SpaceFileError, match="anchors"):
        PhononRisk("p", latent, sigma=1.0)


def test_a_missing_feature_means_uncalibrated():
    part = LinearPart(("manifold_distance",), np.ones(1), np.ones(1), np.ones(1), 0.0)
    pack = PhononRisk("p", part, sigma=1.0, anchors_digest="x")
    risk = pack.predict(crystal(manifold_distance=math.nan), SALT)
    assert risk.calibration == "uncalibrated"
    assert risk.relative_error is None
    assert set(risk.to_risks().values()) == {"uncalibrated"}


def test_far_from_the_calibration_is_said():
    part = LinearPart(("log_bond",), np.ones(1), np.ones(1), np.ones(1), 0.0)
    pack = PhononRisk("p", part, sigma=1.0)
    assert pack.predict(crystal(log_bond=1.5), SALT).outside == ()
    far = pack.predict(crystal(log_bond=100.0), SALT)
    assert (far.outside, far.relative_error) == (("log_bond",), None)
    octet = replace(pack, octet=True)
    assert octet.predict(crystal(log_bond=1.5), SALT).outside == ()
    other = octet.predict(crystal(log_bond=1.5), HYDRIDE)
    assert (other.outside, other.calibration) == (("chemistry",), "uncalibrated")
    layers = pack.predict(crystal(log_bond=1.5), SALT, ("layers",))
    assert (layers.outside, layers.relative_error) == (("layers",), None)
    assert "layers" in replace(pack, factor=factor()).correct(crystal(), SALT, ("layers",)).reason
    counted = PhononRisk("p", part, sigma=1.0, element_counts=(2,))
    assert counted.predict(crystal(log_bond=1.5, n_elements=3), SALT).outside == ("n_elements",)


def test_too_few_groups(data):
    crystals, errors, _, _ = data
    with pytest.raises(ValueError, match="at least 3"):
        fit_phonon_risk("p", crystals, errors, ["one"] * 80, error_features=USED)
    with pytest.raises(ValueError, match="2 labels of imaginary modes for 80"):
        fit_phonon_risk(
            "p", crystals, errors, ["one"] * 80, imaginary=[True, False], error_features=USED
        )
    with pytest.raises(ValueError, match="as many"):
        fit_phonon_risk("p", crystals, errors[:3], ["one"] * 80, error_features=USED)


def test_packs_are_found_by_model(tmp_path, monkeypatch):
    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path))
    encoder = find_encoder(MockCalculator())
    anchors = mock_anchors(encoder)
    part = LinearPart(("log_bond",), np.ones(1), np.ones(1), np.ones(1), 0.0)
    mine = PhononRisk("mine", part, sigma=1.0, identity=encoder.identity)
    mine.save(tmp_path / f"mock-{identity_key(encoder.identity)}.phonons.safetensors")
    assert resolve_phonon_risk(anchors).name == "mine"
    assert resolve_phonon_risk(anchors, None) is None
    assert resolve_phonon_risk(anchors, mine) is mine
    other = mock_anchors(find_encoder(MockCalculator(seed=7)))
    with pytest.raises(ModelMismatchError, match="mine"):
        resolve_phonon_risk(other, mine)
