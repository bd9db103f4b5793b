"""Mutated packs: refused with a sentence, or as good as before."""

import json
import struct

import numpy as np
import pytest
from ase.calculators.emt import EMT
from bounded import bounded

from platonic_ase import AnchorSet, EmbeddingSet, PlatonicCalculator, ReferenceManifold
from platonic_ase.errors import SpaceFileError
from platonic_ase.monitor.force_bound import ForceBound
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.folders import packaged_folder

KINDS = {
    "anchors": AnchorSet,
    "reference": ReferenceManifold,
    "forces": ForceBound,
    "phonons": PhononRisk,
}
STORED = {"anchors": "anchors", "reference": "reference", "forces": "force_bound",
          "phonons": "phonon_risk"}  # fmt: skip


@pytest.fixture(scope="module")
def packs():
    found = {}
    for suffix in KINDS:
        path = sorted(packaged_folder().glob(f"chgnet-0.3.0-*.{suffix}.safetensors"))[0]
        found[suffix] = read_arrays(path, STORED[suffix])
    return found


def stored(tmp_path, packs, suffix, arrays=None, header=None):
    old_arrays, old_header = packs[suffix]
    path = tmp_path / f"x.{suffix}.safetensors"
    write_arrays(path, STORED[suffix], {**old_arrays, **(arrays or {})},
                 {**old_header, **(header or {})})  # fmt: skip
    return path


def test_every_packaged_file_follows_its_schema():
    for suffix, kind in KINDS.items():
        for path in packaged_folder().glob(f"*.{suffix}.safetensors"):
            if not path.name.startswith("universal"):
                kind.load(path)


@pytest.mark.parametrize(
    ("suffix", "name", "value"),
    [
        ("reference", "alarm", float("nan")),
        ("reference", "alarm", -1.0),
        ("reference", "pooled_threshold", 0),
        ("reference", "level", 1.5),
        ("reference", "identity", ["a", "list"]),
        ("reference", "anchors", 7),
        ("anchors", "identity", None),
        ("anchors", "provenance", "text"),
        ("forces", "floor", float("inf")),
        ("forces", "reach", "1"),
        ("forces", "elements", [0]),
        ("phonons", "sigma", True),
        ("phonons", "alarm_error", -0.1),
        ("phonons", "parts", {"error": 3}),
        ("phonons", "octet", "yes"),
    ],
)
def test_headers_that_make_no_sense_are_refused(tmp_path, packs, suffix, name, value):
    path = stored(tmp_path, packs, suffix, header={name: value})
    with pytest.raises(SpaceFileError, match=name):
        KINDS[suffix].load(path)


@pytest.mark.parametrize(
    ("suffix", "name", "change"),
    [
        ("reference", "thresholds", lambda a: -a),
        ("reference", "platonic", lambda a: a * 3),
        ("reference", "platonic", lambda a: a.astype(np.int8)),
        ("reference", "numbers", lambda a: a + 200),
        ("reference", "counts", lambda a: a[:-1]),
        ("anchors", "embeddings", lambda a: a[:, :-1]),
        ("anchors", "embeddings", lambda a: a * 0),
        ("anchors", "numbers", lambda a: a.astype(np.float32)),
        ("forces", "mean", lambda a: a[:-1]),
        ("forces", "coefficients", lambda a: a + 1e6),
    ],
)
def test_arrays_that_make_no_sense_are_refused(tmp_path, packs, suffix, name, change):
    path = stored(tmp_path, packs, suffix, arrays={name: change(packs[suffix][0][name])})
    with pytest.raises(SpaceFileError):
        KINDS[suffix].load(path)


def raw(header_text, tensors=None):
    metadata = {"__metadata__": {"platonic_ase": header_text}, **(tensors or {})}
    data = json.dumps(metadata).encode()
    return struct.pack("<Q", len(data)) + data + bytes(64)


@pytest.mark.parametrize(
    "content",
    [
        raw("[1, 2]"),
        raw("[" * 100_000),
        raw('{"format": ' + "9" * 5000 + "}"),
        raw("null"),
        raw('{"kind": "anchors", "format": 1}',
            {"embeddings": {"dtype": "BF16", "shape": [2, 16], "data_offsets": [0, 64]}}),
        b"",
        b"\xff" * 100,
    ],
)  # fmt: skip
def test_files_of_another_make_are_refused(tmp_path, content):
    path = tmp_path / "x.anchors.safetensors"
    path.write_bytes(content)
    for kind in (*KINDS.values(), EmbeddingSet):
        with pytest.raises(SpaceFileError):
            kind.load(path)


def test_one_bad_file_of_the_cache_stops_no_construction(tmp_path, monkeypatch, mock_space):
    from platonic_ase.models import find_encoder
    from platonic_ase.space.folders import file_stem

    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path))
    stem = file_stem(find_encoder(EMT()).identity)
    for suffix in KINDS:
        (tmp_path / f"{stem}.{suffix}.safetensors").write_bytes(raw("[" * 100_000))
    anchors, reference = mock_space
    calc = PlatonicCalculator(EMT(), anchors=anchors, reference=reference)
    assert calc.force_bound is None


MUTATIONS = 5000
VALUES = (None, True, -1, 0, 1e308, float("nan"), float("inf"), "x", "", [], {}, [[]], 10**400)


@pytest.mark.slow
def test_mutated_packs_are_refused_or_make_sense(tmp_path, packs):
    """Bytes, arrays and headers at random: no error but ours, and what loads is finite."""
    rng = np.random.default_rng(0)
    accepted = 0
    for k in range(MUTATIONS):
        suffix = list(KINDS)[k % 4]
        arrays, header = packs[suffix]
        way = int(rng.integers(3))
        if way == 0:
            name = str(rng.choice(sorted(header)))
            value = VALUES[rng.integers(len(VALUES))]
            path = stored(tmp_path, packs, suffix, header={name: value})
        elif way == 1:
            name = str(rng.choice(sorted(arrays)))
            array = arrays[name]
            changes = (array[:-1], array * -1, array.astype(np.int8), array[None], array * 0,
                       array[::-1], array.astype(np.float64) * 1e40)  # fmt: skip
            path = stored(tmp_path, packs, suffix, {name: changes[rng.integers(len(changes))]})
        else:
            path = stored(tmp_path, packs, suffix)
            data = bytearray(path.read_bytes())
            head = struct.unpack("<Q", data[:8])[0] + 8
            for _ in range(int(rng.integers(1, 5))):
                data[rng.integers(head)] = rng.integers(256)
            path.write_bytes(bytes(data[: rng.integers(len(data))] if rng.random() < 0.2 else data))
        with bounded():
            try:
                KINDS[suffix].load(path)
                accepted += 1
            except SpaceFileError:
                pass
    assert 0 < accepted < MUTATIONS
