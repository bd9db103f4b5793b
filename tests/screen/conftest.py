import pytest
from ase.build import bulk
from screening import make

from platonic_ase import find_encoder
from platonic_ase.screen.rows import NOT_COMPARED
from platonic_ase.screen.store import latest_rows
from platonic_ase.testing import small_space


@pytest.fixture(scope="session")
def space(tmp_path_factory):
    """Paths of anchors and reference of the mock model, as settings."""
    folder = tmp_path_factory.mktemp("screen-space")
    anchors, reference = small_space(find_encoder(make()), [bulk("Cu"), bulk("Cu", a=3.8)])
    return {
        "anchors": str(anchors.save(folder / "a.safetensors")),
        "reference": str(reference.save(folder / "r.safetensors")),
    }


@pytest.fixture
def crystals():
    found = []
    for index in range(7):
        atoms = bulk("Cu", a=3.6 + 0.02 * index) * (1, 1, 1 + index % 3)
        atoms.rattle(0.02, seed=index)
        found.append(atoms)
    return found


@pytest.fixture
def rows():
    """Rows without what may differ from run to run."""

    def read(folder):
        return [
            {k: v for k, v in row.items() if k not in NOT_COMPARED} for row in latest_rows(folder)
        ]

    return read
