"""Orb: random weights of the released architectures, in files that Orb's own loader reads."""

import numpy as np
import pytest
from contract import BackendContract, run_example, salt
from random_models import save_orb

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.models import load_calculator
from platonic_ase.models.embed import embed_one
from platonic_ase.testing import EncoderTraits, small_space

pytest.importorskip("orb_models", reason="pip install 'platonic_ase[orb]'")
pytestmark = pytest.mark.backend("orb")

NAMES = {
    "orb_v2": "orb-v2",
    "orb_v3_direct": "orb-v3-direct-inf-omat",
    "orb_v3_conservative": "orb-v3-conservative-inf-omat",
}


def rattled():
    atoms = salt()
    atoms.rattle(0.05, seed=0)
    return atoms


def load(folder, kind, seed=0, *, compiled=False, **options):
    path = save_orb(folder / f"{kind}.ckpt", kind, seed)
    return load_calculator(NAMES[kind], model_path=path, device="cpu", compile=compiled, **options)


class TestDirect(BackendContract):
    traits = EncoderTraits(rotation_error=0.01)

    @classmethod
    def load(cls, folder, seed=0):
        return load(folder, "orb_v3_direct", seed)


@pytest.mark.parametrize("kind", ["orb_v2", "orb_v3_conservative"])
def test_other_architectures_are_read_and_unchanged(tmp_path, kind):
    calculator = load(tmp_path, kind)
    bare = calculator.get_forces(rattled())
    encoder = find_encoder(calculator)
    anchors, _ = small_space(encoder, [salt()])
    atoms = rattled()
    atoms.calc = PlatonicCalculator(calculator, anchors=anchors, reference=None)
    assert encoder.width == 256
    assert np.array_equal(atoms.get_forces(), bare)


@pytest.mark.parametrize("kind", ["orb_v2", "orb_v3_direct"])
def test_equals_the_node_features_of_the_model(tmp_path, kind):
    from orb_models.forcefield.atomic_system import ase_atoms_to_atom_graphs

    calculator = load(tmp_path, kind)
    graph = ase_atoms_to_atom_graphs(
        rattled(), system_config=calculator.system_config, device="cpu"
    )
    own = calculator.model.model(graph)["node_features"].detach().numpy()
    assert np.array_equal(embed_one(find_encoder(calculator), rattled()), own)


@pytest.mark.parametrize("kind", ["orb_v3_direct", "orb_v3_conservative"])
def test_the_error_that_the_model_states_is_read_under_watch(tmp_path, kind):
    calculator = load(tmp_path, kind)
    encoder = find_encoder(calculator)
    assert encoder.stated_error is None
    anchors, _ = small_space(encoder, [salt()])
    atoms = rattled()
    atoms.calc = PlatonicCalculator(calculator, anchors=anchors, reference=None)
    atoms.get_potential_energy()
    assert "confidence" not in atoms.calc.results  # no name of ASE's
    found = atoms.calc.encoder.stated_error
    bare = load(tmp_path, kind)
    bare.get_forces(rattled())
    width = 0.3 / 50
    steps = width * (np.arange(50) + 0.5)
    assert found == pytest.approx(bare.results["confidence"] @ steps, rel=1e-5)
    assert found.shape == (len(atoms),)
    assert 0 < found.min() < found.max() < 0.3


def test_the_first_orb_states_no_error(tmp_path):
    calculator = load(tmp_path, "orb_v2")
    calculator.get_forces(rattled())
    assert find_encoder(calculator).stated_error is None


def test_neighbour_limit_is_recorded(tmp_path):
    few, many = (
        find_encoder(load(tmp_path, "orb_v2", max_num_neighbors=n)).identity for n in (8, None)
    )
    assert few.settings["max_num_neighbors"] == 8
    assert few.differences(many)


@pytest.mark.slow
def test_compiled_model_is_read_and_not_recompiled_for_the_anchors(tmp_path):
    compiled = load(tmp_path, "orb_v2", compiled=True)
    anchors, _ = small_space(find_encoder(compiled), [salt(), salt() * (2, 1, 1)])
    atoms = rattled()
    atoms.calc = PlatonicCalculator(compiled, anchors=anchors, reference=None, on_warning="ignore")
    forces = atoms.get_forces()
    assert np.array_equal(forces, compiled.get_forces(rattled()))
    eager = embed_one(find_encoder(load(tmp_path, "orb_v2")), rattled())
    assert np.allclose(atoms.calc.embeddings, eager, rtol=0, atol=1e-3 * np.abs(eager).max())
    atoms.rattle(0.01, seed=1)
    atoms.get_forces()
    assert atoms.calc.summary().diagnosed == 2


def test_example_runs(tmp_path, monkeypatch, capsys):
    from orb_models.forcefield import pretrained

    path = save_orb(tmp_path / "orb.ckpt", "orb_v3_direct")
    monkeypatch.setattr(pretrained, "cached_path", lambda place: path)
    run_example("orb_relax.py", tmp_path, monkeypatch)
    said = capsys.readouterr().out
    assert "invariance under rotations: NO" in said
    assert "forces as the gradient of an energy: NO" in said
    assert "the model tells apart atoms that are equivalent in P4_2/mnm" in said
