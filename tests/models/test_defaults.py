import pytest

from platonic_ase.crystals.groups import group_of
from platonic_ase.crystals.pool import generate_pool, generate_sample
from platonic_ase.errors import UnsoundModelWarning
from platonic_ase.models import default_anchors
from platonic_ase.models import default_reference as defaults
from platonic_ase.testing import MockCalculator, MockEncoder, small_space


class Adjustable(MockEncoder):
    layers = ("last", "first")
    settings = {}  # noqa: RUF012
    dtype = "float64"


@pytest.fixture
def built(tmp_path, monkeypatch):
    """The identities that a space was made for; the cache is empty."""
    from ase.build import bulk

    made = []

    def space(encoder):
        return small_space(encoder, [bulk("Si"), bulk("NaCl", "rocksalt", a=5.6)])

    def build(encoder, anchors, structures, **options):
        made.append(encoder.identity)
        return space(encoder)[1]

    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path))
    monkeypatch.setattr(
        default_anchors, "default_anchors", lambda encoder, progress: space(encoder)[0]
    )
    monkeypatch.setattr(defaults, "build_reference", build)
    monkeypatch.setattr(
        "platonic_ase.crystals.pool.generate_sample", lambda most, elements, seed: []
    )
    return made


def test_a_space_is_made_on_first_use_only(built):
    first, _ = defaults.default_space(Adjustable(MockCalculator()))
    again, _ = defaults.default_space(Adjustable(MockCalculator()))
    assert len(built) == 1
    assert first.digest == again.digest


def test_first_use_names_what_sharpens_it(built, caplog):
    with caplog.at_level("INFO", logger="platonic_ase"):
        defaults.default_space(Adjustable(MockCalculator()), progress=False)
        defaults.default_space(Adjustable(MockCalculator()), progress=False)
    said = [record.message for record in caplog.records if "no stored reference" in record.message]
    assert len(said) == 1
    for remedy in ("platonic-ase calibrate --calculator", "--quick", "platonic-ase anchors build"):
        assert remedy in said[0]


@pytest.mark.parametrize(
    "change",
    [{"layer": "first"}, {"settings": {"task": "omat"}}, {"dtype": "float32"}, {"seed": 1}],
)
def test_a_changed_model_or_setting_gets_a_space_of_its_own(built, change):
    defaults.default_space(Adjustable(MockCalculator()))
    encoder = Adjustable(MockCalculator(seed=change.get("seed", 0)), layer=change.get("layer"))
    for name in ("settings", "dtype"):
        if name in change:
            setattr(encoder, name, change[name])
    defaults.default_space(encoder)
    assert len(built) == 2
    assert built[0].differences(built[1])


class Reversed(MockCalculator):
    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.results["forces"] = -self.results["forces"]


def test_an_unsound_model_is_told_at_first_use(built, recwarn):
    defaults.default_space(Adjustable(Reversed()))
    told = [each for each in recwarn if each.category is UnsoundModelWarning]
    assert len(told) == 1
    assert "platonic-ase doctor" in str(told[0].message)
    defaults.default_space(Adjustable(Reversed()))
    assert sum(each.category is UnsoundModelWarning for each in recwarn) == 1


def test_the_small_pool_is_part_of_the_whole_one():
    elements = (3, 8, 9, 11, 12, 17)
    whole, sample = generate_pool(elements), generate_sample(10, elements)
    assert len(sample) == 10
    assert len({group_of(atoms) for atoms in sample}) > 5
    assert {atoms.info["kind"] for atoms in sample} == {"ideal", "strained", "rattled"}
    for atoms in sample:
        assert any(atoms == member and atoms.info == member.info for member in whole)
    assert len(generate_sample(1000, elements)) == len(
        {(group_of(a), a.info["prototype"]) for a in whole}
    )
