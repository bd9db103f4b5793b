"""The live path: what is looked at in every step, the history of a run, and its alarms."""

from platonic_ase.monitor.diagnosis import Diagnosis, Diagnostic, Event, Finding, Signal
from platonic_ase.monitor.extrapolation import ManifoldDistance
from platonic_ase.monitor.forces import ForceBoundModel, ForceErrorBound
from platonic_ase.monitor.frame import Frame
from platonic_ase.monitor.gate import EventGate
from platonic_ase.monitor.physics import PhysicalCompanions
from platonic_ase.monitor.symmetry.splitting import OrbitSplitting

__all__ = [
    "Diagnosis",
    "Diagnostic",
    "Event",
    "EventGate",
    "Finding",
    "ForceBoundModel",
    "ForceErrorBound",
    "Frame",
    "ManifoldDistance",
    "OrbitSplitting",
    "PhysicalCompanions",
    "Signal",
]
