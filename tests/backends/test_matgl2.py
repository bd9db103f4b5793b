"""TensorNet: released weights that need MatGL 2.0, where they are at hand.

MatGL 3.0 to 4.1 opens the same files and computes something else with them; see test_matgl.py.
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from contract import BackendContract, salt

from platonic_ase import find_encoder
from platonic_ase.doctor import quick_look
from platonic_ase.models import load_calculator
from platonic_ase.models.embed import embed_batch, embed_one

pytest.importorskip("matgl", reason="pip install --no-deps matgl==2.0.6")
if not version("matgl").startswith("2.0."):
    pytest.skip(f"these weights need matgl 2.0; {version('matgl')} is installed",
                allow_module_level=True)  # fmt: skip
pytestmark = pytest.mark.backend("matgl")

WEIGHTS = Path(__file__).parents[3] / "shared" / "weights" / "matgl"
NAMES = ("TensorNet-MatPES-PBE-v2025.1-PES", "TensorNet-MatPES-r2SCAN-v2025.1-PES")


def load(name):
    if not (WEIGHTS / name).is_dir():
        pytest.skip(f"the weights {name} are not at hand ({WEIGHTS})")
    return load_calculator(name, model_path=WEIGHTS / name, device="cpu")


class TestTensorNet(BackendContract):
    @classmethod
    def load(cls, folder, seed=0):
        return load(NAMES[seed])


def test_equals_the_node_features_of_the_graph():
    calculator, graphs = load(NAMES[0]), []
    handle = calculator.potential.model.register_forward_pre_hook(
        lambda module, args, kwargs: graphs.append(kwargs.get("g", args)), with_kwargs=True
    )
    atoms = salt()
    atoms.rattle(0.05, seed=0)
    encoder = find_encoder(calculator)
    found = embed_one(encoder, atoms)
    handle.remove()
    assert found.shape == (8, 128)
    assert np.array_equal(found, graphs[0].node_feat.detach().numpy())
    for rows in embed_batch(encoder, [atoms, atoms]):
        assert np.allclose(rows, found, rtol=0, atol=1e-5 * np.abs(found).max())


@pytest.mark.parametrize("name", NAMES)
def test_the_doctor_finds_nothing_wrong(name):
    assert not quick_look(load(name)).wrong
