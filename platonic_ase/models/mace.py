"""MACE: Batatia et al., NeurIPS 2022 (arXiv:2206.07697); MACE-MP-0: arXiv:2401.00096."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from platonic_ase.models.encoder import Array, Encoder, Options, Receiver, calculates_as, comes_from
from platonic_ase.models.hooks import output_of

if TYPE_CHECKING:
    import torch
    from ase import Atoms
    from torch import Tensor


class MACEEncoder(Encoder):
    """Invariant node features of MACE, also of a committee.

    Layers: ``"first"`` are the invariants of the first message-passing layer, as in Li and Walsh
    (arXiv:2512.05349) and in MACE's ``get_descriptors(num_layers=1)``; ``"last"`` those of the
    last; ``"all"`` those of every layer, side by side. The embeddings of a committee are those of
    its members, side by side.
    """

    name = "mace"
    package = "mace-torch"
    layers = ("first", "last", "all")

    def __init__(self, calculator: Any, layer: str | None = None) -> None:
        super().__init__(calculator, layer)
        self.captures_per_forward = len(calculator.models)
        self._columns = [self._find_columns(model) for model in calculator.models]

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is MACE's own."""
        return comes_from(calculator, "mace") and hasattr(calculator, "models")

    @property
    def model(self) -> torch.nn.Module:
        """The network, or the list of a committee's."""
        import torch

        models: list[torch.nn.Module] = self.calculator.models
        return models[0] if len(models) == 1 else torch.nn.ModuleList(models)

    @property
    def model_name(self) -> str:
        """Architecture and, for a committee, its size."""
        models = self.calculator.models
        return "MACE" if len(models) == 1 else f"committee of {len(models)} MACE"

    @property
    def settings(self) -> Mapping[str, Any]:
        """The head of a multi-head model."""
        return {"head": self.calculator.head}

    @property
    def elements(self) -> frozenset[int]:
        """Elements in the model's table."""
        return frozenset(int(z) for z in self.calculator.z_table.zs)

    @property
    def width(self) -> int:
        """Number of invariants, 128 per layer in MACE-MP-0, times the size of a committee."""
        return sum(part.stop - part.start for parts in self._columns for part in parts)

    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        """Listen to ``node_feats`` in the output of each member."""
        return self._listen(receive)

    @contextmanager
    def _listen(self, receive: Receiver) -> Iterator[None]:
        with ExitStack() as stack:
            for model, parts in zip(self.calculator.models, self._columns, strict=True):
                stack.enter_context(output_of(model, receive, _picker(parts)))
            yield

    def _find_columns(self, model: Any) -> list[slice]:
        layers = even_scalars([str(product.linear.irreps_out) for product in model.products])
        chosen = {"first": layers[:1], "last": layers[-1:], "all": layers}[self.layer]
        return [part for parts in chosen for part in parts]

    def combine(self, captured: list[Array]) -> Array:
        """Put the embeddings of a committee side by side."""
        import torch

        return captured[0] if len(captured) == 1 else torch.cat(captured, dim=1)  # type: ignore[arg-type]

    @contextmanager
    def many(self) -> Iterator[Encoder]:
        """Run the series in eager mode, and restore compilation and the padding it settled on."""
        kept = ("models", "use_compile", "pad_num_atoms", "pad_num_edges", "_padding_initialized")
        state = {
            name: getattr(self.calculator, name) for name in kept if hasattr(self.calculator, name)
        }
        if state.get("use_compile"):
            self.calculator.models = [getattr(m, "_orig_mod", m) for m in state["models"]]
            self.calculator.use_compile = False
        try:
            yield self
        finally:
            vars(self.calculator).update(state)

    @property
    def batches(self) -> bool:
        """Whether the calculator runs models of energies as the package does."""
        calculator = self.calculator
        return calculates_as(calculator, "mace") and calculator.model_type == "MACE"

    def run_batch(self, structures: Sequence[Atoms]) -> None:
        """Run each member on a batch of graphs, for the energy alone."""
        import torch
        from mace import data
        from mace.tools import torch_geometric, torch_tools

        calculator = self.calculator
        keys = data.KeySpecification(
            info_keys=calculator.info_keys,
            arrays_keys={**calculator.arrays_keys, calculator.charges_key: "charges"},
        )
        with torch_tools.default_dtype(calculator.default_dtype):
            graphs = [
                data.AtomicData.from_config(
                    data.config_from_atoms(
                        atoms, key_specification=keys, head_name=calculator.head
                    ),
                    z_table=calculator.z_table,
                    cutoff=calculator.r_max,
                    heads=calculator.available_heads,
                )
                for atoms in structures
            ]
        batch = torch_geometric.Batch.from_data_list(graphs).to(calculator.device)
        with torch.no_grad():
            for model in calculator.models:
                model(_in_dtype_of(model, batch), compute_force=False)


def _in_dtype_of(model: torch.nn.Module, batch: Any) -> dict[str, Tensor]:
    dtype = next(model.parameters()).dtype
    contents: dict[str, Tensor] = batch.clone().to_dict()
    return {
        key: value.to(dtype) if hasattr(value, "dtype") and value.is_floating_point() else value
        for key, value in contents.items()
    }


def _picker(parts: list[slice]) -> Callable[[Mapping[str, Tensor]], Tensor]:
    def pick(output: Mapping[str, Tensor]) -> Tensor:
        import torch

        features = output["node_feats"]
        return torch.cat([features[:, part] for part in parts], dim=1)

    return pick


def even_scalars(layers: list[str]) -> list[list[slice]]:
    """Columns of the invariants in node features of several layers, side by side.

    Parameters
    ----------
    layers : list of str
        Irreducible representations of each layer in e3nn's notation, ``"128x0e+128x1o"``.

    Returns
    -------
    list of list of slice
        The slices of ``0e`` of each layer.

    Examples
    --------
    >>> even_scalars(["8x0e+8x1o", "8x0e"])
    [[slice(0, 8, None)], [slice(32, 40, None)]]
    """
    start, found = 0, []
    for layer in layers:
        scalars = []
        for multiplicity, degree, parity in re.findall(r"(\d+)x(\d+)([eo])", layer):
            stop = start + int(multiplicity) * (2 * int(degree) + 1)
            if degree == "0" and parity == "e":
                scalars.append(slice(start, stop))
            start = stop
        found.append(scalars)
    return found


def open_mace(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open MACE."""
    from mace.calculators import mace_mp

    return mace_mp(model=path or label, device=device, default_dtype=dtype, **options)
