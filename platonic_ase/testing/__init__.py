"""Executable contracts for encoders and wrapped calculators, and mock models to run them on.

Nothing here depends on pytest; with it, ``@pytest.mark.parametrize("check", ENCODER_CHECKS)``
makes each check a test.
"""

from platonic_ase.testing.encoder import ENCODER_CHECKS, EncoderTraits
from platonic_ase.testing.geometric import GeometricEncoder
from platonic_ase.testing.mocks import (
    ChargedMock,
    DirectForceMock,
    LazyMock,
    MockCalculator,
    MockEncoder,
    SilentMock,
    TwoPassMock,
    mock_anchors,
    pair_energy,
)
from platonic_ase.testing.space import small_space

__all__ = [
    "ENCODER_CHECKS",
    "ChargedMock",
    "DirectForceMock",
    "EncoderTraits",
    "GeometricEncoder",
    "LazyMock",
    "MockCalculator",
    "MockEncoder",
    "SilentMock",
    "TwoPassMock",
    "mock_anchors",
    "pair_energy",
    "small_space",
]
