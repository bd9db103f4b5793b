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
        """Listen to what the final layer is given: node features, or (2.0) a graph with them."""
        return input_of(
            self.calculator.potential.model.final_layer,
            receive,
            lambda given: given.node_feat if hasattr(given, "node_feat") else given,
        )

    @property
    def batches(self) -> bool:
        """Whether the calculator runs a model without charges as the package does."""
        charged = getattr(self.calculator, "compute_charge", False)  # since 3.0
        return calculates_as(self.calculator, "matgl") and not charged

    def run_batch(self, structures: Sequence[Atoms]) -> None:
        """Run the model on a batch of graphs, as far as the final layer."""
        import torch
        from torch_geometric.data import Batch

        calculator = self.calculator
        graphs, lattices, states = zip(
            *(_converter(calculator).get_graph(atoms) for atoms in structures), strict=True
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


def _converter(calculator: Any) -> Any:
    """What makes graphs of structures; the calculators of 2.0 make one at each call."""
    kept = getattr(calculator, "_atoms2graph", None)
    if kept is not None:
        return kept
    from matgl.ext._ase_pyg import Atoms2Graph

    return Atoms2Graph(calculator.element_types, calculator.cutoff)


def open_matgl(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open a MatGL potential, with stresses in ASE's unit and order."""
    import matgl
    from matgl.ext.ase import PESCalculator

    potential = matgl.load_model(path or label).to(device)
    return PESCalculator(potential, **{"stress_unit": "eV/A3", "use_voigt": True, **options})
