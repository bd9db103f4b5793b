"""FAIRChem: random weights in checkpoints that FAIRChem's own loader reads."""

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from ase.build import bulk
from contract import BackendContract, salt
from random_models import save_fairchem

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.errors import ModelMismatchError
from platonic_ase.models import load_calculator
from platonic_ase.models.embed import embed_one
from platonic_ase.testing import EncoderTraits, small_space

unit = pytest.importorskip(
    "fairchem.core.units.mlip_unit", reason="pip install 'platonic_ase[fairchem]'"
)
MLIPPredictUnit = unit.MLIPPredictUnit
pytestmark = pytest.mark.backend("fairchem")

NAMES = {
    "uma": "uma-s-1p1",
    "esen": "esen-sm-conserving-all-omol",
    "esen_direct": "esen-sm-direct-all-omol",
}


def load(folder, kind, seed=0, task="", settings="batch"):
    path = save_fairchem(folder / f"{kind}-{seed}.pt", kind, seed)
    name = NAMES[kind] + (f":{task}" if task else "")
    options = {"device": "cpu", "inference_settings": settings}
    calculator = load_calculator(name, model_path=path, **options)
    calculator.predictor.__class__ = Repeatable
    return calculator


class Repeatable(MLIPPredictUnit):
    """The same numbers each time: the angle about an edge is random, and only rounding sees it."""

    def predict(self, *arguments, **options):
        torch.manual_seed(0)
        return super().predict(*arguments, **options)


@contextmanager
def other_checkpoint(encoder):
    predictor = encoder.calculator.predictor
    before = predictor._inference_model_path
    with tempfile.TemporaryDirectory() as folder:
        predictor._inference_model_path = str(save_fairchem(Path(folder) / "uma.pt", "uma", 7))
        yield
    predictor._inference_model_path = before


def merged():
    from fairchem.core.units.mlip_unit import InferenceSettings

    return InferenceSettings(merge_mole=True, compile=False)


def rattled(atoms=None):
    atoms = (atoms or salt()).copy()
    atoms.rattle(0.05, seed=0)
    return atoms


class TestUMA(BackendContract):
    traits = EncoderTraits(tolerance=1e-3, perturb=other_checkpoint)
    exempt: ClassVar = {"check_only_registered_results": "FAIRChem writes charge to atoms.info"}

    @classmethod
    def load(cls, folder, seed=0):
        return load(folder, "uma", seed)


class TestMergedUMA(BackendContract):
    """The experts are merged at the first prediction, and anew when the composition changes."""

    traits = EncoderTraits(tolerance=1e-3, perturb=other_checkpoint)
    exempt: ClassVar = {"check_only_registered_results": "FAIRChem writes charge to atoms.info"}

    @classmethod
    def load(cls, folder, seed=0):
        return load(folder, "uma", seed, settings=merged())


@pytest.mark.parametrize("kind", ["esen", "esen_direct"])
def test_esen_is_read_and_unchanged(tmp_path, kind):
    calculator = load(tmp_path, kind)
    bare = calculator.get_forces(rattled())
    anchors, _ = small_space(find_encoder(calculator), [salt()])
    atoms = rattled()
    atoms.calc = PlatonicCalculator(calculator, anchors=anchors, reference=None)
    assert np.array_equal(atoms.get_forces(), bare)
    assert atoms.calc.embeddings.shape == (8, 16)


@pytest.mark.parametrize("settings", ["batch", merged])
def test_equals_the_output_of_the_backbone(tmp_path, settings):
    calculator = load(tmp_path, "uma", settings=settings() if callable(settings) else settings)
    calculator.get_potential_energy(rattled())
    seen = []
    backbone = calculator.predictor.model.module.backbone
    handle = backbone.register_forward_hook(lambda module, args, out: seen.append(out))
    found = embed_one(find_encoder(calculator), rattled())
    handle.remove()
    assert len(seen) == 1
    assert np.array_equal(found, seen[0]["node_embedding"][:, 0, :].detach().numpy())


def test_task_is_recorded_and_its_change_detected(tmp_path):
    omat, omol = (load(tmp_path, "uma", task=task) for task in ("omat", "omol"))
    assert find_encoder(omat).identity.settings == {"task": "omat"}
    anchors, _ = small_space(find_encoder(omat), [salt()])
    with pytest.raises(ModelMismatchError, match=r"omat.*omol"):
        PlatonicCalculator(omol, anchors=anchors, reference=None)


def test_embedding_the_anchors_leaves_a_merged_model_and_random_states_alone(tmp_path):
    calculator = load(tmp_path, "uma", settings=merged())
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    small_space(find_encoder(calculator), [salt(), bulk("Si", cubic=True)])
    assert calculator.predictor.inference_settings.merge_mole
    assert not calculator.predictor.lazy_model_intialized
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_identity_survives_merging_and_reloading(tmp_path):
    calculator = load(tmp_path, "uma", settings=merged())
    before = find_encoder(calculator).identity
    calculator.get_potential_energy(rattled())
    assert find_encoder(calculator).identity == before
    calculator.get_potential_energy(rattled(bulk("Si", cubic=True)))
    assert find_encoder(calculator).identity == before


@pytest.mark.slow
def test_compiled_preset_is_read(tmp_path):
    calculator = load(tmp_path, "uma", settings="multigpu")
    encoder = find_encoder(calculator)
    found = [embed_one(encoder, rattled()) for _ in range(2)]
    general = embed_one(find_encoder(load(tmp_path, "uma")), rattled())
    for embeddings in found:
        assert np.allclose(embeddings, general, rtol=0, atol=1e-4 * np.abs(general).max())
