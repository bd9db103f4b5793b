"""Nequix: Koker et al., arXiv:2508.16067; fine-tuned on phonons (PFT): arXiv:2601.07742."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from shutil import copy2
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from platonic_ase.errors import EncoderError
from platonic_ase.models.encoder import Encoder, Options, Receiver, calculates_as, comes_from
from platonic_ase.models.hooks import input_of, up_to

if TYPE_CHECKING:
    import torch
    from ase import Atoms


class NequixEncoder(Encoder):
    """Scalar node features of Nequix after its last layer: what its readout is given.

    The calculator has to use the torch back-end; JAX, the package's default, runs compiled code
    that cannot be observed.
    """

    name = "nequix"
    package = "nequix"
    layers = ("last",)

    def __init__(self, calculator: Any, layer: str | None = None) -> None:
        super().__init__(calculator, layer)
        if calculator.backend != "torch":
            raise EncoderError(
                f"this Nequix calculator runs in {calculator.backend}, whose compiled code cannot "
                "be observed; open it with load_calculator('nequix-mp-1'), or with "
                "NequixCalculator(..., backend='torch', use_kernel=False, use_compile=False)"
            )
        if not hasattr(calculator.model, "readout") or not calculator.compile_state:
            raise EncoderError(
                "this Nequix model is compiled, and what is inside it cannot be observed; open it "
                "with NequixCalculator(..., backend='torch', use_compile=False)"
            )

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is Nequix's own."""
        return comes_from(calculator, "nequix") and hasattr(calculator, "backend")

    @property
    def model_name(self) -> str:
        """Architecture; the checkpoint does not carry its name."""
        return "Nequix"

    @property
    def width(self) -> int:
        """Number of scalars that the readout takes; 128 in the released checkpoints."""
        return int(self._readout.irreps_in.dim)

    @property
    def elements(self) -> frozenset[int]:
        """Elements in the model's table."""
        return frozenset(int(z) for z in self.calculator.atom_indices)

    @property
    def _readout(self) -> Any:
        readout: torch.nn.Module = self.calculator.model.readout
        return readout

    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        """Listen to the node features on their way into the readout."""
        return input_of(self._readout, receive)

    @property
    def batches(self) -> bool:
        """Whether the calculator runs its model as the package does."""
        return calculates_as(self.calculator, "nequix")

    def run_batch(self, structures: Sequence[Atoms]) -> None:
        """Run the network on one graph that holds all structures, as far as the readout."""
        import torch
        from nequix.data import preprocess_graph

        calculator = self.calculator
        vectors, species, senders, receivers, first = [], [], [], [], 0
        for atoms in structures:
            graph = preprocess_graph(atoms, calculator.atom_indices, calculator.cutoff, False)
            positions = torch.from_numpy(graph["positions"])
            sent, received = (
                torch.from_numpy(graph[name]).long() for name in ("senders", "receivers")
            )
            vector = positions[sent] - positions[received]
            if graph["cell"] is not None:
                vector = vector + torch.from_numpy(graph["shifts"]) @ torch.from_numpy(
                    graph["cell"]
                )
            vectors.append(vector)
            species.append(torch.from_numpy(graph["species"]).long())
            senders.append(sent + first)
            receivers.append(received + first)
            first += len(atoms)
        inputs = [
            torch.cat(part).to(calculator.device) for part in (vectors, species, senders, receivers)
        ]
        with up_to(self._readout):
            calculator.model.node_energies(*inputs)


def open_nequix(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open Nequix with its torch back-end, without kernels and compilation.

    The package converts a ``.nqx`` file and writes the result beside it; a file given by its path
    is converted in a temporary folder.
    """
    from nequix.calculator import NequixCalculator

    settings = {"backend": "torch", "use_kernel": False, "use_compile": False, **options}
    with TemporaryDirectory() as folder:
        if path is not None:
            settings["model_path"] = copy2(path, Path(folder) / Path(path).name)
        calculator = NequixCalculator(model_name=label, **settings)
    if settings["backend"] == "torch":
        calculator.device = device
        calculator.model.to(device)
    return calculator
