"""Metatomic models: PET with random weights, exported, in a file that metatomic's loader reads."""

from typing import ClassVar

import numpy as np
import pytest
from contract import BackendContract, salt
from random_models import save_pet

from platonic_ase import find_encoder
from platonic_ase.errors import CaptureError, EncoderError, ModelNotFoundError
from platonic_ase.models import load_calculator
from platonic_ase.models.embed import embed_one
from platonic_ase.testing import EncoderTraits

pytest.importorskip("metatomic_ase", reason="pip install 'platonic_ase[metatomic]'")
pytestmark = pytest.mark.backend("metatomic")


def rattled():
    atoms = salt()
    atoms.rattle(0.05, seed=0)
    return atoms


class TestPET(BackendContract):
    traits = EncoderTraits(rotation_error=0.01)
    exempt: ClassVar[dict[str, str]] = {
        "check_atoms_are_copied_first": "the calculator claims magnetic moments and refuses them "
        "before it evaluates anything; it is then asked again, once"
    }

    @classmethod
    def load(cls, folder, seed=0):
        path = save_pet(folder / "pet.pt", seed)
        return load_calculator("metatomic", model_path=path, device="cpu")


@pytest.fixture(scope="module")
def calculator(tmp_path_factory):
    return TestPET.load(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize(
    ("layer", "output"), [("features", "feature"), ("last", "mtt::aux::energy_last_layer_features")]
)
def test_equals_the_output_of_the_model(calculator, layer, output):
    from metatomic.torch import ModelOutput

    asked = calculator.run_model(rattled(), {output: ModelOutput(sample_kind="atom")})
    encoder = find_encoder(calculator, layer)
    found = embed_one(encoder, rattled())
    assert found.shape == (8, encoder.width)
    np.testing.assert_allclose(found, asked[output].block().values.detach().numpy(), rtol=1e-5)


def test_one_evaluation_gives_energy_forces_and_features(calculator):
    """The model is run once, asked for both."""

    class Recorder:
        def __init__(self, model):
            self.model, self.asked = model, []

        def __call__(self, systems, options, check_consistency):
            self.asked.append(sorted(options.outputs))
            return self.model(systems, options, check_consistency)

        def __getattr__(self, name):
            return getattr(self.model, name)

    original = calculator._model
    calculator._model = recorder = Recorder(original)
    try:
        embed_one(find_encoder(calculator), rattled())
        assert calculator._model is recorder
    finally:
        calculator._model = original
    assert recorder.asked == [["energy", "feature"]]


def test_what_the_user_asks_for_is_left_alone(tmp_path):
    from metatomic.torch import ModelOutput

    per_system = {"feature": ModelOutput(sample_kind="system")}
    path = save_pet(tmp_path / "pet.pt")
    calculator = load_calculator(
        "metatomic", model_path=path, device="cpu", additional_outputs=per_system
    )
    with pytest.raises(CaptureError, match="could not read"):
        embed_one(find_encoder(calculator), rattled())
    assert calculator.additional_outputs["feature"].block().values.shape[0] == 1


def test_a_model_without_features_is_refused_with_the_remedy(calculator):
    class Mute:
        def capabilities(self):
            return type("Capabilities", (), {"outputs": {"energy": None}})

    original, calculator._model = calculator._model, Mute()
    try:
        with pytest.raises(EncoderError, match=r"among its outputs, energy; export"):
            find_encoder(calculator)
    finally:
        calculator._model = original


def test_a_file_is_needed():
    with pytest.raises(ModelNotFoundError, match="model_path"):
        load_calculator("metatomic", device="cpu")
