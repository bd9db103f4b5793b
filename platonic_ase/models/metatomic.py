"""Metatomic models: PET-MAD, Mazitov et al., Nat. Commun. 16, 10653 (2025); arXiv:2601.16195."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from platonic_ase.errors import EncoderError, ModelNotFoundError
from platonic_ase.models.encoder import Encoder, Options, Receiver, calculates_as, comes_from
from platonic_ase.models.hooks import deliver

if TYPE_CHECKING:
    import torch
    from ase import Atoms
    from torch import Tensor

OUTPUTS = {"features": ("feature", "features"), "last": ("mtt::aux::energy_last_layer_features",)}
"""What a model calls each layer; the first that it offers is asked for."""


class MetatomicEncoder(Encoder):
    """An output of the model, asked for in the evaluation that gives energy and forces.

    ``"features"`` are the standard ones of metatomic; ``"last"`` those of the last layer before
    the energy, which models of metatrain have. PET is not invariant under rotations, and neither
    are its features.
    """

    name = "metatomic"
    package = "metatomic-ase"
    layers = ("features", "last")

    def __init__(self, calculator: Any, layer: str | None = None) -> None:
        super().__init__(calculator, layer)
        offered = self._capabilities.outputs
        for output in OUTPUTS[self.layer]:
            if output in offered:
                self._output = output
                return
        raise EncoderError(
            f"this metatomic model does not offer the layer {self.layer!r} "
            f"({' or '.join(OUTPUTS[self.layer])}) among its outputs, {', '.join(offered)}; export "
            "it with per-atom features"
        )

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is metatomic's own."""
        return comes_from(calculator, "metatomic_ase") and hasattr(
            calculator, "_additional_output_requests"
        )

    @property
    def model(self) -> torch.nn.Module:
        """The model inside the calculator."""
        model = self.calculator._model
        found: torch.nn.Module = model.model if isinstance(model, _Asking) else model
        return found

    @property
    def _capabilities(self) -> Any:
        model: Any = self.model
        return model.capabilities()

    @property
    def model_name(self) -> str:
        """What the model calls itself."""
        return self.calculator.metadata().name or "metatomic model"

    @property
    def settings(self) -> Mapping[str, Any]:
        """The output that is read."""
        return {"output": self._output}

    @property
    def dtype(self) -> str:
        """Floating-point type that the model states."""
        return str(self._capabilities.dtype)

    @property
    def elements(self) -> frozenset[int]:
        """Atomic types that the model states."""
        return frozenset(int(z) for z in self._capabilities.atomic_types)

    @cached_property
    def width(self) -> int:
        """Number of features, learned from a crystal of one atom: the model does not state it."""
        from ase import Atoms

        probe = Atoms(numbers=[min(self.elements)], cell=[2.5] * 3, pbc=True)
        found = self.calculator.run_model(probe, {self._output: self._request()})
        return int(found[self._output].block().values.shape[1])

    def _request(self) -> Any:
        from metatomic.torch import ModelOutput

        return ModelOutput(sample_kind="atom")

    @contextmanager
    def listen(self, receive: Receiver) -> Iterator[None]:
        """Ask for the features in each evaluation, whatever else is asked for."""
        with _SWAPPING:
            if not isinstance(self.calculator._model, _Asking):
                self.calculator._model = _Asking(self.calculator._model)
            asking = self.calculator._model
            listener = (self._output, self._request(), receive)
            asking.listeners = (*asking.listeners, listener)
        try:
            yield
        finally:
            with _SWAPPING:
                left = [other for other in asking.listeners if other is not listener]
                asking.listeners = tuple(left)
                if not left and self.calculator._model is asking:
                    self.calculator._model = asking.model

    @property
    def batches(self) -> bool:
        """Whether the calculator runs its model as the package does."""
        return calculates_as(self.calculator, "metatomic_ase")

    def run_batch(self, structures: Sequence[Atoms]) -> None:
        """Evaluate the features of several structures, and nothing else."""
        import torch

        with torch.no_grad():
            self.calculator.run_model(list(structures), {self._output: self._request()})


_SWAPPING = Lock()


class _Asking:
    """In the place of a model: asks for more outputs in each evaluation, and hands them over.

    One for all listeners, of whatever threads: they come and go in any order.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.listeners: tuple[tuple[str, Any, Receiver], ...] = ()

    def __call__(self, systems: Any, options: Any, check_consistency: bool = False) -> Any:
        from metatomic.torch import ModelEvaluationOptions

        listeners = self.listeners
        asked = {output: request for output, request, _ in listeners}
        more = ModelEvaluationOptions(
            length_unit=options.length_unit,
            outputs={**asked, **options.outputs},
            selected_atoms=options.selected_atoms,
        )
        found = self.model(systems, more, check_consistency=check_consistency)
        for output, _, receive in listeners:
            deliver(receive, lambda output=output: _rows(found[output]))  # type: ignore[misc]
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def _rows(features: Any) -> Tensor:
    """One row an atom, structure after structure, in the order of the atoms."""
    import torch

    if len(features) != 1:
        raise ValueError(
            f"the features come in {len(features)} blocks, {features.keys}; one is needed"
        )
    block = features.block()
    system, atom = (block.samples.column(name).long() for name in ("system", "atom"))
    order = torch.argsort(system * (int(atom.max()) + 1) + atom)
    values: Tensor = block.values[order]
    return values


def open_metatomic(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open an exported model from its file, or a released one of the UPET family by its name."""
    if path is not None and not path.endswith(".ckpt"):
        from metatomic_ase import MetatomicCalculator

        return MetatomicCalculator(path, device=device, **options)
    if path is None and not label:
        raise ModelNotFoundError(
            "'metatomic' opens an exported model of your own: give its file as model_path"
        )
    from upet.ase import UPETCalculator

    where = {"model": label} if path is None else {"checkpoint_path": path}
    return UPETCalculator(**where, device=device, **options)
