"""SevenNet, with the real weights that come with its package."""

import numpy as np
import pytest
from contract import BackendContract, salt

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.errors import ModelMismatchError
from platonic_ase.models import load_calculator
from platonic_ase.models.embed import embed_one
from platonic_ase.testing import small_space

pytest.importorskip("sevenn", reason="pip install 'platonic_ase[sevennet]'")
pytestmark = pytest.mark.backend("sevennet")


class TestSevenNet(BackendContract):
    @classmethod
    def load(cls, folder, seed=0):
        return load_calculator(("7net-0", "7net-0-22may2024")[seed], device="cpu")


def test_equals_the_output_of_the_last_gate():
    calculator = load_calculator("7net-0", device="cpu")
    gates = [name for name in calculator.model._modules if "equivariant_gate" in name]
    seen = []
    last = calculator.model._modules[gates[-1]]
    handle = last.register_forward_hook(lambda module, args, out: seen.append(out["x"].detach()))
    atoms = salt()
    atoms.rattle(0.05, seed=0)
    found = embed_one(find_encoder(calculator), atoms)
    handle.remove()
    assert np.array_equal(found, seen[0].numpy())


def test_modal_is_recorded_and_its_change_detected():
    pbe, r2scan = (load_calculator(f"7net-mf-0:{m}", device="cpu") for m in ("PBE", "R2SCAN"))
    default = load_calculator("7net-mf-0", device="cpu")
    assert find_encoder(default).identity == find_encoder(pbe).identity
    anchors, _ = small_space(find_encoder(pbe), [salt()])
    with pytest.raises(ModelMismatchError, match=r"PBE.*R2SCAN"):
        PlatonicCalculator(r2scan, anchors=anchors, reference=None)
