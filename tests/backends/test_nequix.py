"""Nequix: the released weights where they are at hand, in a file that its own loader reads."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from contract import BackendContract, salt

from platonic_ase import find_encoder
from platonic_ase.doctor import quick_look
from platonic_ase.errors import EncoderError
from platonic_ase.models import load_calculator
from platonic_ase.models.embed import embed_one
from platonic_ase.testing import EncoderTraits

pytest.importorskip("nequix", reason="pip install 'platonic_ase[nequix]'")
pytestmark = pytest.mark.backend("nequix")

WEIGHTS = Path(__file__).parents[3] / "shared" / "weights" / "nequix"
NAMES = ("nequix-mp-1", "nequix-mp-1-pft")


def weights(name: str) -> Path:
    path = WEIGHTS / f"{name}.nqx"
    if not path.is_file():
        pytest.skip(f"the weights {path.name} are not at hand ({WEIGHTS})")
    return path


def load(name: str, **options):
    return load_calculator(name, model_path=weights(name), device="cpu", **options)


def rattled():
    atoms = salt()
    atoms.rattle(0.05, seed=0)
    return atoms


class TestNequix(BackendContract):
    """The two released models: the same architecture, other weights."""

    traits: ClassVar[EncoderTraits] = EncoderTraits()

    @classmethod
    def load(cls, folder, seed=0):
        return load(NAMES[seed])


def test_equals_what_the_last_layer_hands_out():
    calculator, seen = load("nequix-mp-1"), []
    last = calculator.model.layers[-1]
    handle = last.register_forward_hook(lambda module, args, output: seen.append(output.detach()))
    found = embed_one(find_encoder(calculator), rattled())
    handle.remove()
    assert found.shape == (8, 128)
    assert np.array_equal(found, seen[0].numpy())


def test_weights_are_left_alone_and_opened_the_same_twice():
    before = sorted(path.name for path in weights("nequix-mp-1").parent.iterdir())
    first, second = (find_encoder(load("nequix-mp-1")).identity for _ in range(2))
    assert first.fingerprint == second.fingerprint
    assert first.model == "nequix-mp-1"
    assert sorted(path.name for path in WEIGHTS.iterdir()) == before


def test_jax_is_refused_with_the_remedy():
    with pytest.raises(EncoderError, match=r"runs in jax.* backend='torch'"):
        find_encoder(load("nequix-mp-1", backend="jax"))


@pytest.mark.parametrize("name", NAMES)
def test_the_doctor_finds_nothing_wrong(name):
    assert not quick_look(load(name)).wrong
