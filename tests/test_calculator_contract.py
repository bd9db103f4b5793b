import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from platonic_ase import PlatonicCalculator, TorchEncoder, find_encoder
from platonic_ase.testing import (
    CALCULATOR_CHECKS,
    ChargedMock,
    DirectForceMock,
    LazyMock,
    MockCalculator,
)


def salt():
    return bulk("NaCl", "rocksalt", a=5.6, cubic=True)


def alloy():
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[0] = "Au"
    return atoms


MOCKS = {
    "mock": MockCalculator,
    "lazy": LazyMock,
    "charged": ChargedMock,
    "direct": DirectForceMock,
}


@pytest.mark.parametrize("check", CALCULATOR_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", [*MOCKS, "generic", "emt", "chgnet", "sevennet"])
def test_contract(check, kind, request, small_spaces):
    make_atoms = alloy if kind == "emt" else salt
    if kind in MOCKS:
        make_inner = MOCKS[kind]
    elif kind == "generic":
        make_inner = MockCalculator
    elif kind == "emt":
        make_inner = EMT
    else:
        loaded = request.getfixturevalue(kind)
        make_inner = lambda: loaded  # noqa: E731

    def encoder_of(inner):
        if kind == "generic":
            return TorchEncoder(inner, "model.plant", width=8)
        return find_encoder(inner)

    anchors, reference = small_spaces(kind, encoder_of(make_inner()), [make_atoms()])

    def make(**options):
        inner = make_inner()
        encoder = encoder_of(inner) if kind == "generic" else None
        return PlatonicCalculator(
            inner,
            anchors=anchors,
            reference=reference,
            encoder=encoder,
            **{"on_warning": "ignore", **options},
        )

    check(make, make_atoms)
