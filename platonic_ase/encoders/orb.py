"""Orb: Neumann et al., arXiv:2410.22570 (v2); Rhodes et al., arXiv:2504.06231 (v3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from platonic_ase.encoders.base import Encoder, Receiver, comes_from
from platonic_ase.encoders.hooks import input_of, input_width, uncompiled

if TYPE_CHECKING:
    import torch


class OrbEncoder(Encoder):
    """Node features of Orb after message passing: what its energy head is given.

    Orb is not invariant under rotations, and neither are these embeddings.
    """

    name = "orb"
    package = "orb-models"
    layers = ("last",)

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is Orb's own."""
        return comes_from(calculator, "orb_models") and hasattr(calculator, "system_config")

    @property
    def settings(self) -> Mapping[str, Any]:
        """What decides which neighbours an atom sees."""
        config = self.calculator.system_config
        return {
            "radius": float(config.radius),
            "max_num_neighbors": int(self.calculator.max_num_neighbors or config.max_num_neighbors),
        }

    @property
    def width(self) -> int:
        """Length of a node feature; 256 in the released checkpoints."""
        return input_width(self._head)

    @property
    def _head(self) -> torch.nn.Module:
        head: torch.nn.Module = self.calculator.model.heads["energy"]
        return head

    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        """Listen to the node features on their way into the energy head, which runs eagerly."""
        return input_of(self._head, receive)

    @contextmanager
    def many(self) -> Iterator[Encoder]:
        """Run the series without the compiled code, which new shapes would recompile."""
        with uncompiled(self.calculator.model):
            yield self
