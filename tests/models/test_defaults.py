import pytest

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

    def build(encoder, anchors, structures, *, progress):
        made.append(encoder.identity)
        return space(encoder)[1]

    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path))
    monkeypatch.setattr(
        default_anchors, "default_anchors", lambda encoder, progress: space(encoder)[0]
    )
    monkeypatch.setattr(defaults, "build_reference", build)
    monkeypatch.setattr("platonic_ase.crystals.pool.generate_pool", lambda seed: [])
    return made


def test_a_space_is_made_on_first_use_only(built):
    first, _ = defaults.default_space(Adjustable(MockCalculator()))
    again, _ = defaults.default_space(Adjustable(MockCalculator()))
    assert len(built) == 1
    assert first.digest == again.digest


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
