"""NequIP: random weights in a checkpoint that NequIP's own loader reads."""

import numpy as np
import pytest
from contract import BackendContract, salt
from random_models import save_nequip

from platonic_ase import find_encoder
from platonic_ase.errors import EncoderError
from platonic_ase.models import load_calculator
from platonic_ase.models.embed import embed_one

pytest.importorskip("nequip", reason="pip install 'platonic_ase[nequip]'")
pytestmark = pytest.mark.backend("nequip")


class TestNequIP(BackendContract):
    @classmethod
    def load(cls, folder, seed=0):
        path = save_nequip(folder / "nequip.ckpt", seed)
        return load_calculator("nequip-oam-l", model_path=path, device="cpu")


def test_equals_the_node_features_of_the_model(tmp_path):
    """The model hands out the features of its last layer among its outputs."""
    calculator = TestNequIP.load(tmp_path)
    atoms = salt()
    atoms.rattle(0.05, seed=0)
    data = calculator.call_model(calculator.atoms_to_data(atoms))
    found = embed_one(find_encoder(calculator), atoms)
    assert np.array_equal(found, data["node_features"].detach().numpy())


def test_compiled_artefact_is_refused_with_the_remedy(tmp_path):
    import torch

    calculator = TestNequIP.load(tmp_path)
    calculator.model = torch.nn.Sequential(torch.nn.Linear(1, 1))  # as opaque as an artefact
    with pytest.raises(EncoderError, match=r"nequip-compile .* load the checkpoint"):
        find_encoder(calculator).identity  # noqa: B018
