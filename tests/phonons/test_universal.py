"""A law of stiffness, what it says of a model, and that it says little of what it has not seen."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, graphene, mx2

from platonic_ase import find_encoder
from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.phonons.features import FEATURES, DisplacementFeatures
from platonic_ase.phonons.kinds import bonded_dimension, why_no_bulk
from platonic_ase.phonons.linear import LinearPart
from platonic_ase.phonons.packs import QUICK, UNIVERSAL, resolve_phonon_risk
from platonic_ase.phonons.possible import possible_errors, shortest_interval
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.phonons.stiffness import fit_stiffness
from platonic_ase.phonons.table import read_phonon_table
from platonic_ase.phonons.universal import KIND, UNKNOWN, Level, UniversalRisk
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.folders import identity_key, packaged_folder
from platonic_ase.testing import MockCalculator, mock_anchors

SALT = np.array([11, 17])
USED = ("log_bond", "mean_radius")


def crystal(**values):
    return DisplacementFeatures(
        **{**dict.fromkeys(FEATURES, 0.0), "log_coordination": 1.8, **values}
    )


@pytest.fixture
def law():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    return fit_stiffness(x, 4 + 0.3 * x[:, 0] - 0.2 * x[:, 1], USED)


@pytest.fixture
def pack(law):
    return UniversalRisk("any", law, 1.0, 2.0, np.array([0.01, 0.02, 0.03]))


def test_the_law_is_learnt_and_knows_where_it_ends(law):
    for bond, radius in ((0.0, 0.0), (0.5, -1.0), (-1.0, 0.7)):
        true, deviation = law({"log_bond": bond, "mean_radius": radius})
        assert true == pytest.approx(4 + 0.3 * bond - 0.2 * radius, abs=0.05)
        assert deviation == pytest.approx(law.noise, rel=0.2)
    far, unsure = law({"log_bond": 80.0, "mean_radius": 0.0})
    x = (80.0 - law.mean[0]) / law.scale[0]
    assert abs(far - 4) < 0.5 * x  # a trend at most
    assert unsure > math.hypot(law.amplitude, law.noise) - 1e-6


def test_a_soft_model_is_found(pack):
    sound, _ = pack.softening(crystal(stiffness_excess=4.0).to_dict(), SALT)
    soft, _ = pack.softening(crystal(stiffness_excess=4 + 2 * math.log(0.6)).to_dict(), SALT)
    assert abs(sound) < 0.03
    assert soft == pytest.approx(math.log(0.6), abs=0.07)
    good = pack.predict(crystal(stiffness_excess=4.0), SALT)
    bad = pack.predict(crystal(stiffness_excess=4 + 2 * math.log(0.6)), SALT)
    assert good.probability_above_25_percent < 0.05 < 0.9 < bad.probability_above_25_percent
    assert good.probability_above_15_percent >= good.probability_above_25_percent
    assert bad.interval[0] < bad.relative_error < bad.interval[1]
    assert good.outside == ()


@pytest.mark.parametrize("where", [{"log_bond": 80.0}, {}])
def test_far_away_only_the_level_of_the_model_counts(pack, where):
    unlike = () if where else ("layers",)
    said = [pack.predict(crystal(stiffness_excess=s, **where), SALT, unlike) for s in (4.0, 4.02)]
    base = possible_errors(UNKNOWN.offset, UNKNOWN.spread, pack.mismatches)
    for risk in said:
        assert risk.outside == (unlike or ("log_bond",))
        if unlike:
            assert risk.probability_above_25_percent == (base > 0.25).mean()
            assert risk.relative_error == pytest.approx(np.median(base))
    near = pack.predict(crystal(stiffness_excess=4.0), SALT)
    assert said[0].interval[1] - said[0].interval[0] > near.interval[1] - near.interval[0]


def test_crystals_that_are_no_octet_binaries_are_less_sure(pack):
    values = crystal(stiffness_excess=4.0).to_dict()
    assert pack.softening(values, np.array([22, 28, 50]))[1] > pack.softening(values, SALT)[1]


def test_possible_errors_are_those_of_a_normal_softening():
    draws = np.random.default_rng(0).normal(-0.3, 0.1, 200_000)
    errors = possible_errors(-0.3, 0.1, np.zeros(1))
    assert (errors > 0.25).mean() == pytest.approx(
        (np.abs(1 - np.exp(draws)) > 0.25).mean(), abs=0.01
    )
    assert possible_errors(0.0, 1e-9, np.array([0.04])) == pytest.approx(0.04)


def test_the_interval_is_the_shortest_that_holds_the_share():
    rng = np.random.default_rng(0)
    small = np.abs(rng.normal(size=20_000))  # densest at zero: what equal tails leave out
    low, high = shortest_interval(small)
    assert low < 0.01
    assert high == pytest.approx(np.quantile(small, 0.9), abs=0.03)
    assert ((small >= low) & (small <= high)).mean() == pytest.approx(0.9, abs=1e-3)
    far = 5 + rng.normal(size=20_000)  # symmetric: equal tails are the shortest
    assert shortest_interval(far) == pytest.approx(np.quantile(far, [0.05, 0.95]), abs=0.12)
    assert shortest_interval(np.array([3.0, 1.0, 2.0]), 1.0) == (1.0, 3.0)


def test_a_level_sharpens(pack):
    identity = find_encoder(MockCalculator()).identity
    ratios = math.log(0.8) + np.array([-0.05, 0.0, 0.05] * 5)
    sharp = pack.sharpened(identity, ratios)
    assert sharp.level.offset == pytest.approx(math.log(0.8))
    assert sharp.level.crystals == 15
    far = sharp.predict(crystal(log_bond=80.0, stiffness_excess=4.0), SALT, ("layers",))
    assert far.relative_error == pytest.approx(0.2, abs=0.02)
    with pytest.raises(ValueError, match="at least 5"):
        pack.sharpened(identity, ratios[:4])


def test_files_keep_everything(pack, law, tmp_path):
    encoder = find_encoder(MockCalculator())
    modes = LinearPart(("force_odds",), np.zeros(1), np.ones(1), -np.ones(1), -1.0)
    full = UniversalRisk(
        "full", law, 0.9, 2.0, pack.mismatches, modes, 0.1,
        {encoder.identity.fingerprint: Level(-0.2, 0.05, 30)}, provenance={"licence": "none"},
    )  # fmt: skip
    back = UniversalRisk.load(full.save(tmp_path / "full.safetensors"))
    one = crystal(stiffness_excess=3.7, log_bond=0.3)
    assert back.predict(one, SALT) == full.predict(one, SALT)
    assert back.provenance == full.provenance
    assert back.for_model(encoder.identity).level == Level(-0.2, 0.05, 30)
    known = back.predict(one, SALT).probability_imaginary
    assert 0.1 < known < 1 / (1 + math.exp(1)) + 1e-9
    assert back.predict(one, SALT, ("layers",)).probability_imaginary == 0.1
    with pytest.raises(SpaceFileError, match="phonon_risk"):
        UniversalRisk.load(pack.save(tmp_path / "pack.safetensors").with_name("none"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alarm_error": -0.5}, "alarm_error"),
        ({"alarm_imaginary": float("nan")}, "alarm_imaginary"),
        ({"base_imaginary": 3.0}, "base_imaginary"),
        ({"spread": [1.0]}, "2 entries"),
        ({"spread": [1.0, -1.0]}, "above 0"),
        ({"level": [0.0, "wide", 3]}, "level"),
        ({"levels": {"f00d": [0.0, 0.1]}}, "3 entries"),
        ({"law": []}, "law"),
        ({"law": {"noise": 0.0}}, "law"),
        ({"imaginary": 5}, "imaginary"),
        ({"name": None}, "name"),
        ({"identity": {"model": "m"}}, "identity"),
        ({"mismatches": np.array([-0.1])}, "-0.1"),
        ({"mismatches": np.array([np.nan])}, "not finite"),
        ({"mismatches": np.zeros(0)}, "at least one"),
        ({"mismatches": np.array([1], dtype=np.int8)}, "int8"),
        ({"law.scale": np.array([0.0])}, "law"),
        ({"law.points": np.zeros((3, 2))}, "law.values"),
        ({"law.values": None}, "law.values"),
    ],
)
def test_packs_that_make_no_sense_are_refused(pack, tmp_path, change, said):
    path = pack.save(tmp_path / "u.phonons.safetensors")
    arrays, header = read_arrays(path, KIND)
    for name, value in change.items():
        where = arrays if "." in name or name == "mismatches" else header
        where[name] = {**header[name], **value} if name == "law" and value else value
        if value is None and where is arrays:
            del arrays[name]
    write_arrays(path, KIND, arrays, header)
    with pytest.raises(SpaceFileError, match=said):
        UniversalRisk.load(path)


def test_unknown_features_are_refused(pack, law):
    unknown = replace(law, features=("colour", *law.features[1:]))
    with pytest.raises(SpaceFileError, match="unknown features colour"):
        replace(pack, law=unknown)


def test_a_quick_pack_is_found_and_bound_to_its_model(pack, tmp_path, monkeypatch):
    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path))
    encoder = find_encoder(MockCalculator())
    anchors = mock_anchors(encoder)
    assert resolve_phonon_risk(anchors).level == UNKNOWN
    sharp = pack.sharpened(encoder.identity, np.linspace(-0.2, -0.1, 15))
    sharp.save(tmp_path / f"mock-{identity_key(encoder.identity)}.{QUICK}.safetensors")
    assert resolve_phonon_risk(anchors).level == sharp.level
    other = mock_anchors(find_encoder(MockCalculator(seed=1)))
    with pytest.raises(ModelMismatchError, match="another model"):
        resolve_phonon_risk(other, sharp)


def test_a_missing_feature_means_uncalibrated(pack):
    risk = pack.predict(crystal(stiffness_excess=math.nan), SALT)
    assert risk.calibration == "uncalibrated"
    assert "holds no correction" in pack.correct(crystal(), SALT).reason


def test_layers_chains_molecules_and_flat_networks_are_told():
    salt = bulk("NaCl", "rocksalt", 5.64).repeat(2)
    sheet = graphene("BN", a=2.51, vacuum=8)
    slab = mx2("MoS2", vacuum=8)
    assert [bonded_dimension(each) for each in (salt, sheet, slab)] == [3, 2, 2]
    assert bonded_dimension(bulk("Ar", "fcc", 5.3)) == 3  # nothing nearer than its neighbours
    assert why_no_bulk(salt.pbc, 3, crystal()) == ()
    assert why_no_bulk(sheet.pbc, 2, crystal(log_coordination=math.log(3))) == (
        "vacuum", "layers", "coordination three",
    )  # fmt: skip
    sheet.pbc = True
    assert "layers" in why_no_bulk(sheet.pbc, 2, crystal())


def test_a_pack_hands_over_what_it_is_not_made_for(pack, law):
    part = LinearPart(("log_bond",), np.zeros(1), np.ones(1), np.ones(1), 0.0)
    own = PhononRisk("own", part, sigma=0.1, octet=True, beyond=pack)
    one = crystal(stiffness_excess=4.0)
    assert own.predict(one, SALT) == own.inside(one)
    alloy = np.array([28, 13])
    handed, known = own.predict(one, alloy), pack.predict(one, alloy)
    assert (handed.calibration, handed.outside) == ("any", ("chemistry",))
    assert handed.relative_error == known.relative_error
    moved = own.predict(one, SALT, ("displacement",))
    assert moved.relative_error == pack.predict(one, SALT).relative_error
    flat = own.predict(one, SALT, ("layers", "displacement"))
    assert flat.relative_error == pack.predict(one, SALT, ("layers",)).relative_error


BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def shipped():
    """CHGNet's own pack with the universal one behind it, and its crystals."""
    path = next(packaged_folder().glob("chgnet-0.3.0-*.phonons.safetensors"))
    own = PhononRisk.load(path)
    beyond = UniversalRisk.load(packaged_folder() / UNIVERSAL).for_model(own.identity)
    rows = read_phonon_table(BENCHMARKS / "phonon_table.json")["chgnet-0.3.0"].rows
    return replace(own, beyond=beyond), rows


