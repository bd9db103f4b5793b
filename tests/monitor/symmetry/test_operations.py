import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from platonic_ase.monitor.symmetry.generators import site_permutation
from platonic_ase.monitor.symmetry.operations import find_operations
from platonic_ase.monitor.symmetry.orbits import symmetry_dataset

CELLS = {
    "perovskite": Atoms(
        "BaTiO3",
        scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
        cell=[4.0] * 3,
        pbc=True,
    ),
    "salt": bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (2, 1, 1),
    "hcp": bulk("Mg") * (2, 2, 1),
    "wurtzite": bulk("ZnO", "wurtzite", a=3.25, c=5.2),
}


@pytest.fixture(params=CELLS)
def atoms(request):
    return CELLS[request.param].copy()


def test_the_images_are_images(atoms):
    operations = find_operations(atoms)
    moved = atoms.copy()
    u = np.random.default_rng(0).normal(scale=0.05, size=(len(atoms), 3))
    moved.positions += u
    distances = np.sort(moved.get_all_distances(mic=True).ravel())
    for image in operations.apply(u):
        other = atoms.copy()
        other.positions += image
        np.testing.assert_allclose(
            np.sort(other.get_all_distances(mic=True).ravel()), distances, atol=1e-9
        )


def test_overlaps_follow_their_definition(atoms):
    operations = find_operations(atoms)
    a, b = np.random.default_rng(1).normal(size=(2, len(atoms), 3))
    expected = np.einsum("ia,gia->g", a, operations.apply(b))
    np.testing.assert_allclose(operations.vector_overlaps(a, b), expected, atol=1e-12)
    np.testing.assert_allclose(operations.apply(b)[0], b)


def test_the_symmetric_part_is_symmetric(atoms):
    operations = find_operations(atoms)
    part = operations.symmetric_part(np.random.default_rng(2).normal(size=(len(atoms), 3)))
    for image in operations.apply(part):
        np.testing.assert_allclose(image, part, atol=1e-12)


def test_the_mean_over_some_images_is_that_of_those_images(atoms):
    operations = find_operations(atoms)
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(len(atoms), 3))
    for share in (0.1, 0.5, 1.0):
        chosen = rng.random(len(operations)) <= share
        chosen[-1] = True
        np.testing.assert_allclose(
            operations.mean_image(vectors, chosen),
            operations.apply(vectors)[chosen].mean(axis=0),
            atol=1e-14,
        )


def every_operation(atoms):
    """All operations one by one, each with a tree of its own: the slow way."""
    cell, fractional = atoms.cell.array, atoms.get_scaled_positions(wrap=False)
    dataset = symmetry_dataset((cell, fractional, atoms.numbers), 1e-2)
    moved = [
        site_permutation(fractional, w, t)
        for w, t in zip(dataset.rotations, dataset.translations, strict=True)
    ]
    turns = np.einsum("ab,gbc,cd->gad", cell.T, dataset.rotations, np.linalg.inv(cell.T))
    return turns, np.array(moved)


def test_the_products_are_all_operations(atoms):
    turns, moved = every_operation(atoms)
    operations = find_operations(atoms)
    found = {
        (*np.rint(1e6 * r).astype(int).ravel().tolist(), *translation[p].tolist())
        for translation in operations.translations
        for r, p in zip(operations.rotations, operations.permutations, strict=True)
    }
    expected = {
        (*np.rint(1e6 * r).astype(int).ravel().tolist(), *p.tolist())
        for r, p in zip(turns, moved, strict=True)
    }
    assert found == expected
    assert len(found) == len(turns)


def test_the_projector_is_the_mean_over_all_operations(atoms):
    turns, moved = every_operation(atoms)
    vectors = np.random.default_rng(3).normal(size=(len(atoms), 3))
    images = np.zeros((len(turns), len(atoms), 3))
    for image, rotation, permutation in zip(images, turns, moved, strict=True):
        image[permutation] = vectors @ rotation.T
    operations = find_operations(atoms)
    part = operations.symmetric_part(vectors)
    np.testing.assert_allclose(part, images.mean(axis=0), atol=5e-16)
    tensor = np.random.default_rng(4).normal(size=(3, 3))
    mean = np.einsum("gab,bc,gdc->ad", turns, tensor, turns) / len(turns)
    np.testing.assert_allclose(operations.symmetric_tensor(tensor), mean, atol=5e-15)
