import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.testing import small_space


def crystal(a=3.6):
    return bulk("Cu", "fcc", a=a, cubic=True)


@pytest.fixture(scope="session")
def mock_space(tmp_path_factory):
    """Files with anchors and reference of the mock model."""
    folder = tmp_path_factory.mktemp("space")
    anchors, reference = small_space(find_encoder(EMT()), [crystal(), crystal(3.8)])
    anchors.save(folder / "mock.anchors.safetensors")
    reference.save(folder / "mock.reference.safetensors")
    return folder / "mock.anchors.safetensors", folder / "mock.reference.safetensors"


@pytest.fixture
def wrap(mock_space):
    def make(inner=None, **options):
        anchors, reference = mock_space
        options = {"anchors": anchors, "reference": reference, "on_warning": "ignore", **options}
        return PlatonicCalculator(inner or EMT(), **options)

    return make


@pytest.fixture
def copper():
    return crystal()
