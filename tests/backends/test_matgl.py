"""MatGL: random weights in folders that MatGL's own loader reads."""

from pathlib import Path

import numpy as np
import pytest
from contract import BackendContract, salt
from random_models import save_matgl

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.doctor import quick_look
from platonic_ase.models import load_calculator
from platonic_ase.models.embed import embed_one
from platonic_ase.testing import small_space

pytest.importorskip("matgl", reason="pip install 'platonic_ase[matgl]'")
pytestmark = pytest.mark.backend("matgl")

NAMES = {
    "TensorNet": "tensornet-pes-matpes-pbe-2025.2",
    "M3GNet": "m3gnet-mp-2021.2.8-pes",
    "CHGNet": "chgnet-pes-matpes-pbe-2025.2.10",
}


def load(folder, kind, seed=0):
    path = save_matgl(folder / kind, kind, seed)
    return load_calculator(NAMES[kind], model_path=path, device="cpu")


def rattled():
    atoms = salt()
    atoms.rattle(0.05, seed=0)
    return atoms


class TestTensorNet(BackendContract):
    @classmethod
    def load(cls, folder, seed=0):
        return load(folder, "TensorNet", seed)


class TestM3GNet(BackendContract):
    @classmethod
    def load(cls, folder, seed=0):
        return load(folder, "M3GNet", seed)


def test_chgnet_is_read_and_unchanged(tmp_path):
    calculator = load(tmp_path, "CHGNet")
    bare = calculator.get_forces(rattled())
    anchors, _ = small_space(find_encoder(calculator), [salt()])
    atoms = rattled()
    atoms.calc = PlatonicCalculator(calculator, anchors=anchors, reference=None)
    assert np.array_equal(atoms.get_forces(), bare)
    assert np.isfinite(atoms.calc.platonic).all()


@pytest.mark.parametrize(("kind", "feature"), [("TensorNet", "readout"), ("M3GNet", "gc_3")])
def test_equals_matgl_features(tmp_path, kind, feature):
    calculator = load(tmp_path, kind)
    model, graphs = calculator.potential.model, []
    handle = model.register_forward_pre_hook(
        lambda module, args, kwargs: graphs.append((args, kwargs)), with_kwargs=True
    )
    found = embed_one(find_encoder(calculator), rattled())
    handle.remove()
    args, kwargs = graphs[0]
    own = model(*args, **kwargs, return_all_layer_output=True)[feature]
    own = own["node_feat"] if isinstance(own, dict) else own
    assert np.array_equal(found, own.detach().numpy())


def test_stress_is_in_the_unit_of_ase(tmp_path):
    calculator = load(tmp_path, "TensorNet")
    atoms = rattled()
    atoms.calc = calculator
    energies = []
    for strain in (1e-3, -1e-3):
        strained = rattled()
        strained.set_cell(strained.cell.array * (1 + strain), scale_atoms=True)
        energies.append(calculator.get_potential_energy(strained))
    derivative = (energies[0] - energies[1]) / 2e-3
    assert np.isclose(atoms.get_stress()[:3].sum() * atoms.get_volume(), derivative, rtol=2e-2)


@pytest.mark.parametrize(
    "name",
    [
        "TensorNet-MatPES-PBE-v2025.1-PES",
        "TensorNet-MatPES-r2SCAN-v2025.1-PES",
        "M3GNet-MP-2021.2.8-PES",
    ],
)
def test_old_weights_that_open_and_are_wrong_are_found(name):
    weights = Path(__file__).parents[3] / "shared" / "weights" / "matgl" / name
    if not weights.is_dir():
        pytest.skip(f"the weights {name} are not at hand ({weights})")
    calculator = load_calculator(name, model_path=weights, device="cpu")
    found = quick_look(calculator, name, elements=find_encoder(calculator).elements)
    assert [each.check for each in found.wrong] == ["forces on frames with DFT labels"]
