import importlib.util
import warnings

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from hypothesis import settings

from platonic_ase import PlatonicCalculator, find_encoder, register_encoder
from platonic_ase.testing import GeometricEncoder, MockEncoder, SpringEncoder, small_space

# the same examples in every run; --hypothesis-profile=default draws new ones
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")


def pytest_configure(config):
    register_encoder(MockEncoder)
    register_encoder(GeometricEncoder)
    register_encoder(SpringEncoder)


def require(package, extra):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'platonic_ase[{extra}]'")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """No test sees what earlier runs have cached, or leaves anything in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLATONIC_ASE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def chgnet():
    """CHGNet 0.3.0 with its real weights, shared by all tests of a run."""
    require("chgnet", "chgnet")
    from chgnet.model import CHGNet
    from chgnet.model.dynamics import CHGNetCalculator

    return CHGNetCalculator(CHGNet.load(use_device="cpu", verbose=False), use_device="cpu")


@pytest.fixture(scope="session")
def sevennet():
    """SevenNet-0 with its real weights, shared by all tests of a run."""
    require("sevenn", "sevennet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sevenn.calculator import SevenNetCalculator

        return SevenNetCalculator("7net-0", device="cpu")


@pytest.fixture(scope="session")
def small_spaces():
    """Anchors and reference manifold per model, made once and from a few structures."""
    made = {}

    def get(kind, encoder, structures):
        if kind not in made:
            made[kind] = small_space(encoder, structures)
        return made[kind]

    return get


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


@pytest.fixture(scope="session")
def scheduler():
    """Address of a Dask scheduler with two workers that are threads of this process."""
    distributed = pytest.importorskip("distributed", reason="pip install 'platonic_ase[screen]'")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as local:
        yield local.scheduler_address
