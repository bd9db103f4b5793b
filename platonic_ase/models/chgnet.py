"""CHGNet: Deng et al., Nat. Mach. Intell. 5, 1031 (2023)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from platonic_ase.models.encoder import Encoder, Options, Receiver, calculates_as, comes_from
from platonic_ase.models.hooks import output_of

if TYPE_CHECKING:
    from ase import Atoms

_GPA = 160.21766208  # eV/Å³, as the package has it


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

        model = self.calculator.model
        model.eval()
        with torch.no_grad():
            model(self._graphs(structures), task="e")

    @property
    def evaluates_batches(self) -> bool:
        """Whether the calculator runs its model as the package does, without site energies."""
        return self.batches and not self.calculator.return_site_energies

    def evaluate_batch(self, structures: Sequence[Atoms]) -> list[dict[str, Any]]:
        """Run the model on a batch of graphs, with one backward pass for forces and stresses.

        The package's own batches make two, and keep the graph of both for training.
        """
        import torch
        from chgnet.model.model import BatchedGraph

        calculator, model = self.calculator, self.calculator.model
        model.eval()
        graphs = self._graphs(structures)
        batch = BatchedGraph.from_graphs(
            graphs,
            bond_basis_expansion=model.bond_basis_expansion,
            angle_basis_expansion=model.angle_basis_expansion,
            compute_stress=True,
        )
        found = model._compute(batch, compute_magmom=True, return_crystal_feas=True)
        energies = found["e"]  # an atom's, where the model is intensive
        total = (energies * found["atoms_per_graph"] if model.is_intensive else energies).sum()
        slopes = torch.autograd.grad(total, [*batch.atom_positions, *batch.strains])
        forces, strains = slopes[: len(graphs)], slopes[len(graphs) :]
        if model.composition_model is not None:
            energies = energies + model.composition_model(graphs)
        arrays = {
            "energy": energies.detach().cpu().numpy(),
            "forces": [-each.cpu().numpy() for each in forces],
            "stress": [
                (slope * (_GPA / volume)).cpu().numpy() * calculator.stress_weight
                for slope, volume in zip(strains, batch.volumes, strict=True)
            ],
            "magmoms": [each.detach().cpu().numpy() for each in found["m"]],
            "crystal_fea": found["crystal_fea"].detach().cpu().numpy(),
        }
        made = [{name: values[k] for name, values in arrays.items()} for k in range(len(graphs))]
        for results, atoms in zip(made, structures, strict=True):
            results["energy"] *= len(atoms) if model.is_intensive else 1
            results["free_energy"] = results["energy"]
        return made

    def _graphs(self, structures: Sequence[Atoms]) -> list[Any]:
        from pymatgen.io.ase import AseAtomsAdaptor

        convert, device = self.calculator.model.graph_converter, self.calculator.device
        return [convert(AseAtomsAdaptor.get_structure(each)).to(device) for each in structures]


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