@pytest.mark.parametrize("name", ["log_bond", "log_stretch", "stiffness_excess", "mean_radius"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_outside_of_the_shipped_packs_is_wider(shipped, name, sign):
    own, rows = shipped
    at = own.error.features.index(name)
    far = float(own.error.mean[at] + 6 * sign * own.error.scale[at])
    for row in rows[::6]:
        moved = replace(row.features, **{name: far})
        said = own.predict(moved, row.numbers)
        assert name in said.outside
        assert said.calibration == own.beyond.name
        inside = own.beyond.softening(row.features.to_dict(), row.numbers)[1]
        assert own.beyond.softening(moved.to_dict(), row.numbers)[1] > 1.3 * inside
        assert own.correct(moved, row.numbers).factor is None


@pytest.mark.parametrize("kind", ["layers", "vacuum", "coordination three", "molecules"])
def test_of_layers_the_shipped_packs_say_the_base_rate(shipped, kind):
    own, rows = shipped
    (one,) = {own.predict(row.features, row.numbers, (kind,)).interval for row in rows[:20]}
    low, high = one
    assert high - low > 0.3
    for row in rows[:20]:
        risk = own.predict(row.features, row.numbers, (kind,))
        assert kind in risk.outside
        assert risk.probability_imaginary == pytest.approx(own.beyond.base_imaginary)
        correction = own.correct(row.features, row.numbers, (kind,))
        assert correction.factor is None
        assert kind in correction.reason
