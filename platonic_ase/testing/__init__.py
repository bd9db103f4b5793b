"""Executable contracts for encoders and wrapped calculators, and mock models to run them on.

Nothing here depends on pytest; with it, ``@pytest.mark.parametrize("check", ENCODER_CHECKS)``
makes each check a test.
"""

from platonic_ase.testing.calculator import STATE_CHECKS
from platonic_ase.testing.calculator.runs import RUN_CHECKS
from platonic_ase.testing.double_well import DoubleWellCrystal
from platonic_ase.testing.encoder import ENCODER_CHECKS, EncoderTraits
from platonic_ase.testing.events import EVENT_CHECKS
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
from platonic_ase.testing.probes import FailingDiagnostic, FrameKeeper, PlannedAlarm
from platonic_ase.testing.space import small_space
from platonic_ase.testing.springs import SpringCrystal, SpringEncoder, spring_frequencies

CALCULATOR_CHECKS = STATE_CHECKS + EVENT_CHECKS + RUN_CHECKS
"""All checks of a wrapped calculator, to parametrise a test with."""

__all__ = [
    "CALCULATOR_CHECKS",
    "ENCODER_CHECKS",
    "ChargedMock",
    "DirectForceMock",
    "DoubleWellCrystal",
    "EncoderTraits",
    "FailingDiagnostic",
    "FrameKeeper",
    "GeometricEncoder",
    "LazyMock",
    "MockCalculator",
    "MockEncoder",
    "PlannedAlarm",
    "SilentMock",
    "SpringCrystal",
    "SpringEncoder",
    "TwoPassMock",
    "mock_anchors",
    "pair_energy",
    "small_space",
    "spring_frequencies",
]
