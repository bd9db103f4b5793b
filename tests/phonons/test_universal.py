"""A law of stiffness, what it says of a model, and that it says little of what it has not seen."""

import math
import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, graphene, mx2
from ase.data import atomic_masses

from platonic_ase import find_encoder
from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.phonons.cases import CASE_FEATURES, case_quantities, case_vector
from platonic_ase.phonons.chemistry import element_features
from platonic_ase.phonons.estimate import probability_above
from platonic_ase.phonons.features import FEATURES, DisplacementFeatures
from platonic_ase.phonons.kinds import bonded_dimension, why_no_bulk
from platonic_ase.phonons.laws import StiffnessLaws
from platonic_ase.phonons.levels import LOWEST, LevelPrior
from platonic_ase.phonons.linear import LinearPart
from platonic_ase.phonons.odds import (
    AFTER,
    BEFORE,
    ImaginaryModes,
    ModeOdds,
    of_spectrum,
)
from platonic_ase.phonons.opinions import pooled, root_error
from platonic_ase.phonons.packs import QUICK, UNIVERSAL, resolve_phonon_risk
from platonic_ase.phonons.possible import possible_errors, shortest_interval
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.phonons.stiffness import STRUCTURE_FEATURES, fit_stiffness
from platonic_ase.phonons.table import read_phonon_table
from platonic_ase.phonons.universal import KIND, UniversalRisk
from platonic_ase.phonons.universal_fit import fit_process
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
    return fit_stiffness(x, 4 + 0.3 * x[:, 0] - 0.2 * x[:, 1], "stiffness_excess", USED)


@pytest.fixture
def beyond():
    """A law of other crystals: those of electronegative elements are stiff."""
    x = np.random.default_rng(3).normal(2.0, 0.5, size=(60, 2))
    return fit_stiffness(x, x[:, 0], "spectral_excess", ("electronegativity", "log_bond"))


SPURIOUS = ModeOdds(LinearPart(AFTER, np.zeros(2), np.ones(2), np.array([-1.0, -2.0]), 0.5), 0.4)
MODES = ImaginaryModes(
    ModeOdds(LinearPart(BEFORE, np.zeros(2), np.ones(2), np.array([-1.0, -3.0]), -1.0), 0.1),
    ModeOdds(LinearPart(BEFORE, np.zeros(2), np.ones(2), np.array([-1.0, -1.0]), 0.0), 0.2),
    SPURIOUS,
)
CRYSTALS = [f"crystal {k}" for k in range(150)]
NEW = [f"new {k}" for k in range(20)]
KNOWN, ALLOY = "known", np.array([22, 28, 50])


