"""What the geometry of the Platonic space says about a structure."""

from platonic_ase.diagnostics.base import Diagnosis, Diagnostic, Event, Finding, Frame, Signal
from platonic_ase.diagnostics.extrapolation import ManifoldDistance
from platonic_ase.diagnostics.gate import EventGate
from platonic_ase.diagnostics.phonons import DisplacementResponse, PhononRiskModel
from platonic_ase.diagnostics.physics import PhysicalCompanions
from platonic_ase.diagnostics.symmetry import OrbitSplitting

__all__ = [
    "Diagnosis",
    "Diagnostic",
    "DisplacementResponse",
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


def default_diagnostics(phonon_risk: PhononRiskModel | None = None) -> tuple[Diagnostic, ...]:
    """What a calculator watches unless told otherwise.

    Parameters
    ----------
    phonon_risk : PhononRiskModel, optional
        Calibration of the model in use, for displaced supercells.
    """
    return (
        ManifoldDistance(),
        OrbitSplitting(),
        PhysicalCompanions(),
        DisplacementResponse(phonon_risk),
    )
