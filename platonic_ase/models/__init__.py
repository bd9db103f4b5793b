"""Foundation potentials: opened by name, and where each keeps its per-atom embeddings."""

from platonic_ase.models.encoder import Capture, Encoder
from platonic_ase.models.load import load_calculator
from platonic_ase.models.names import MODELS, ModelEntry, find_entry
from platonic_ase.models.registry import find_encoder, known_encoders, register_encoder
from platonic_ase.models.table import ModelRow, format_models_table, installed_models
from platonic_ase.models.torch_module import TorchEncoder

__all__ = [
    "MODELS",
    "Capture",
    "Encoder",
    "ModelEntry",
    "ModelRow",
    "TorchEncoder",
    "find_encoder",
    "find_entry",
    "format_models_table",
    "installed_models",
    "known_encoders",
    "load_calculator",
    "register_encoder",
]
