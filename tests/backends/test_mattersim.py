"""MatterSim: random weights in a file that MatterSim's own loader reads."""

import numpy as np
import pytest
from contract import BackendContract, salt
from random_models import save_mattersim

from platonic_ase import find_encoder
from platonic_ase.models import load_calculator
from platonic_ase.models.embed import embed_one

pytest.importorskip("mattersim", reason="pip install 'platonic_ase[mattersim]'")
pytestmark = pytest.mark.backend("mattersim")


class TestMatterSim(BackendContract):
    @classmethod
    def load(cls, folder, seed=0):
        path = save_mattersim(folder / "mattersim.pth", seed)
        return load_calculator("mattersim-v1-1m", model_path=path, device="cpu")


def test_readout_of_the_embeddings_is_the_energy(tmp_path):
    """MatterSim has no descriptor function, so check that its readout takes what was read."""
    import torch

    calculator = TestMatterSim.load(tmp_path)
    atoms = salt()
    atoms.rattle(0.05, seed=0)
    found = torch.tensor(embed_one(find_encoder(calculator), atoms))
    model = calculator.potential.model
    numbers = torch.tensor(atoms.numbers)
    energies = model.normalizer(model.final(found).view(-1), numbers)
    assert np.isclose(energies.sum().item(), calculator.results["energy"], rtol=1e-5)
