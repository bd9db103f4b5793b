"""FAIRChem: UMA (Wood et al., arXiv:2506.23971) and eSEN (Fu et al., arXiv:2502.12147)."""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import EncoderError
from platonic_ase.models.encoder import Encoder, Options, Receiver, calculates_as, comes_from
from platonic_ase.models.hooks import call_of

if TYPE_CHECKING:
    import torch
    from ase import Atoms
    from torch import Tensor


class FAIRChemEncoder(Encoder):
    """Scalar (l = 0) node embeddings of UMA and eSEN after their last block.

    The inference presets of FAIRChem merge experts, compile, replace the backbone at the first
    prediction and reload it when the composition changes. What survives all that is the step that
    processes the model's outputs, among which its energy head puts the embeddings.
    """

    name = "fairchem"
    package = "fairchem-core"
    layers = ("last",)

    def __init__(self, calculator: Any, layer: str | None = None) -> None:
        super().__init__(calculator, layer)
        if not hasattr(self._predictor, "_process_outputs"):
            raise EncoderError(
                f"{type(self._predictor).__name__} runs the model in other processes, where it "
                "cannot be observed: load it with workers=1"
            )
        heads = self._predictor.model.module.output_heads.values()
        if not any(_hands_out_embeddings(getattr(head, "head", head)) for head in heads):
            raise EncoderError(
                "no head of this model hands out embeddings; load it with "
                "inference_settings='batch' and read its backbone: platonic_ase.TorchEncoder("
                "calculator, 'predictor.model.module.backbone', width=..., select=lambda output: "
                "output['node_embedding'][:, 0, :])"
            )

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is FAIRChem's own."""
        return comes_from(calculator, "fairchem") and hasattr(calculator, "predictor")

    @property
    def _predictor(self) -> Any:
        return self.calculator.predictor

    @property
    def model(self) -> torch.nn.Module:
        """The network as it is now: before or after merging and compilation."""
        model: torch.nn.Module = self._predictor.model
        return model

    @property
    def model_name(self) -> str:
        """Name that the checkpoint carries, or that of its file."""
        return self._predictor.model.module.model_id or self._file.stem

    @property
    def fingerprint(self) -> str:
        """Hash of the checkpoint: the parameters in memory change with the composition."""
        with self._file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:32]

    @property
    def dtype(self) -> str:
        """Precision of inference."""
        return str(self._predictor.inference_settings.base_precision_dtype).removeprefix("torch.")

    @property
    def settings(self) -> Mapping[str, Any]:
        """The task, such as ``"omat"``, which changes embeddings."""
        return {"task": str(self.calculator.task_name)}

    @property
    def width(self) -> int:
        """Number of channels; 128 by default."""
        return int(self._predictor.model.module.backbone.sphere_channels)

    @property
    def elements(self) -> frozenset[int]:
        """Elements with an embedding."""
        return frozenset(range(1, int(self._predictor.model.module.backbone.max_num_elements)))

    @property
    def _file(self) -> Path:
        return Path(self._predictor._inference_model_path)

    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        """Listen to the outputs on their way into ``_process_outputs``."""
        return call_of(self._predictor, "_process_outputs", receive, self._pick)

    def _pick(self, data: Any, output: Mapping[str, Any], undo_refs: bool) -> Tensor:
        groups = [output, *(value for value in output.values() if isinstance(value, Mapping))]
        for name in (f"{self.calculator.task_name}_embeddings", "embeddings"):
            for found in (group[name] for group in groups if name in group):
                scalars: Tensor = found["embeddings"] if isinstance(found, Mapping) else found
                return scalars[:, 0, :]
        raise KeyError(f"no embeddings among the outputs {', '.join(map(str, output))}")

    @contextmanager
    def many(self) -> Iterator[Encoder]:
        """Run the series on a copy that is neither merged nor compiled; leave random states."""
        import torch

        predictor = self._predictor
        states = random.getstate(), np.random.get_state()  # noqa: NPY002 - FAIRChem seeds these
        with torch.random.fork_rng():
            settings = predictor.inference_settings
            general = dataclasses.replace(settings, merge_mole=False, compile=False)
            try:
                if settings == general:
                    yield self
                else:
                    copy = type(predictor)(
                        str(self._file),
                        device=str(predictor.device),
                        overrides=predictor._overrides,
                        inference_settings=general,
                        atom_refs=predictor.atom_refs,
                        form_elem_refs=predictor.form_elem_refs,
                    )
                    yield type(self)(type(self.calculator)(copy, self.calculator.task_name))
            finally:
                random.setstate(states[0])
                np.random.set_state(states[1])  # noqa: NPY002

    @property
    def batches(self) -> bool:
        """Whether the calculator runs its model as the package does, and no merged one."""
        merged = self._predictor.inference_settings.merge_mole
        return calculates_as(self.calculator, "fairchem") and not merged

    def run_batch(self, structures: Sequence[Atoms]) -> None:
        """Run the model on a batch of the package's own; forces are computed all the same."""
        from fairchem.core.datasets.atomic_data import atomicdata_list_to_batch

        calculator, graphs = self.calculator, []
        for atoms in structures:
            checked = atoms.copy()  # the check writes charge and spin
            self._predictor.validate_atoms_data(checked, calculator.task_name)
            graphs.append(calculator.a2g(checked))
        self._predictor.predict(atomicdata_list_to_batch(graphs))


def _hands_out_embeddings(head: Any) -> bool:
    return any(cls.__name__ == "MLP_EFS_Head" for cls in type(head).__mro__)


def open_fairchem(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open UMA or eSEN; the option ``inference_settings`` chooses FAIRChem's preset."""
    from fairchem.core import FAIRChemCalculator

    return FAIRChemCalculator.from_model_checkpoint(path or label, device=device, **options)