@pytest.fixture(scope="module")
def process():
    """One model whose error grows as it gets softer, on crystals of all kinds."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(150, len(CASE_FEATURES)))
    soft = 0.1 * (1 - vectors[:, 0])
    values = np.column_stack([0.3 + soft, -0.1 - soft])
    return fit_process([KNOWN] * 150, CRYSTALS, vectors, values)


@pytest.fixture
def pack(law, beyond, process):
    mismatches = np.array([0.01, 0.02, 0.03])
    return UniversalRisk("any", StiffnessLaws(law, beyond), (1.0, 1.0), mismatches, process)


def test_the_process_learns_and_knows_where_it_ends(process):
    middle = process.mean.copy()
    (mean,), (deviation,) = process(middle[None], KNOWN, [False])
    assert mean == pytest.approx([0.4, -0.2], abs=0.04)
    soft = middle.copy()
    soft[0] -= process.scale[0]
    (lower,), _ = process(soft[None], KNOWN, [False])
    assert lower[0] > mean[0] + 0.06
    assert lower[1] < mean[1] - 0.06
    assert 0.08 <= deviation[0] < 0.12
    far = middle + 30 * process.scale
    _, (unsure,) = process(far[None], KNOWN, [False])
    assert unsure[0] > 2 * deviation[0]
    assert process.outside(middle) == ()
    assert process.outside(far) == CASE_FEATURES
    # of another model there are no cases: less sure, and a step towards what models do
    _, (stranger,) = process(middle[None], "stranger", [False])
    assert stranger[0] > deviation[0]


def test_what_a_model_does_at_large_is_the_base_rate(process):
    means, deviations = process.base(KNOWN)
    assert means == pytest.approx(process.values.mean(axis=0))
    assert deviations == pytest.approx(process.values.std(axis=0), rel=0.02)
    both = process.joined("good", process.points[:20], np.full((20, 2), [0.1, 0.0]), NEW)
    assert both.base("good")[0] == pytest.approx([0.1, 0.0])
    assert both.base("stranger")[0][0] == pytest.approx(both.values[:, 0].mean())


def test_cases_of_a_model_outweigh_those_of_others(process):
    """Twenty crystals on which a new model is right are enough to trust it on others."""
    good = process.joined("good", process.points[:20], np.full((20, 2), [0.1, 0.0]), NEW)
    new = process.points[100:]
    octet = np.zeros(50, bool)
    before, unsure = process(new, "good", octet)
    after, sure = good(new, "good", octet)
    assert after[:, 0].mean() < before[:, 0].mean() - 0.1
    assert sure[:, 0].mean() < unsure[:, 0].mean()
    still, _ = good(new, KNOWN, octet)
    assert still[:, 0].mean() == pytest.approx(process(new, KNOWN, octet)[0][:, 0].mean(), abs=0.06)


def test_cases_that_are_forgotten_leave_no_trace(process):
    both = process.joined("good", process.points[:20], np.full((20, 2), [0.1, 0.0]), NEW)
    forgotten = np.arange(170) % 3 == 0
    anew = replace(
        both, points=both.points[~forgotten], owners=both.owners[~forgotten],
        places=both.places[~forgotten], values=both.values[~forgotten],
    )  # fmt: skip
    asked = process.points[:7] + 0.1
    for mine, theirs in zip(
        both.without(forgotten)(asked, "good", np.zeros(7, bool)),
        anew(asked, "good", np.zeros(7, bool)),
        strict=True,
    ):
        assert mine == pytest.approx(theirs, abs=1e-9)


def test_of_other_models_a_few_cases_count(process):
    """All of its own, and two of others on each crystal that it lacks."""
    three = process
    for model in ("second", "third", "fourth"):
        three = three.joined(model, process.points[:30], process.values[:30], CRYSTALS[10:40])
    kept = three.near("second")
    owner = np.array(three.models)[three.owners]
    assert kept[owner == "second"].all()
    shared = np.isin(three.places, three.places[owner == "second"])
    assert not kept[shared & (owner != "second")].any()
    assert kept[~shared].all()  # one case of each other crystal
    stranger = three.near("stranger")
    counts = np.bincount(three.places[stranger])
    assert sorted(counts) == [1] * 120 + [2] * 30
    fewer = three.taking(kept)
    assert fewer.count("second") == 30
    assert np.array_equal(fewer.mean, three.mean)


def test_left_out_scatter_widens_what_is_said(process):
    wide = replace(process, spreads=((1.0, 2.0), (1.0, 3.0)))
    one = process.mean[None]
    for octet, factor in ((True, (1, 1)), (False, (2, 3))):
        plain, wider = (each(one, KNOWN, [octet])[1][0] for each in (process, wide))
        assert wider == pytest.approx(plain * factor)


def test_the_elements_of_a_crystal():
    alloy = element_features(np.array([22, 28, 50]))
    assert alloy["period"] == pytest.approx((4 + 4 + 5) / 3)
    assert alloy["group"] == pytest.approx((4 + 10 + 14) / 3)
    assert alloy["d_group"] == pytest.approx((4 + 10) / 3)
    assert alloy["nonmetals"] == alloy["f_elements"] == 0
    salt = element_features(np.array([58, 8, 8]))
    assert salt["nonmetals"] == pytest.approx(2 / 3)
    assert salt["f_elements"] == pytest.approx(1 / 3)
    assert salt["most_electronegative"] == 3.44
    groups = {1: 1, 3: 1, 5: 13, 9: 17, 11: 1, 17: 17, 21: 3, 30: 12, 36: 18, 57: 3, 71: 3, 72: 4,
              79: 11, 82: 14, 92: 3}  # fmt: skip
    for number, group in groups.items():
        assert element_features(np.array([number]))["group"] == group


def test_the_law_is_learnt_and_knows_where_it_ends(law):
    for bond, radius in ((0.0, 0.0), (0.5, -1.0), (-1.0, 0.7)):
        true, deviation, share = law({"log_bond": bond, "mean_radius": radius})
        assert true == pytest.approx(4 + 0.3 * bond - 0.2 * radius, abs=0.05)
        assert deviation == pytest.approx(law.sizes.noise, rel=0.3)
        assert share > 0.95
    far, unsure, nothing = law({"log_bond": 80.0, "mean_radius": 0.0})
    x = (80.0 - law.mean[0]) / law.scale[0]
    assert abs(far - 4) < 0.5 * x  # a trend at most
    assert unsure > math.hypot(law.sizes.amplitude, law.sizes.noise) - 1e-6
    assert nothing < share


def test_sizes_are_those_of_the_largest_likelihood():
    """A quantity that one feature decides, among five: its weight is by far the largest."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 5))
    y = np.sin(2 * x[:, 2]) + 0.1 * rng.normal(size=150)
    features = STRUCTURE_FEATURES[:5]
    sizes = fit_stiffness(x, y, "stiffness_excess", features).sizes
    others = np.delete(sizes.weights, 2)
    assert sizes.weights[2] > 2.5 * others.max()
    assert sizes.noise == pytest.approx(0.1, rel=0.3)
    again = fit_stiffness(x[:100], y[:100], "stiffness_excess", features, sizes)
    assert again.sizes is sizes


