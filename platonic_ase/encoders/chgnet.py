"""CHGNet: Deng et al., Nat. Mach. Intell. 5, 1031 (2023)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from platonic_ase.encoders.base import Encoder, Receiver, comes_from
from platonic_ase.encoders.hooks import output_of


class CHGNetEncoder(Encoder):
    """Atom features of CHGNet.

    Layers: ``"penultimate"`` is the last but one convolution, CHGNet's own ``atom_fea``;
    ``"last"`` is what the readout pools, after its normalisation.
    """

    name = "chgnet"
    package = "chgnet"
    layers = ("penultimate", "last")

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is CHGNet's own."""
        return comes_from(calculator, "chgnet") and hasattr(calculator, "model")

    @property
    def model_name(self) -> str:
        """Version of the checkpoint, such as ``"chgnet-0.3.0"``."""
        return f"chgnet-{self.calculator.model.version or 'unversioned'}"

    @property
    def width(self) -> int:
        """Length of an atom feature; 64 in the released checkpoints."""
        return int(self.calculator.model.atom_embedding.embedding.embedding_dim)

    @property
    def elements(self) -> frozenset[int]:
        """Elements with an embedding: hydrogen to plutonium in the released checkpoints."""
        return frozenset(
            range(1, self.calculator.model.atom_embedding.embedding.num_embeddings + 1)
        )

    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        """Listen to a convolution, or to the normalisation before the readout."""
        model = self.calculator.model
        if self.layer == "penultimate":
            return output_of(model.atom_conv_layers[-2], receive)
        if model.readout_norm is not None:
            return output_of(model.readout_norm, receive)
        return output_of(model.atom_conv_layers[-1], receive)
