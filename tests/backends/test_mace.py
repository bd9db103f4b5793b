"""MACE, in an environment of its own: random weights in MACE's own files."""

import numpy as np
import pytest
from contract import BackendContract, run_example, salt
from random_models import save_mace

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.errors import ModelMismatchError
from platonic_ase.models import load_calculator
from platonic_ase.models.embed import embed_one
from platonic_ase.testing import small_space

pytest.importorskip("mace", reason="pip install 'platonic_ase[mace]'", exc_type=ImportError)
pytestmark = pytest.mark.backend("mace")


def rattled():
    atoms = salt()
    atoms.rattle(0.05, seed=0)
    return atoms


def load(path, **options):
    return load_calculator("mace-mp-0-small", model_path=path, device="cpu", **options)


class TestMACE(BackendContract):
    @classmethod
    def load(cls, folder, seed=0):
        return load(save_mace(folder / "small.model", seed))


class TestCommittee(BackendContract):
    @classmethod
    def load(cls, folder, seed=0):
        from mace.calculators import MACECalculator

        paths = [save_mace(folder / f"{i}.model", 10 * seed + i) for i in range(3)]
        return MACECalculator([str(path) for path in paths], device="cpu", default_dtype="float32")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return save_mace(tmp_path_factory.mktemp("mace") / "small.model")


@pytest.mark.parametrize(("layer", "layers"), [("first", 1), ("all", 2)])
def test_equals_mace_descriptors(path, layer, layers):
    calculator = load(path)
    found = embed_one(find_encoder(calculator, layer), rattled())
    own = calculator.get_descriptors(rattled(), invariants_only=True, num_layers=layers)
    assert np.array_equal(found, own)


def test_last_layer_is_what_all_adds_to_first(path):
    calculator = load(path)
    first, last, everything = (
        embed_one(find_encoder(calculator, layer), rattled()) for layer in ("first", "last", "all")
    )
    assert np.array_equal(np.hstack([first, last]), everything)


def test_committee_puts_its_members_side_by_side(tmp_path):
    from mace.calculators import MACECalculator

    paths = [str(save_mace(tmp_path / f"{seed}.model", seed)) for seed in (1, 2)]
    committee = MACECalculator(paths, device="cpu", default_dtype="float32")
    encoder = find_encoder(committee)
    members = [embed_one(find_encoder(load(path)), rattled()) for path in paths]
    assert encoder.width == 32
    assert encoder.captures_per_forward == 2
    assert np.array_equal(embed_one(encoder, rattled()), np.hstack(members))


def test_double_precision_is_recorded_and_refused_by_single(path):
    single, double = (find_encoder(load(path, dtype=d)) for d in ("float32", "float64"))
    assert (single.dtype, double.dtype) == ("float32", "float64")
    anchors, _ = small_space(single, [salt()])
    with pytest.raises(ModelMismatchError, match=r"float32.*float64"):
        PlatonicCalculator(double.calculator, anchors=anchors, reference=None)


def test_head_is_recorded_and_its_change_detected(tmp_path):
    path = save_mace(tmp_path / "heads.model", heads=("pbe", "r2scan"))
    pbe, r2scan = (load(path, head=head) for head in ("pbe", "r2scan"))
    anchors, _ = small_space(find_encoder(pbe), [salt()])
    with pytest.raises(ModelMismatchError, match=r"pbe.*r2scan"):
        PlatonicCalculator(r2scan, anchors=anchors, reference=None)


def test_padding_rows_are_cut_off(path):
    plain, padded = load(path), load(path, pad_num_atoms=20, pad_num_edges=2000)
    found = embed_one(find_encoder(padded), rattled())
    assert found.shape == (8, 16)
    assert np.allclose(found, embed_one(find_encoder(plain), rattled()), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_compiled_model_is_read_and_keeps_its_padding(path):
    compiled = load(path, compile_mode="default", fullgraph=False)
    encoder = find_encoder(compiled)
    anchors, _ = small_space(encoder, [salt(), salt() * (2, 1, 1)])
    assert compiled.pad_num_edges == 0, "embedding the anchors has set the padding"
    calc = PlatonicCalculator(compiled, anchors=anchors, reference=None, on_warning="ignore")
    atoms = rattled()
    atoms.calc = calc
    forces = atoms.get_forces()
    assert np.array_equal(forces, compiled.get_forces(rattled()))
    eager = embed_one(find_encoder(load(path)), rattled())
    assert np.allclose(calc.embeddings, eager, rtol=0, atol=1e-5)
    atoms.rattle(0.01, seed=1)
    atoms.get_forces()
    assert calc.summary().diagnosed == 2


def test_example_runs(path, tmp_path, monkeypatch, capsys):
    from mace.calculators import foundations_models

    monkeypatch.setattr(foundations_models, "download_mace_mp_checkpoint", lambda name: str(path))
    run_example("mace_md.py", tmp_path, monkeypatch)
    assert "21 of 21 geometries diagnosed" in capsys.readouterr().out
