from dataclasses import replace

import numpy as np
import pytest

from platonic_ase import AnchorSet
from platonic_ase.errors import ModelMismatchError
from platonic_ase.space.identity import ModelIdentity

MODEL = ModelIdentity(
    package="mace-torch",
    package_version="0.3.16",
    model="mace-mp-0-small",
    fingerprint="0123",
    layer="first",
    width=4,
    dtype="float32",
    settings={"head": "pbe"},
)
CHANGES = {
    "fingerprint": {"fingerprint": "4567"},
    "layer": {"layer": "last"},
    "dtype": {"dtype": "float64"},
    "head": {"settings": {"head": "r2scan"}},
    "task": {"settings": {"head": "pbe", "task": "omat"}},
    "modal": {"settings": {"modal": "PBE"}},
    "package": {"package": "matgl"},
    "width": {"width": 5},
}


@pytest.mark.parametrize("changed", CHANGES)
def test_whatever_changes_embeddings_is_refused_with_both_values(changed):
    anchors = AnchorSet(
        embeddings=np.eye(4), numbers=np.ones(4, dtype=int), identity=MODEL, provenance={}
    )
    other = replace(MODEL, **CHANGES[changed])
    (field,) = {name.partition(" ")[0] for name in CHANGES[changed]}
    with pytest.raises(ModelMismatchError) as refused:
        anchors.require(other)
    for identity in (MODEL, other):
        assert repr(getattr(identity, field)) in str(refused.value)


def test_names_and_versions_are_recorded_only():
    other = replace(MODEL, model="my model", package_version="0.3.15")
    assert MODEL.differences(other) == []