def test_a_soft_model_is_found(pack):
    sound, _ = pack.laws.softening(crystal(stiffness_excess=4.0).to_dict(), octet=True)
    soft, _ = pack.laws.softening(
        crystal(stiffness_excess=4 + 2 * math.log(0.6)).to_dict(), octet=True
    )
    assert abs(sound) < 0.03
    assert soft == pytest.approx(math.log(0.6), abs=0.07)
    good = pack.predict(crystal(stiffness_excess=4.0), SALT)
    bad = pack.predict(crystal(stiffness_excess=4 + 2 * math.log(0.6)), SALT)
    assert good.probability_above_25_percent < 0.05 < 0.9 < bad.probability_above_25_percent
    assert good.probability_above_15_percent >= good.probability_above_25_percent
    assert bad.interval[0] < bad.relative_error < bad.interval[1]
    assert good.outside == ()


def test_a_soft_model_is_found_on_other_crystals(pack):
    """The law of other crystals goes by their elements and by the trace of the dynamical matrix."""
    known = case_quantities(crystal(log_bond=2.0).to_dict(), ALLOY)
    assert known["spectral_excess"] == pytest.approx(
        np.log(atomic_masses[ALLOY]).mean() + 3 * 2.0  # log_frequency and log_valence are 0
    )
    sound = 0.5 * (known["electronegativity"] - known["spectral_excess"])
    for softening in (0.0, math.log(0.6)):
        one = crystal(log_bond=2.0, log_frequency=sound + softening)
        found, _ = pack.laws.softening(case_quantities(one.to_dict(), ALLOY), octet=False)
        assert found == pytest.approx(softening, abs=0.05)
        risk = pack.predict(one, ALLOY)
        assert (risk.probability_above_25_percent > 0.5) == (softening < 0)


def test_far_away_only_what_potentials_do_counts(pack):
    said = [pack.predict(crystal(stiffness_excess=s, log_bond=80.0), SALT) for s in (4.0, 4.02)]
    for risk in said:
        assert risk.outside == ("log_bond",)
    sure = pack.predict(crystal(stiffness_excess=4.0), SALT)
    assert said[0].interval[1] - said[0].interval[0] > sure.interval[1] - sure.interval[0]


