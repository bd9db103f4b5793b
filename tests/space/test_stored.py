"""Copies name packs that are stored; packs from elsewhere travel."""

import copy
import pickle

import numpy as np
import pytest

from platonic_ase import PlatonicCalculator
from platonic_ase.errors import SpaceFileError
from platonic_ase.space.folders import cache_folder
from platonic_ase.space.reference import ReferenceManifold
from platonic_ase.space.stored import _reopened, stored_in


def size(thing):
    return len(pickle.dumps(thing))


@pytest.fixture
def reference(mock_space, tmp_path, monkeypatch):
    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path / "cache"))
    path = cache_folder() / "mock.reference.safetensors"
    ReferenceManifold.load(mock_space[1]).save(path)
    return stored_in(ReferenceManifold.load(path), path)


def test_a_stored_pack_is_named_and_opened_again(reference):
    data = pickle.dumps(reference)
    assert len(data) < 500
    again = pickle.loads(data)
    assert np.array_equal(again.platonic, reference.platonic)
    assert again is pickle.loads(data)  # copies in one process share it
    assert size(again) == len(data)
    assert copy.deepcopy(reference) is reference


def test_a_pack_that_is_gone_or_another_is_refused_with_the_remedy(reference):
    data = pickle.dumps(reference)
    path = cache_folder() / "mock.reference.safetensors"
    changed = ReferenceManifold.load(path)
    path.unlink()
    _reopened.cache_clear()  # as in another process
    with pytest.raises(SpaceFileError, match="install the same version"):
        pickle.loads(data)
    object.__setattr__(changed, "alarm", 99.0)
    changed.save(path)
    with pytest.raises(SpaceFileError, match="install the same version"):
        pickle.loads(data)
    moved = pickle.loads(pickle.dumps(reference))  # its file is another now: it travels
    assert np.array_equal(moved.platonic, reference.platonic)
    assert moved.alarm == reference.alarm


def test_a_pack_of_ones_own_travels(mock_space):
    own = ReferenceManifold.load(mock_space[1])
    data = pickle.dumps(own)
    assert len(data) > own.platonic.nbytes
    assert len(data) < 1.5 * own.platonic.nbytes + 5000  # once, without what follows from it
    again = pickle.loads(data)
    numbers = own.numbers[:3]
    assert np.array_equal(
        again.distances(own.platonic[:3], numbers), own.distances(own.platonic[:3], numbers)
    )


def test_a_copy_of_a_calculator_is_hardly_larger_than_the_bare_one(chgnet, copper):
    calc = PlatonicCalculator(chgnet)
    assert size(calc) < size(chgnet) + 100_000
    again = pickle.loads(pickle.dumps(calc))
    energies = []
    for each in (calc, again):
        atoms = copper.copy()
        atoms.calc = each
        energies.append(atoms.get_potential_energy())
    assert energies[0] == energies[1]
    assert again.diagnosis.scalars == calc.diagnosis.scalars
    assert size(calc) < size(chgnet) + 100_000
