"""MatGL: Ko et al., npj Comput. Mater. 11, 253 (2025): M3GNet, TensorNet, CHGNet, QET."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from platonic_ase.models.encoder import Encoder, Options, Receiver, calculates_as, comes_from
from platonic_ase.models.hooks import input_of, input_width, up_to

if TYPE_CHECKING:
    import torch
    from ase import Atoms


class MatGLEncoder(Encoder):
    """Node features of a MatGL potential after its last block: what its final layer is given."""

    name = "matgl"
    package = "matgl"
    layers = ("last",)

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is MatGL's own."""
        return comes_from(calculator, "matgl") and hasattr(calculator, "potential")

    @property
    def model(self) -> torch.nn.Module:
        """The network inside the potential."""
        model: torch.nn.Module = self.calculator.potential.model
        return model

    @property
    def width(self) -> int:
        """Length of a node feature; 64 by default."""
        return input_width(self.calculator.potential.model.final_layer)

    @property
    def elements(self) -> frozenset[int]:
        """Elements in the model's table."""
        from ase.data import atomic_numbers

        return frozenset(atomic_numbers[symbol] for symbol in self.calculator.element_types)

    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        """Listen to the node features on their way into the final layer."""
        return input_of(self.calculator.potential.model.final_layer, receive)

    @property
    def batches(self) -> bool:
        """Whether the calculator runs a model without charges as the package does."""
        return calculates_as(self.calculator, "matgl") and not self.calculator.compute_charge

    def run_batch(self, structures: Sequence[Atoms]) -> None:
        """Run the model on a batch of graphs, as far as the final layer."""
        import torch
        from torch_geometric.data import Batch

        calculator = self.calculator
        graphs, lattices, states = zip(
            *(calculator._atoms2graph.get_graph(atoms) for atoms in structures), strict=True
        )
        state = torch.stack(
            [
                torch.as_tensor(own if calculator.state_attr is None else calculator.state_attr)
                for own in states
            ]
        )
        lattice = torch.stack([lattice.reshape(3, 3) for lattice in lattices])
        with up_to(calculator.potential.model.final_layer):
            calculator.potential(Batch.from_data_list(list(graphs)), lattice, state)


def open_matgl(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open a MatGL potential, with stresses in ASE's unit and order."""
    import matgl
    from matgl.ext.ase import PESCalculator

    potential = matgl.load_model(path or label).to(device)
    return PESCalculator(potential, **{"stress_unit": "eV/A3", "use_voigt": True, **options})
