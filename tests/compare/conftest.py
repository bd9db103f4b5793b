import numpy as np
import pytest
from ase.build import bulk

from platonic_ase.testing import MockCalculator


@pytest.fixture
def cells():
    """Thirty small crystals of mixed elements, rattled."""
    found = []
    for k in range(30):
        a, b = [("Na", "Cl"), ("Mg", "O"), ("Ga", "As")][k % 3]
        atoms = bulk(a + b, "rocksalt", a=4.8 + 0.05 * (k // 3))
        atoms = atoms.repeat((2, 1, 1))
        atoms.rattle(0.15, seed=k)
        atoms.info["energy"] = -1.0 * k
        found.append(atoms)
    return found


@pytest.fixture
def few_anchors(monkeypatch):
    """Ten anchors instead of a hundred."""
    from platonic_ase.compare import alignment, embedding

    environments = []
    for k in range(10):
        atoms = bulk("NaCl" if k % 2 else "MgO", "rocksalt", a=4.4 + 0.15 * k)
        atoms.rattle(0.2, seed=k)
        environments.append((atoms, k % 2))
    for module in (alignment, embedding):
        monkeypatch.setattr(module, "anchor_environments", lambda: environments)
    return environments


@pytest.fixture
def mocks():
    return {name: MockCalculator(seed=seed) for name, seed in (("a", 1), ("b", 2), ("c", 3))}


@pytest.fixture
def arrays():
    """Three models of 60 atoms in 20 structures: twins up to rotation and scale, and a stranger."""
    rng = np.random.default_rng(0)
    points, axes = rng.normal(size=(60, 8)), rng.normal(size=(12, 8))
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    raw = {"a": points, "twin": 3 * points @ turn, "stranger": rng.normal(size=(60, 8))}
    anchors = {"a": axes, "twin": 3 * axes @ turn, "stranger": rng.normal(size=(12, 8))}
    return raw, anchors, np.tile([8, 11, 17], 20), np.repeat(np.arange(20), 3)