def test_of_layers_only_the_base_rate_is_said(pack):
    said = {pack.predict(crystal(stiffness_excess=s), SALT, ("layers",)) for s in (4.0, 2.0)}
    (risk,) = said
    means, deviations = pack.process.base("")
    assert risk.outside == ("layers",)
    assert risk.relative_error == pytest.approx(means[0] ** 2)
    assert risk.probability_above_25_percent == pytest.approx(
        probability_above(means[0], deviations[0], 0.25)
    )


LEVELS = LevelPrior(-0.5, 0.8, np.array([0.05, 0.1, 0.15]))


def test_the_force_level_of_an_unknown_model_says_how_wrong_its_phonons_are(pack):
    prior, mismatches = LEVELS.at(0.4)
    assert prior == pytest.approx((-0.08, 0.128))
    assert mismatches == pytest.approx([0.02, 0.04, 0.06])
    assert LEVELS.at(0.01)[0] == LEVELS.at(LOWEST)[0]  # better than all that were seen
    pack, one = replace(pack, levels=LEVELS), crystal(stiffness_excess=3.9)
    identity = find_encoder(MockCalculator()).identity
    plain = pack.for_model(identity)
    assert plain is pack  # without a level, what is known of all models
    said = [pack.for_model(identity, level).predict(one, SALT) for level in (0.15, 0.25, 0.4)]
    assert [risk.relative_error for risk in said] == sorted(risk.relative_error for risk in said)
    widths = [risk.interval[1] - risk.interval[0] for risk in said]
    assert widths == sorted(widths)
    bad = pack.for_model(identity, 0.4)
    quantities = case_quantities(one.to_dict(), SALT)
    mean, deviation = bad.laws.softening(quantities, True, prior)
    errors = possible_errors(mean, deviation, mismatches)
    assert said[-1].relative_error == pytest.approx(np.median(errors))
    copy = pickle.loads(pickle.dumps(bad))
    assert copy.predict(one, SALT) == said[-1]
    known = replace(pack, process=replace(pack.process, models=(identity.fingerprint,)))
    for level in (None, 0.4):  # cases of the model say more than its forces
        assert known.for_model(identity, level).level is None


def test_of_a_known_model_process_and_law_speak_together(pack):
    one = crystal(stiffness_excess=4.0)
    assert not pack.known
    known = replace(pack, model=KNOWN, pool_spreads=(1.5, 2.0))
    assert known.known
    for numbers, octet in ((ALLOY, False), (SALT, True)):
        quantities = case_quantities(one.to_dict(), numbers)
        vector = case_vector(quantities)[None]
        (mean,), (deviation,) = known.process(vector, KNOWN, [octet])
        law = root_error(*known.laws.softening(quantities, octet), known.mismatches)
        root, sure = pooled((mean[0], deviation[0]), law)
        risk = known.predict(one, numbers)
        assert risk.relative_error == pytest.approx(max(root, 0) ** 2)
        assert risk.probability_above_15_percent == pytest.approx(
            probability_above(root, sure * (1.5 if octet else 2.0), 0.15)
        )


def test_a_factor_is_offered_where_it_is_known_well_enough(pack):
    rng = np.random.default_rng(2)
    middle = case_vector(case_quantities(crystal().to_dict(), ALLOY))
    around = middle + 0.05 * rng.normal(size=(200, len(middle)))
    for softening, sure in ((-0.4, True), (-0.02, False)):
        values = np.column_stack([np.full(200, 0.5), np.full(200, softening)])
        pack = replace(
            pack, process=fit_process([KNOWN] * 200, [str(k) for k in range(200)], around, values)
        )
        assert "0 cases of this model" in pack.correct(crystal(), ALLOY).reason
        few = replace(pack, model=KNOWN, process=pack.process.without(np.arange(200) >= 99))
        assert "99 cases of this model, and 100 are needed" in few.correct(crystal(), ALLOY).reason
        found = replace(pack, model=KNOWN).correct(crystal(), ALLOY)
        if sure:
            assert found.factor == pytest.approx(math.exp(0.4), rel=0.05)
            low, high = found.interval
            assert low < found.factor < high
            assert found.factor / low == pytest.approx(high / found.factor)
        else:
            assert found.factor is None
            assert "not known well enough" in found.reason
        flat = replace(pack, model=KNOWN).correct(crystal(), ALLOY, ("layers",))
        assert flat.factor is None
        assert "layers" in flat.reason


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


