"""MatterSim: Yang et al., arXiv:2405.04967."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from platonic_ase.encoders.base import Encoder, Receiver, comes_from
from platonic_ase.encoders.hooks import input_of, input_width

if TYPE_CHECKING:
    import torch


class MatterSimEncoder(Encoder):
    """Atom features of MatterSim's M3GNet after its last block: what the readout is given."""

    name = "mattersim"
    package = "mattersim"
    layers = ("last",)

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is MatterSim's own."""
        return comes_from(calculator, "mattersim") and hasattr(calculator, "potential")

    @property
    def model(self) -> torch.nn.Module:
        """The network inside the potential."""
        model: torch.nn.Module = self.calculator.potential.model
        return model

    @property
    def width(self) -> int:
        """Length of an atom feature; 128 by default."""
        return input_width(self.calculator.potential.model.final)

    @property
    def elements(self) -> frozenset[int]:
        """Hydrogen to plutonium in the released checkpoints."""
        return frozenset(range(1, int(self.calculator.potential.model.max_z) + 1))

    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        """Listen to the atom features on their way into the readout."""
        return input_of(self.calculator.potential.model.final, receive)
