"""The generic encoder: any torch model, given where to listen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

from platonic_ase.errors import EncoderError
from platonic_ase.models.encoder import Encoder, Receiver
from platonic_ase.models.hooks import input_of, output_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class TorchEncoder(Encoder):
    """Embeddings from one module of a torch model of your own.

    Parameters
    ----------
    calculator : ase calculator
        The calculator that runs the model.
    module : str
        Path of the module from the calculator, such as ``"model.layers.2"``; numbers index.
    width : int
        Length d of one embedding.
    read : {"output", "input"}
        Which side of the module to read.
    select : callable, optional
        Picks the tensor of shape (n_atoms, d): called with the module's output, or with its
        arguments for ``read="input"``.
    name : str
        Recorded with the anchors.

    Raises
    ------
    EncoderError
        If the path does not lead to a torch module.

    Examples
    --------
    >>> encoder = TorchEncoder(calc, "model.interactions.1", width=64)   # doctest: +SKIP
    >>> atoms.calc = PlatonicCalculator(calc, encoder=encoder)           # doctest: +SKIP
    """

    name = "torch"
    package = "torch"
    layers = ("module",)

    def __init__(
        self,
        calculator: Any,
        module: str,
        *,
        width: int,
        read: Literal["output", "input"] = "output",
        select: Callable[..., Tensor] | None = None,
        name: str = "torch model",
    ) -> None:
        super().__init__(calculator)
        self.layer = f"{read} of {module}"
        self._path, self._read, self._select = module, read, select
        self._width, self._name = width, name
        self._target = _resolve(calculator, module)

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Never by itself: a module path is needed."""
        return False

    @property
    def model(self) -> torch.nn.Module:
        """The outermost torch module on the path."""
        import torch

        node: Any = self.calculator
        for step in self._path.split("."):
            node = _descend(node, step)
            if isinstance(node, torch.nn.Module):
                return node
        raise AssertionError("unreachable: the path was checked")

    @property
    def model_name(self) -> str:
        """The name given."""
        return self._name

    @property
    def width(self) -> int:
        """The width given."""
        return self._width

    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        """Listen to the module."""
        side = output_of if self._read == "output" else input_of
        return side(self._target, receive, self._select)


def _descend(node: Any, step: str) -> Any:
    return node[int(step)] if step.lstrip("-").isdigit() else getattr(node, step)


def _resolve(calculator: Any, path: str) -> torch.nn.Module:
    import torch

    node: Any = calculator
    for step in path.split("."):
        try:
            node = _descend(node, step)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise EncoderError(
                f"no {step!r} on the way {path!r} from {type(calculator).__name__}: {error}"
            ) from error
    if not isinstance(node, torch.nn.Module):
        raise EncoderError(
            f"{path!r} of {type(calculator).__name__} is a {type(node).__name__}; a "
            "torch.nn.Module is needed"
        )
    return node
