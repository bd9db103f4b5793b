from contextlib import contextmanager

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT, parameters

from platonic_ase import TorchEncoder, find_encoder
from platonic_ase.testing import (
    ENCODER_CHECKS,
    EncoderTraits,
    MockCalculator,
)


@contextmanager
def other_emt_parameters(_encoder):
    before = parameters["Cu"]
    parameters["Cu"] = (before[0] + 1.0, *before[1:])
    try:
        yield
    finally:
        parameters["Cu"] = before


def salt():
    return bulk("NaCl", "rocksalt", a=5.6, cubic=True)


def alloy():
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[0] = "Au"
    return atoms


@pytest.mark.parametrize("check", ENCODER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", ["mock", "generic", "geometric", "chgnet", "sevennet"])
def test_contract(check, kind, request):
    if kind == "mock":
        check(lambda: find_encoder(MockCalculator()), salt)
    elif kind == "generic":
        check(lambda: TorchEncoder(MockCalculator(), "model.plant", width=8), salt)
    elif kind == "geometric":
        traits = EncoderTraits(tolerance=1e-9, perturb=other_emt_parameters)
        check(lambda: find_encoder(EMT()), alloy, traits)
    else:
        calculator = request.getfixturevalue(kind)
        check(lambda: find_encoder(calculator), salt)
