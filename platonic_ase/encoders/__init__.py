"""Where each potential keeps its per-atom embeddings, one file per package."""

from platonic_ase.encoders.base import Capture, Encoder
from platonic_ase.encoders.registry import find_encoder, known_encoders, register_encoder
from platonic_ase.encoders.torch_module import TorchEncoder

__all__ = [
    "Capture",
    "Encoder",
    "TorchEncoder",
    "find_encoder",
    "known_encoders",
    "register_encoder",
]
