import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.embeddings import EmbeddingSet
from platonic_ase.space.files import write_arrays
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.reference import ReferenceManifold

IDENTITY = ModelIdentity("pkg", "1.0", "model", "a" * 32, "last", 4, "float32", {"modal": "x"})


@pytest.fixture
def anchors():
    rng = np.random.default_rng(0)
    return AnchorSet(
        rng.normal(size=(6, 4)).astype(np.float32),
        np.arange(1, 7),
        IDENTITY,
        centre=rng.normal(size=4).astype(np.float32),
        provenance={"source": "test", "seed": 0},
    )


@pytest.fixture
def reference(anchors):
    return ReferenceManifold(
        np.random.default_rng(1).uniform(-1, 1, size=(9, 6)).astype(np.float32),
        np.repeat([1, 8], [4, 5]),
        {1: 0.5, 8: 0.25},
        {1: 40, 8: 50},
        0.4,
        1.5,
        0.99,
        0.95,
        IDENTITY,
        anchors.digest,
        {"source": "test"},
    )


@pytest.fixture
def embedded():
    return EmbeddingSet(
        np.ones((3, 4), np.float32), np.ones(3, int), np.array([0, 0, 2]), IDENTITY, {}, {1: "no"}
    )


@pytest.fixture(params=["anchors", "reference", "embedded"])
def thing(request):
    return request.getfixturevalue(request.param)


def test_round_trip(thing, tmp_path):
    path = thing.save(tmp_path / "deep" / "thing.safetensors")
    again = type(thing).load(path)
    for field in dataclasses.fields(thing):
        mine, theirs = getattr(thing, field.name), getattr(again, field.name)
        if isinstance(mine, np.ndarray):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)
        else:
            assert mine == theirs
    assert [p.name for p in path.parent.iterdir()] == ["thing.safetensors"]


def test_truncated(thing, tmp_path):
    path = thing.save(tmp_path / "thing.safetensors")
    data = path.read_bytes()
    for length in (0, 5, 100, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(SpaceFileError, match=r"thing\.safetensors"):
            type(thing).load(path)


@pytest.mark.parametrize("content", [b"\x80\x04K\x01.", b"not an array file at all", b"PK\x03\x04"])
def test_other_formats(thing, tmp_path, content):
    path = tmp_path / "other.pkl"
    path.write_bytes(content)
    with pytest.raises(SpaceFileError, match="not a readable safetensors file"):
        type(thing).load(path)


def test_missing(thing, tmp_path):
    with pytest.raises(SpaceFileError, match=r"at .*nowhere.*anchors build"):
        type(thing).load(tmp_path / "nowhere")


def test_of_another_program(thing, tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"embeddings": np.eye(4)}, path)
    with pytest.raises(SpaceFileError, match="written by another program"):
        type(thing).load(path)


def test_of_another_kind(thing, tmp_path):
    path = write_arrays(tmp_path / "f", "spectra", {"x": np.zeros(1)}, {})
    with pytest.raises(SpaceFileError, match="'spectra'"):
        type(thing).load(path)


def test_of_another_version(anchors, tmp_path):
    arrays = {"embeddings": anchors.embeddings}
    path = write_arrays(tmp_path / "f", "anchors", arrays, {"format": 99})
    with pytest.raises(SpaceFileError, match="version 99"):
        AnchorSet.load(path)


def test_incomplete(anchors, tmp_path):
    header = {"identity": IDENTITY.to_dict(), "provenance": {}}
    path = write_arrays(tmp_path / "f", "anchors", {"embeddings": anchors.embeddings}, header)
    with pytest.raises(SpaceFileError, match="numbers"):
        AnchorSet.load(path)
    path = write_arrays(
        tmp_path / "f", "anchors", {"embeddings": np.eye(4), "numbers": np.ones(4)}, {}
    )
    with pytest.raises(SpaceFileError, match="identity"):
        AnchorSet.load(path)


def test_not_finite(anchors, reference, tmp_path):
    broken = anchors.embeddings.copy()
    broken[2, 1] = np.nan
    header = {"identity": IDENTITY.to_dict(), "provenance": {}}
    arrays = {"embeddings": broken, "numbers": anchors.numbers}
    path = write_arrays(tmp_path / "f", "anchors", arrays, header)
    with pytest.raises(SpaceFileError, match="'embeddings' has 1 values that are not finite"):
        AnchorSet.load(path)
    with pytest.raises(SpaceFileError, match="not finite"):
        AnchorSet(broken, anchors.numbers, IDENTITY)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("fingerprint", "b" * 32),
        ("layer", "penultimate"),
        ("dtype", "float64"),
        ("package", "other"),
        ("settings", {"modal": "y"}),
    ],
)
def test_another_model_is_refused_with_both_values(anchors, field, other):
    calculator = dataclasses.replace(IDENTITY, **{field: other})
    with pytest.raises(ModelMismatchError) as caught:
        anchors.require(calculator)
    assert repr(getattr(IDENTITY, field)) in str(caught.value)
    assert repr(other) in str(caught.value)


def test_names_and_versions_are_recorded_only(anchors):
    anchors.require(dataclasses.replace(IDENTITY, package_version="2", model="renamed"))


def test_a_reference_is_tied_to_its_anchors(anchors, reference):
    reference.require(anchors)
    moved = dataclasses.replace(anchors, embeddings=anchors.embeddings + 1)
    with pytest.raises(ModelMismatchError) as caught:
        reference.require(moved)
    assert anchors.digest in str(caught.value)
    assert moved.digest in str(caught.value)
    uncentred = dataclasses.replace(anchors, centre=None)
    with pytest.raises(ModelMismatchError):
        reference.require(uncentred)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeddings": np.ones((6, 3))}, r"\(6, 3\); \(K, 4\)"),
        ({"embeddings": np.ones((0, 4)), "numbers": np.ones(0)}, r"\(0, 4\)"),
        ({"numbers": np.ones(5)}, r"\(5,\)"),
        ({"centre": np.ones(3)}, r"\(3,\)"),
    ],
)
def test_shapes_are_checked(anchors, change, message):
    with pytest.raises(SpaceFileError, match=message):
        dataclasses.replace(anchors, **change)


def test_the_header_is_json_and_names_the_model(anchors, tmp_path):
    data = anchors.save(tmp_path / "f").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["platonic_ase"])
    assert header["identity"]["fingerprint"] == IDENTITY.fingerprint
    assert header["kind"] == "anchors"
    assert header["centred"] is True
