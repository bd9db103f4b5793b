"""What the geometry of the Platonic space says about a structure."""

from platonic_ase.diagnostics.base import Diagnosis, Diagnostic, Event, Finding, Frame, Signal
from platonic_ase.diagnostics.extrapolation import ManifoldDistance
from platonic_ase.diagnostics.force_error import ForceBoundModel, ForceErrorBound
from platonic_ase.diagnostics.gate import EventGate
from platonic_ase.diagnostics.phonon_estimate import PhononRiskModel
from platonic_ase.diagnostics.phonons import DisplacementResponse
from platonic_ase.diagnostics.physics import PhysicalCompanions
from platonic_ase.diagnostics.symmetry import OrbitSplitting

__all__ = [
    "Diagnosis",
    "Diagnostic",
    "DisplacementResponse",
    "Event",
    "EventGate",
    "Finding",
    "ForceErrorBound",
    "Frame",
    "ManifoldDistance",
    "OrbitSplitting",
    "PhysicalCompanions",
    "Signal",
    "default_diagnostics",
]


def default_diagnostics(
    phonon_risk: PhononRiskModel | None = None, force_bound: ForceBoundModel | None = None
) -> tuple[Diagnostic, ...]:
    """What a calculator watches unless told otherwise.

    Parameters
    ----------
    phonon_risk : PhononRiskModel, optional
        Calibration of the model in use, for displaced supercells.
    force_bound : ForceBoundModel, optional
        Calibration of the model in use, for force errors.
    """
    return (
        ManifoldDistance(),
        ForceErrorBound(force_bound),
        OrbitSplitting(),
        PhysicalCompanions(),
        DisplacementResponse(phonon_risk),
    )