def test_cases_of_a_model_sharpen(pack):
    identity = find_encoder(MockCalculator()).identity
    vectors = pack.process.points[:15]
    sharp = pack.sharpened(identity, vectors, np.full(15, 0.04), np.full(15, -0.2), NEW[:15])
    assert sharp.known
    assert not pack.known
    assert sharp.identity == identity
    assert "on 15 more" in sharp.name
    far = sharp.predict(crystal(log_bond=80.0, stiffness_excess=4.0), SALT, ("layers",))
    assert far.relative_error == pytest.approx(0.04, abs=0.001)
    assert sharp.for_model(identity) is sharp
    with pytest.raises(ValueError, match="at least 5"):
        pack.sharpened(identity, vectors[:4], np.full(4, 0.04), np.full(4, -0.2), NEW[:4])


def test_files_keep_everything(pack, law, beyond, tmp_path):
    encoder = find_encoder(MockCalculator())
    fingerprint = encoder.identity.fingerprint
    full = UniversalRisk(
        "full", StiffnessLaws(law, beyond, (0.9, 1.1)), (1.1, 1.2), pack.mismatches, replace(
            pack.process.joined(
                fingerprint, pack.process.points[:9], pack.process.values[:9] / 2, NEW[:9]
            ),
            spreads=((0.8, 1.1), (0.7, 1.2)),
        ), MODES, LEVELS, provenance={"licence": "none"},
    )  # fmt: skip
    back = UniversalRisk.load(full.save(tmp_path / "full.safetensors"))
    one = crystal(stiffness_excess=3.7, log_bond=0.3)
    assert back.predict(one, SALT) == full.predict(one, SALT)
    assert back.provenance == full.provenance
    assert back.for_model(encoder.identity).model == fingerprint
    assert back.process.spreads == full.process.spreads
    mine, theirs = (each.for_model(encoder.identity).predict(one, ALLOY) for each in (back, full))
    assert mine.relative_error == pytest.approx(theirs.relative_error, rel=1e-4)
    assert back.levels.at(0.3)[0] == full.levels.at(0.3)[0]
    assert np.array_equal(back.levels.mismatches, full.levels.mismatches)
    own, _, _ = back.laws.binaries.softening(one.to_dict())
    known = back.predict(one, SALT).probability_imaginary
    assert known == pytest.approx(1 / (1 + math.exp(1 + 3 * own)))
    assert back.predict(one, SALT, ("layers",)).probability_imaginary == 0.1
    assert back.predict(one, ALLOY, ("layers",)).probability_imaginary == 0.2
    spurious = back.probability_spurious(one, SALT, -2.0)
    assert spurious == full.probability_spurious(one, SALT, -2.0)
    assert 0 < spurious < 1
    with pytest.raises(SpaceFileError, match="phonon_risk"):
        UniversalRisk.load(pack.save(tmp_path / "pack.safetensors").with_name("none"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alarm_error": -0.5}, "alarm_error"),
        ({"alarm_imaginary": float("nan")}, "alarm_imaginary"),
        ({"imaginary": {"octet": None}}, "octet"),
        ({"imaginary": {}}, "imaginary"),
        ({"levels": {"offset": 0.0, "spread": 0.0}}, "above 0"),
        ({"pool_spreads": [1.0]}, "2 entries"),
        ({"pool_spreads": [1.0, -1.0]}, "above 0"),
        ({"laws": {"spreads": [0.0, 1.0]}}, "above 0"),
        ({"model": None}, "model"),
        ({"process": []}, "process"),
        ({"process": {"noise": 0.0}}, "noise"),
        ({"process": {"own_share": 2.0}}, "own_share"),
        ({"process": {"models": []}}, "beyond the 0"),
        ({"process": {"spreads": [[1.0, 1.0]]}}, "2 entries"),
        ({"process.scale": np.zeros(18)}, "process.scale"),
        ({"process.points": np.zeros((3, 18))}, "cases"),
        ({"process.owners": np.zeros(150)}, "int64"),
        ({"process": {"crystals": ["one"]}}, "beyond the 1"),
        ({"process.values": np.zeros((150, 3))}, "(150, 2)"),
        (
            {
                "process.mean": np.zeros(4),
                "process.scale": np.ones(4),
                "process.points": np.zeros((150, 4)),
            },
            "(n, 18)",
        ),
        ({"laws": []}, "laws"),
        ({"laws": {"binaries": {"noise": 0.0}}}, "laws"),
        ({"imaginary": 5}, "imaginary"),
        ({"name": None}, "name"),
        ({"identity": {"model": "m"}}, "identity"),
        ({"mismatches": np.array([-0.1])}, "-0.1"),
        ({"mismatches": np.array([np.nan])}, "not finite"),
        ({"mismatches": np.zeros(0)}, "at least one"),
        ({"mismatches": np.array([1], dtype=np.int8)}, "int8"),
        ({"others.scale": np.array([0.0])}, "others"),
        ({"binaries.points": np.zeros((3, 2))}, "binaries.values"),
        ({"binaries.values": None}, "binaries.values"),
    ],
)
def test_packs_that_make_no_sense_are_refused(pack, tmp_path, change, said):
    path = pack.save(tmp_path / "u.phonons.safetensors")
    arrays, header = read_arrays(path, KIND)
    for name, value in change.items():
        where = arrays if "." in name or name == "mismatches" else header
        nested = name in ("laws", "process") and value
        where[name] = {**header[name], **value} if nested else value
        if value is None and where is arrays:
            del arrays[name]
    write_arrays(path, KIND, arrays, header)
    with pytest.raises(SpaceFileError, match=re.escape(said)):
        UniversalRisk.load(path)


