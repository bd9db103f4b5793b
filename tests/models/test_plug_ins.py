"""Plug-ins of other packages: a broken one is said once and stops nothing."""

import warnings
from importlib.metadata import EntryPoint

import pytest

from platonic_ase import PlatonicCalculator
from platonic_ase.errors import PlugInWarning
from platonic_ase.models import registry
from platonic_ase.testing import MockCalculator, MockEncoder, mock_anchors

BROKEN = {
    "missing": "no_such_package_at_all:Encoder",
    "nothing": "platonic_ase.models.registry:NoSuchName",
    "none": "platonic_ase.models.registry:find_encoder",
    "malformed": "not a module",
}


@pytest.fixture
def plugged(monkeypatch):
    def plug(**values):
        found = [EntryPoint(name, value, registry.ENTRY_POINTS) for name, value in values.items()]
        monkeypatch.setattr(registry, "entry_points", lambda group: found)
        monkeypatch.setattr(registry, "_unusable", set())

    return plug


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plug_in_is_said_once_and_passed_over(name, plugged):
    plugged(**{name: BROKEN[name]})
    with warnings.catch_warnings(record=True) as issued:
        warnings.simplefilter("always")
        for _ in range(2):
            inner = MockCalculator()
            calc = PlatonicCalculator(
                inner, anchors=mock_anchors(MockEncoder(inner)), reference=None
            )
            assert calc.encoder.name == "mock"
    said = [item for item in issued if item.category is PlugInWarning]
    assert len(said) == 1
    assert repr(name) in str(said[0].message)
    assert "chgnet" in registry.known_encoders()


def test_a_plug_in_that_works_is_used(plugged):
    plugged(more="platonic_ase.testing.mocks:MockEncoder")
    assert registry.known_encoders()["more"] is MockEncoder
