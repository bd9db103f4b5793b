"""CHGNet: Deng et al., Nat. Mach. Intell. 5, 1031 (2023)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from platonic_ase.models.encoder import Encoder, Options, Receiver, calculates_as, comes_from
from platonic_ase.models.hooks import output_of

if TYPE_CHECKING:
    from ase import Atoms


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

    @property
    def batches(self) -> bool:
        """Whether the calculator runs its model as the package does."""
        return calculates_as(self.calculator, "chgnet")

    def run_batch(self, structures: Sequence[Atoms]) -> None:
        """Run the model on a batch of graphs, for the energy alone."""
        import torch
        from pymatgen.io.ase import AseAtomsAdaptor

        model, device = self.calculator.model, self.calculator.device
        graphs = [model.graph_converter(AseAtomsAdaptor.get_structure(a)) for a in structures]
        model.eval()
        with torch.no_grad():
            model([graph.to(device) for graph in graphs], task="e")


def open_chgnet(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open CHGNet; its weights come with the package."""
    from chgnet.model import CHGNet
    from chgnet.model.dynamics import CHGNetCalculator

    model = (
        CHGNet.load(model_name=label, use_device=device, verbose=False)
        if path is None
        else CHGNet.from_file(path)
    )
    return CHGNetCalculator(model, use_device=device, **options)
