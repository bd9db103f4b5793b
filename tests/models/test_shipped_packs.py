"""Anchors, references and bounds that come with the package belong together, and to their model."""

from dataclasses import replace
from shutil import copy2

import pytest

from platonic_ase.errors import ModelMismatchError
from platonic_ase.monitor.force_bound import ForceBound
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.folders import identity_key, packaged_folder
from platonic_ase.space.packs import find_pack
from platonic_ase.space.reference import ReferenceManifold

KINDS = {"reference": ReferenceManifold, "forces": ForceBound, "phonons": PhononRisk}
ANCHORS = sorted(packaged_folder().glob("*.anchors.safetensors"))


@pytest.mark.parametrize("path", ANCHORS, ids=lambda path: path.name.partition(".anchors")[0])
def test_a_model_with_anchors_has_a_reference_that_fits_them(path):
    anchors = AnchorSet.load(path)
    assert path.name.endswith(f"-{identity_key(anchors.identity)}.anchors.safetensors")
    reference = find_pack(anchors, ReferenceManifold, "reference")
    assert reference is not None
    assert reference.provenance["environments"] >= len(reference)


def test_no_reference_or_bound_is_without_anchors():
    keys = {path.name.split(".anchors")[0] for path in ANCHORS}
    for kind in ("reference", "forces"):
        for path in packaged_folder().glob(f"*.{kind}.safetensors"):
            assert path.name.split(f".{kind}")[0] in keys


def test_packs_of_one_modal_serve_no_other(tmp_path, caplog):
    (path,) = (path for path in ANCHORS if path.name.startswith("7net-mf-0_PBE-"))
    pbe = AnchorSet.load(path)
    assert all(find_pack(pbe, kind, name) is not None for name, kind in KINDS.items())
    other = replace(pbe, identity=replace(pbe.identity, settings={"modal": "R2SCAN"}))
    with pytest.raises(ModelMismatchError, match=r"PBE.*R2SCAN"):
        pbe.require(other.identity)
    for name, kind in KINDS.items():
        assert find_pack(other, kind, name) is None
        given = path.with_name(path.name.replace(".anchors.", f".{name}."))
        copy2(given, tmp_path / f"renamed-{identity_key(other.identity)}.{name}.safetensors")
        assert find_pack(other, kind, name, calibration=tmp_path) is None
        assert f"a stored {name} pack is not used" in caplog.text


def test_no_bound_measures_a_functional_by_the_labels_of_another():
    for path in packaged_folder().glob("*.forces.safetensors"):
        assert "PBE" in ForceBound.load(path).provenance["source"]
        assert "r2scan" not in path.name.lower()
