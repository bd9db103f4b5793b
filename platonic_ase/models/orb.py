"""Orb: Neumann et al., arXiv:2410.22570 (v2); Rhodes et al., arXiv:2504.06231 (v3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.models.encoder import Encoder, Options, Receiver, calculates_as, comes_from
from platonic_ase.models.hooks import input_of, input_width, uncompiled, up_to

if TYPE_CHECKING:
    import torch
    from ase import Atoms


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

    @property
    def stated_error(self) -> np.ndarray | None:
        """Error of its forces that Orb-v3 expects in the latest calculation, a free baseline.

        Returns
        -------
        ndarray, shape (n_atoms,), or None
            Mean absolute error of the components of the force on each atom, eV/Å: the mean of
            what the confidence head holds for probable. The head counts errors up to 0.3 eV/Å and
            says no more than that. None before any calculation, and for Orb-v2, which has no such
            head.
        """
        probable = self.calculator.results.get("confidence")
        if probable is None:
            return None
        edges = self.calculator.model.heads["confidence"].bin_edges.cpu().numpy()
        return np.asarray(probable @ (edges[1:] + edges[:-1]) / 2)

    @contextmanager
    def many(self) -> Iterator[Encoder]:
        """Run the series without the compiled code, which new shapes would recompile."""
        with uncompiled(self.calculator.model):
            yield self

    @property
    def batches(self) -> bool:
        """Whether the calculator runs a model without charges as the package does."""
        calculator = self.calculator
        return calculates_as(calculator, "orb_models") and not calculator.expects_charge_and_spin

    def run_batch(self, structures: Sequence[Atoms]) -> None:
        """Run the model on a batch of graphs, as far as the energy head."""
        from orb_models.forcefield.atomic_system import ase_atoms_to_atom_graphs
        from orb_models.forcefield.base import batch_graphs

        calculator = self.calculator
        graphs = [
            ase_atoms_to_atom_graphs(
                atoms,
                system_config=calculator.system_config,
                max_num_neighbors=calculator.max_num_neighbors,
                edge_method=calculator.edge_method,
                half_supercell=calculator.half_supercell,
                device=calculator.device,
            )
            for atoms in structures
        ]
        with up_to(self._head):
            calculator.model.predict(batch_graphs(graphs).to(calculator.device))


def open_orb(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open Orb; the options ``precision`` and ``compile`` go to its model loader."""
    from orb_models.forcefield import pretrained
    from orb_models.forcefield.calculator import ORBCalculator

    precision = {"float32": "float32-high", "float64": "float64"}[dtype]
    arguments = {
        "device": device,
        "precision": options.pop("precision", precision),
        "compile": options.pop("compile", None),
    }
    if path is not None:
        arguments["weights_path"] = path
    model = pretrained.ORB_PRETRAINED_MODELS[label](**arguments)
    return ORBCalculator(model, device=device, **options)
