"""What the geometry of the Platonic space says about a structure."""

from platonic_ase.diagnostics.base import Diagnosis, Diagnostic, Event, Finding, Frame, Signal
from platonic_ase.diagnostics.extrapolation import ManifoldDistance
from platonic_ase.diagnostics.gate import EventGate
from platonic_ase.diagnostics.physics import PhysicalCompanions
from platonic_ase.diagnostics.symmetry import OrbitSplitting

__all__ = [
    "Diagnosis",
    "Diagnostic",
    "Event",
    "EventGate",
    "Finding",
    "Frame",
    "ManifoldDistance",
    "OrbitSplitting",
    "PhysicalCompanions",
    "Signal",
    "default_diagnostics",
]


def default_diagnostics() -> tuple[Diagnostic, ...]:
    """What a calculator watches unless told otherwise."""
    return (ManifoldDistance(), OrbitSplitting(), PhysicalCompanions())