def test_unknown_features_are_refused(law, beyond):
    unknown = replace(law, features=("colour", *law.features[1:]))
    with pytest.raises(SpaceFileError, match="by colour, mean_radius; one of stiffness_excess"):
        StiffnessLaws(unknown, beyond)
    with pytest.raises(SpaceFileError, match="one of spectral_excess"):
        StiffnessLaws(law, law)
    with pytest.raises(SpaceFileError, match="positive numbers"):
        StiffnessLaws(law, beyond, (1.0, 0.0))


def test_two_opinions_are_pooled():
    assert pooled((0.4, 0.1), (0.4, 0.1)) == pytest.approx((0.4, 0.1))  # no surer for agreeing
    mean, deviation = pooled((0.2, 0.1), (0.6, 0.3))
    assert mean == pytest.approx(0.24)
    assert 0.1 < deviation < 0.3
    mean, deviation = pooled((0.2, 0.1), (0.6, 1e6))  # who knows nothing changes no mean
    assert mean == pytest.approx(0.2)
    assert deviation == pytest.approx(0.1 * 2**0.5)


def test_a_quick_pack_is_found_and_bound_to_its_model(pack, tmp_path, monkeypatch):
    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path))
    encoder = find_encoder(MockCalculator())
    anchors = mock_anchors(encoder)
    assert not resolve_phonon_risk(anchors).known
    sharp = pack.sharpened(
        encoder.identity,
        pack.process.points[:15],
        np.full(15, 0.04),
        np.linspace(-0.2, -0.1, 15),
        NEW[:15],
    )
    sharp.save(tmp_path / f"mock-{identity_key(encoder.identity)}.{QUICK}.safetensors")
    assert resolve_phonon_risk(anchors).known
    other = mock_anchors(find_encoder(MockCalculator(seed=1)))
    with pytest.raises(ModelMismatchError, match="another model"):
        resolve_phonon_risk(other, sharp)


