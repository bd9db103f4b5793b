"""GRACE: random weights in a saved model that tensorpotential's loader reads."""

from contextlib import contextmanager
from types import MappingProxyType

import numpy as np
import pytest
from contract import BackendContract, salt
from random_models import save_grace

from platonic_ase import find_encoder
from platonic_ase.errors import CaptureError, EncoderError, ModelNotFoundError
from platonic_ase.models import load_calculator
from platonic_ase.models.embed import embed_one
from platonic_ase.testing import EncoderTraits

pytest.importorskip("tensorpotential", reason="pip install 'platonic_ase[grace]'")
pytestmark = pytest.mark.backend("grace")


def rattled():
    atoms = salt()
    atoms.rattle(0.05, seed=0)
    return atoms


@contextmanager
def nudged(encoder):
    """One variable is different for a while."""
    signature = encoder.calculator.models[0].signatures["compute"]
    variable = next(v for v in signature.variables if v.dtype.is_floating)
    before = variable.numpy()
    variable.assign(before + 1e-3)
    try:
        yield
    finally:
        variable.assign(before)


class TestGRACE(BackendContract):
    traits = EncoderTraits(perturb=nudged)

    @classmethod
    def load(cls, folder, seed=0):
        path = save_grace(folder / "grace", seed)
        return load_calculator("grace", model_path=path, device="cpu")


@pytest.fixture(scope="module")
def calculator(tmp_path_factory):
    return TestGRACE.load(tmp_path_factory.mktemp("model"))


def test_equals_what_the_call_returned(calculator):
    """The features stand beside energy and forces in the outputs of the same call."""
    found = embed_one(find_encoder(calculator), rattled())
    outputs = calculator.outputs[0]
    assert np.array_equal(found, outputs["features"].numpy()[:8])
    assert float(outputs["total_energy"].numpy().item()) == calculator.results["energy"]


def test_members_of_an_ensemble_stand_side_by_side(tmp_path):
    from tensorpotential.calculator import TPCalculator

    paths = [str(save_grace(tmp_path / str(seed), seed)) for seed in (0, 1)]
    encoder = find_encoder(TPCalculator(paths))
    together = embed_one(encoder, rattled())
    alone = [embed_one(find_encoder(TPCalculator(path)), rattled()) for path in paths]
    assert encoder.width == 32
    assert np.array_equal(together, np.concatenate(alone, axis=1))
    assert not np.array_equal(*alone)


def test_a_model_without_features_is_refused_with_the_remedy(calculator):
    class Mute:
        signatures = MappingProxyType({})

    original, calculator.models = calculator.models, [Mute()]
    try:
        with pytest.raises(EncoderError, match=r"returns no features.* gmm_uq_model"):
            find_encoder(calculator)
    finally:
        calculator.models = original


def test_a_call_without_features_names_the_switch(calculator):
    class Silent:
        def __init__(self, model):
            self.model, self.signatures = model, model.signatures

        def compute(self, data):
            found = dict(self.model.compute(data))
            del found["features"]
            return found

    original, calculator.models = calculator.models, [Silent(calculator.models[0])]
    try:
        with pytest.raises(CaptureError, match=r"calculator\.enable_uq"):
            embed_one(find_encoder(calculator), rattled())
    finally:
        calculator.models = original


def test_a_folder_is_needed():
    with pytest.raises(ModelNotFoundError, match="model_path"):
        load_calculator("grace", device="cpu")
