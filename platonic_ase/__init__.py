"""A drop-in ASE calculator that watches the latent geometry of the model that it wraps."""

from platonic_ase._version import __version__
from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.factory import watched
from platonic_ase.models import (
    Encoder,
    TorchEncoder,
    find_encoder,
    load_calculator,
    register_encoder,
)
from platonic_ase.monitor import (
    Diagnosis,
    Diagnostic,
    Event,
    EventGate,
    Finding,
    Frame,
    ManifoldDistance,
    OrbitSplitting,
    PhysicalCompanions,
    Signal,
)
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.embeddings import EmbeddingSet
from platonic_ase.space.reference import ReferenceManifold

__all__ = [
    "AnchorSet",
    "Diagnosis",
    "Diagnostic",
    "EmbeddingSet",
    "Encoder",
    "Event",
    "EventGate",
    "Finding",
    "Frame",
    "ManifoldDistance",
    "OrbitSplitting",
    "PhysicalCompanions",
    "PlatonicCalculator",
    "ReferenceManifold",
    "Signal",
    "TorchEncoder",
    "__version__",
    "find_encoder",
    "load_calculator",
    "register_encoder",
    "watched",
]
