"""MatterSim: Yang et al., arXiv:2405.04967."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from platonic_ase.models.encoder import Encoder, Options, Receiver, calculates_as, comes_from
from platonic_ase.models.hooks import input_of, input_width, up_to

if TYPE_CHECKING:
    import torch
    from ase import Atoms


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

    @property
    def batches(self) -> bool:
        """Whether the calculator runs an M3GNet as the package does."""
        calculator = self.calculator
        return (
            calculates_as(calculator, "mattersim") and calculator.potential.model_name == "m3gnet"
        )

    def run_batch(self, structures: Sequence[Atoms]) -> None:
        """Run the model on a batch of the package's own loader, as far as the readout."""
        from mattersim.datasets.utils.build import build_dataloader
        from mattersim.forcefield.potential import batch_to_dict

        calculator, model = self.calculator, self.calculator.potential.model
        settings = {
            **calculator.args_dict,
            "batch_size": len(structures),
            "only_inference": 1,
            "cutoff": model.model_args["cutoff"],
            "threebody_cutoff": model.model_args["threebody_cutoff"],
        }
        loader = build_dataloader(list(structures), model_type="m3gnet", **settings)
        for batch in loader:  # one
            with up_to(model.final):
                calculator.potential.forward(
                    batch_to_dict(batch, device=calculator.device),
                    include_forces=False,
                    include_stresses=False,
                )


def open_mattersim(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open MatterSim."""
    from mattersim.forcefield.potential import MatterSimCalculator, Potential

    potential = Potential.from_checkpoint(path or label, device=device, load_training_state=False)
    return MatterSimCalculator(potential, device=device, **options)
