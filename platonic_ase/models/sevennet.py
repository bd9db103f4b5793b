"""SevenNet: Park et al., J. Chem. Theory Comput. 20, 4857 (2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from platonic_ase.models.encoder import Encoder, Options, Receiver, calculates_as, comes_from
from platonic_ase.models.hooks import input_of, up_to

if TYPE_CHECKING:
    import torch
    from ase import Atoms


class SevenNetEncoder(Encoder):
    """Scalar node features of SevenNet: what its readout ``reduce_input_to_hidden`` is given."""

    name = "sevennet"
    package = "sevenn"
    layers = ("last",)

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is SevenNet's own."""
        return comes_from(calculator, "sevenn") and hasattr(calculator, "type_map")

    @property
    def model_name(self) -> str:
        """Architecture and modal; the checkpoint does not carry its name."""
        return "SevenNet" + (f" ({self.calculator.modal})" if self.calculator.modal else "")

    @property
    def settings(self) -> Mapping[str, Any]:
        """The modal of a multi-fidelity model, which changes embeddings."""
        return {"modal": self.calculator.modal}

    @property
    def width(self) -> int:
        """Number of scalars that the readout is given; 128 in the released checkpoints."""
        readout: Any = self._readout
        flags = readout.num_modalities if readout.num_modalities > 1 else 0
        return int(readout.irreps_in.dim) - int(flags)  # it adds the modal's flags by itself

    @property
    def elements(self) -> frozenset[int]:
        """Elements in the model's type map."""
        return frozenset(int(z) for z in self.calculator.type_map)

    @property
    def _readout(self) -> torch.nn.Module:
        readout: torch.nn.Module = self.calculator.model._modules["reduce_input_to_hidden"]
        return readout

    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        """Listen to the node features on their way into the readout."""
        return input_of(self._readout, receive, lambda data: data["x"])

    @property
    def batches(self) -> bool:
        """Whether the calculator runs its model as the package does."""
        return calculates_as(self.calculator, "sevenn")

    def run_batch(self, structures: Sequence[Atoms]) -> None:
        """Run the model on a batch of graphs, as far as the readout."""
        from sevenn._keys import DATA_MODALITY
        from sevenn.atom_graph_data import AtomGraphData
        from sevenn.train.dataload import unlabeled_atoms_to_graph
        from torch_geometric.data import Batch

        calculator, graphs = self.calculator, []
        for atoms in structures:
            graph = unlabeled_atoms_to_graph(atoms, calculator.cutoff, with_shift=False)
            graphs.append(AtomGraphData.from_numpy_dict(graph))
            if calculator.modal:
                graphs[-1][DATA_MODALITY] = calculator.modal
        batch = Batch.from_data_list(graphs).to(calculator.device)
        calculator.model.set_is_batch_data(True)
        try:
            with up_to(self._readout):
                calculator.model(batch)
        finally:
            calculator.model.set_is_batch_data(False)


def open_sevennet(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open SevenNet; some weights come with the package."""
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator(path or label, device=device, **options)
