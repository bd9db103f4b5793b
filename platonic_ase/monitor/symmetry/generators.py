"""Few operations that generate a space group, and where they take the atoms."""

from __future__ import annotations

import numpy as np


def generating_set(rotations: np.ndarray, translations: np.ndarray) -> list[int]:
    """Find few operations that generate the whole group; return their indices."""
    identity = np.eye(3, dtype=int)
    pure = np.flatnonzero((rotations == identity).all(axis=(1, 2))).tolist()
    chosen: list[int] = []
    # pure translations: the shortest that enlarge the lattice generated so far
    lattice = {(0, 0, 0)}
    grid = common_denominator(translations[pure])
    steps = {i: tuple(np.rint(translations[i] * grid).astype(int) % grid) for i in pure}
    for i in sorted(pure, key=lambda i: (sum(steps[i]), steps[i])):
        if steps[i] in lattice:
            continue
        chosen.append(i)
        frontier = lattice
        while frontier:
            frontier = {
                tuple((np.add(point, steps[i]) % grid).tolist()) for point in frontier
            } - lattice
            lattice = lattice | frontier
        if len(lattice) == len(pure):
            break
    # rotation parts: add one whenever the point group generated so far does not have it
    group = {identity.tobytes(): identity}
    _, first = np.unique(rotations.reshape(len(rotations), 9), axis=0, return_index=True)
    for i in sorted(first.tolist()):
        w = rotations[i].astype(int)
        if w.tobytes() in group:
            continue
        chosen.append(i)
        generators = [w] + [rotations[j].astype(int) for j in chosen]
        frontier_w = list(group.values())
        while frontier_w:
            fresh = []
            for a in frontier_w:
                for b in generators:
                    product = a @ b
                    if product.tobytes() not in group:
                        group[product.tobytes()] = product
                        fresh.append(product)
            frontier_w = fresh
    return chosen


def common_denominator(translations: np.ndarray) -> int:
    """Smallest grid on which all pure translations lie; their number is one."""
    for grid in range(1, 1 + len(translations)):
        if np.allclose(np.rint(translations * grid), translations * grid, atol=1e-3):
            return grid
    return max(1, len(translations))


def site_permutation(
    fractional: np.ndarray, rotation: np.ndarray, translation: np.ndarray
) -> np.ndarray:
    """Where an operation takes each atom: the nearest atom, modulo the lattice, (n_atoms,)."""
    from scipy.spatial import cKDTree

    moved = (fractional @ rotation.T + translation) % 1.0 % 1.0
    _, target = cKDTree(fractional % 1.0 % 1.0, boxsize=1.0).query(moved)
    return np.asarray(target)


def rotations_keeping(
    rotations: np.ndarray, cell: np.ndarray, projectors: list[np.ndarray]
) -> np.ndarray:
    """Which rotation parts leave every projector as it is, shape (n_operations,)."""
    turns = np.einsum("ab,gbc,cd->gad", cell.T, rotations, np.linalg.inv(cell.T))
    kept = np.ones(len(rotations), dtype=bool)
    for projector in projectors:
        turned = turns @ projector @ turns.transpose(0, 2, 1)
        kept &= np.abs(turned - projector).max(axis=(1, 2)) < 1e-3
    return kept


def connected_atoms(permutations: np.ndarray) -> np.ndarray:
    """Label of the atoms that generators take to each other, shape (n_atoms,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = permutations.shape[1]
    starts = np.tile(np.arange(n), len(permutations))
    links = coo_array((np.ones(len(starts)), (starts, permutations.ravel())), shape=(n, n))
    return np.asarray(connected_components(links, directed=False)[1])
