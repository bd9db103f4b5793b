"""NequIP: Batzner et al., Nat. Commun. 13, 2453 (2022); foundation models: arXiv:2504.16068."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from platonic_ase.errors import EncoderError
from platonic_ase.models.encoder import Encoder, Options, Receiver, calculates_as, comes_from
from platonic_ase.models.hooks import input_of, up_to

if TYPE_CHECKING:
    import torch
    from ase import Atoms

READOUT = "per_atom_energy_readout"


class NequIPEncoder(Encoder):
    """Scalar node features of NequIP after its last layer: what its energy readout is given.

    The model has to run eagerly, from a checkpoint or a package file; the artefacts of
    ``nequip-compile`` cannot be observed.
    """

    name = "nequip"
    package = "nequip"
    layers = ("last",)

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is NequIP's own."""
        return comes_from(calculator, "nequip") and hasattr(calculator, "call_model")

    @cached_property
    def _readout(self) -> torch.nn.Module:
        for path, module in self.calculator.model.named_modules():
            if path.rpartition(".")[2] == READOUT and hasattr(module, "irreps_in"):
                found: torch.nn.Module = module
                return found
        raise EncoderError(
            f"this {type(self.calculator.model).__name__} has no module {READOUT!r} to listen to. "
            "A model compiled by nequip-compile cannot be observed: load the checkpoint (.ckpt) "
            "or the package file (.nequip.zip) it was made from, "
            "platonic_ase.models.load_calculator('nequip-oam-l', model_path=...). For another "
            "architecture, such as Allegro, use platonic_ase.TorchEncoder."
        )

    @property
    def width(self) -> int:
        """Number of scalars that the readout takes."""
        readout: Any = self._readout
        return int(readout.irreps_in[readout.field].dim)

    @property
    def elements(self) -> frozenset[int] | None:
        """Elements among the model's types; None where its types are not elements."""
        from ase.data import atomic_numbers

        names = self.calculator.model.type_names
        if not set(names) <= set(atomic_numbers):
            return None
        return frozenset(atomic_numbers[name] for name in names)

    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        """Listen to the node features on their way into the readout."""
        readout: Any = self._readout
        return input_of(readout, receive, lambda data: data[readout.field])

    @property
    def batches(self) -> bool:
        """Whether the calculator runs its model as the package does."""
        return calculates_as(self.calculator, "nequip")

    def run_batch(self, structures: Sequence[Atoms]) -> None:
        """Run the model on a batch of graphs, as far as the readout."""
        from nequip.data import AtomicDataDict

        calculator = self.calculator
        graphs = [calculator.atoms_to_data(atoms) for atoms in structures]
        with up_to(self._readout):
            calculator.call_model(AtomicDataDict.batched_from_list(graphs))


def open_nequip(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open a NequIP checkpoint or package file, uncompiled so that it can be observed."""
    from nequip.integrations.ase import NequIPCalculator

    return NequIPCalculator._from_saved_model(path or label, device=device, **options)