def test_a_missing_feature_means_uncalibrated(pack):
    risk = pack.predict(crystal(stiffness_excess=math.nan), SALT)
    assert risk.calibration == "uncalibrated"
    assert pack.predict(crystal(log_frequency=math.nan), ALLOY).calibration == "uncalibrated"
    missing = replace(pack, model=KNOWN).correct(crystal(log_frequency=math.nan), ALLOY)
    assert "could not be computed" in missing.reason


def test_shallow_modes_of_a_soft_model_are_its_own(pack):
    pack = replace(pack, imaginary=MODES)
    stiff, soft = crystal(stiffness_excess=4.0), crystal(stiffness_excess=3.0)
    said = [pack.probability_spurious(*each) for each in (
        (stiff, SALT, -8.0), (stiff, SALT, -0.5), (soft, SALT, -0.5),
    )]  # fmt: skip
    assert said == sorted(said)
    assert said[0] < 0.3 < 0.7 < said[-1]
    own, _, _ = pack.laws.binaries.softening(soft.to_dict())
    assert said[-1] == SPURIOUS(of_spectrum(-0.5, own))
    assert pack.probability_spurious(soft, SALT, -0.5, ("layers",)) == 0.4
    assert pack.probability_spurious(soft, SALT, -0.5, ("displacement",)) == said[-1]
    assert pack.probability_spurious(crystal(stiffness_excess=math.nan), SALT, -0.5) is None
    assert replace(pack, imaginary=None).probability_spurious(soft, SALT, -0.5) is None
    part = LinearPart(("log_bond",), np.zeros(1), np.ones(1), np.ones(1), 0.0)
    own_pack = PhononRisk("own", part, sigma=0.1, beyond=pack)
    assert own_pack.probability_spurious(soft, SALT, -0.5) == said[-1]
    assert replace(own_pack, beyond=None).probability_spurious(soft, SALT, -0.5) is None


@pytest.mark.parametrize("model", ["", KNOWN])
def test_the_universal_pack_speaks_at_every_displacement_of_its_calibration(pack, model):
    pack = replace(pack, model=model, imaginary=MODES)
    for one, numbers in ((crystal(stiffness_excess=3.0), SALT), (crystal(), ALLOY)):
        said = pack.predict(one, numbers)
        assert pack.predict(one, numbers, ("displacement",)) == said
        assert pack.correct(one, numbers, ("displacement",)) == pack.correct(one, numbers)
        assert said.relative_error != pack.predict(one, numbers, ("layers",)).relative_error


def test_the_shipped_odds_of_spurious_modes(shipped):
    own, rows = shipped
    row = next(row for row in rows if row.key == "NaCl rocksalt")
    said = [own.probability_spurious(row.features, row.numbers, low) for low in (-8, -2, -0.3)]
    assert said == sorted(said)
    assert said[-1] - said[0] > 0.5
    low, high = own.beyond.imaginary.spurious.part.coefficients
    assert low < 0
    assert high < 0


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
    assert handed.calibration == "any"
    assert handed.outside == known.outside  # it is not unlike those of the pack that speaks
    assert own.correct(one, alloy) == pack.correct(one, alloy)
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
        assert said.calibration == own.beyond.name
        inside, outside = (
            own.beyond._of_process(case_quantities(each.to_dict(), row.numbers), True, ())[1][0]
            for each in (row.features, moved)
        )
        assert outside > 1.1 * inside
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
        assert risk.probability_imaginary == pytest.approx(own.beyond.imaginary.octet.base)
        assert 0.1 < risk.probability_above_25_percent < 0.9
        correction = own.correct(row.features, row.numbers, (kind,))
        assert correction.factor is None
        assert kind in correction.reason
