"""What every encoder shares: find the model, listen to one forward pass, check what arrived."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from threading import get_ident
from typing import TYPE_CHECKING, Any, ClassVar, Union
from weakref import WeakKeyDictionary

import numpy as np

from platonic_ase.errors import CaptureError, EncoderError
from platonic_ase.space.identity import ModelIdentity

if TYPE_CHECKING:
    import torch
    from ase import Atoms
    from torch import Tensor

Array = Union["Tensor", np.ndarray]
Receiver = Callable[[Array | Exception], None]
Options = dict[str, Any]
"""What a user hands to the constructor of a package's calculator."""


_NAMES: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def name_model(calculator: Any, name: str) -> None:
    """Remember what a calculator's checkpoint is called, where the checkpoint does not say.

    Parameters
    ----------
    calculator : ase calculator
    name : str
        Recorded with anchors and logs; nothing depends on it.
    """
    _NAMES[calculator] = name


class Capture:
    """What one forward pass delivered, in the thread that began the capture.

    Other threads may run the same model at the same time: what they deliver is theirs.

    Parameters
    ----------
    encoder : Encoder
        Named in error messages.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._thread = get_ident()
        self._received: list[Array] = []
        self._failure: Exception | None = None

    def receive(self, array: Array | Exception) -> None:
        """Keep a detached copy, so that no graph of the forward pass stays alive.

        Never raises: this runs in the middle of the forward pass, which has to go on.
        """
        if get_ident() != self._thread:
            return
        try:
            if isinstance(array, Exception):
                raise array
            if isinstance(array, np.ndarray):
                self._received.append(array.copy())
            elif hasattr(array, "is_leaf"):
                self._received.append(array.detach().clone())
            else:  # a graph, say, whose detach() would change it in place
                raise TypeError(f"a tensor is needed; got {type(array).__name__}")
        except Exception as error:
            self._failure = error

    def __len__(self) -> int:
        return len(self._received)

    def clear(self) -> None:
        """Forget what has arrived: the calculation begins anew."""
        self._received, self._failure = [], None

    def take(self, n_atoms: int) -> Array:
        """Hand out the embeddings of the forward pass.

        Parameters
        ----------
        n_atoms : int
            Rows wanted; padding rows beyond are cut off.

        Returns
        -------
        Tensor or ndarray, shape (n_atoms, d)

        Raises
        ------
        CaptureError
            Unless as many captures arrived as the encoder expects, each with enough rows.
        """
        name, expected = self._encoder.name, self._encoder.captures_per_forward
        if self._failure is not None:
            raise CaptureError(
                f"the encoder {name!r} (layer {self._encoder.layer!r}) could not read the "
                f"embeddings ({type(self._failure).__name__}: {self._failure}). Choose another "
                "layer, or give a function that picks the tensor of shape (n_atoms, d)."
            ) from self._failure
        if len(self._received) != expected:
            raise CaptureError(
                f"the encoder {name!r} (layer {self._encoder.layer!r}) saw "
                f"{len(self._received)} embeddings in one calculation; exactly {expected} "
                "was expected. "
                + (
                    "The forward pass cannot be observed: load the model in eager mode, without "
                    "torch.compile, TorchScript or an exported artefact."
                    if not self._received
                    else "The calculator runs the model several times per geometry; choose "
                    "another layer or write an encoder for it (platonic_ase.register_encoder)."
                )
            )
        for array in self._received:
            if array.ndim != 2 or len(array) < n_atoms:
                raise CaptureError(
                    f"the encoder {name!r} captured an array of shape {tuple(array.shape)}; "
                    f"(n, d) with n at least {n_atoms}, one row an atom, is needed. Choose another "
                    "layer, or give a function that picks the per-atom rows."
                )
        return self._encoder.combine(
            [array if len(array) == n_atoms else array[:n_atoms] for array in self._received]
        )


class Encoder(ABC):
    """Reads per-atom embeddings from the forward pass that a calculator runs anyway.

    A subclass says how to recognise its calculator, where the model is, and how to listen.

    Parameters
    ----------
    calculator : ase.calculators.calculator.BaseCalculator
        A calculator that :meth:`recognises` accepts.
    layer : str, optional
        One of :attr:`layers`; the first by default.

    Raises
    ------
    EncoderError
        If the layer does not exist.
    """

    name: ClassVar[str]
    """Short name in the registry, such as ``"chgnet"``."""
    package: ClassVar[str]
    """Name of the package on PyPI."""
    layers: ClassVar[tuple[str, ...]]
    """Layers that can be read; the first is the default."""
    captures_per_forward: int = 1
    """How many tensors one calculation delivers: several for a committee."""

    def __init__(self, calculator: Any, layer: str | None = None) -> None:
        self.calculator = calculator
        self.layer = self.layers[0] if layer is None else layer
        if self.layer not in self.layers:
            raise EncoderError(
                f"the encoder {self.name!r} has no layer {layer!r}; choose one of "
                + ", ".join(map(repr, self.layers))
            )

    @classmethod
    @abstractmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether this encoder can read that calculator; must not import the package."""

    @property
    def model(self) -> torch.nn.Module:
        """The network inside the calculator; its attribute ``model`` unless overridden."""
        model: torch.nn.Module = self.calculator.model
        return model

    @abstractmethod
    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        """Context in which each forward pass hands its embeddings to ``receive``."""

    @contextmanager
    def capture(self) -> Iterator[Capture]:
        """Context that collects the embeddings of the forward pass run inside."""
        capture = Capture(self)
        with self.listen(capture.receive):
            yield capture

    @contextmanager
    def many(self) -> Iterator[Encoder]:
        """Context for a series of different structures, which leaves the calculator as it was.

        Yields the encoder to run them with: this one, unless they would make a compiled or merged
        model recompile or give up its speed.
        """
        yield self

    @property
    def batches(self) -> bool:
        """Whether :meth:`run_batch` can be called: the package batches structures."""
        return False

    def run_batch(self, structures: Sequence[Atoms]) -> None:
        """Run the network once on several structures, as far as the layer that is read.

        No energies or forces are kept, and what the calculator remembers is left alone. Listeners
        get the rows of all atoms, structure after structure: those that each structure gives
        alone, to rounding.

        Parameters
        ----------
        structures : sequence of Atoms
            At least one.
        """
        raise NotImplementedError(f"the encoder {self.name!r} runs structures one by one")

    @property
    def evaluates_batches(self) -> bool:
        """Whether :meth:`evaluate_batch` can be called."""
        return False

    def evaluate_batch(self, structures: Sequence[Atoms]) -> list[dict[str, Any]]:
        """Run the network once on several structures: results as the calculator's, one dict each.

        They are equal to rounding, not to the last bit. Listeners are told as by
        :meth:`run_batch`; what the calculator remembers is left alone.
        """
        raise NotImplementedError(f"the encoder {self.name!r} evaluates structures one by one")

    def combine(self, captured: list[Array]) -> Array:
        """Make one array of the captures of one calculation; the only one by default."""
        return captured[0]

    @property
    def elements(self) -> frozenset[int] | None:
        """Atomic numbers that the model knows, or None where it does not say."""
        return None

    @property
    def model_name(self) -> str:
        """Human-readable name of the checkpoint."""
        return type(self.model).__name__

    @property
    def settings(self) -> Mapping[str, Any]:
        """What else changes embeddings: modal, task, head."""
        return {}

    @property
    @abstractmethod
    def width(self) -> int:
        """Length d of one embedding."""

    @property
    def fingerprint(self) -> str:
        """Hash of all that the model has learned; override for a model that is not torch's."""
        return hash_parameters(self.model)

    @property
    def dtype(self) -> str:
        """Floating-point type of the model, such as ``"float32"``."""
        return parameter_dtype(self.model)

    @cached_property
    def identity(self) -> ModelIdentity:
        """What an anchor file must match to serve this model."""
        try:
            package_version = version(self.package)
        except PackageNotFoundError:
            package_version = "unknown"
        return ModelIdentity(
            package=self.package,
            package_version=package_version,
            model=_NAMES.get(self.calculator) or self.model_name,
            fingerprint=self.fingerprint,
            layer=self.layer,
            width=self.width,
            dtype=self.dtype,
            settings=dict(self.settings),
        )


def hash_parameters(model: torch.nn.Module) -> str:
    """Hash of the parameters and buffers of a model.

    Parameters
    ----------
    model : torch.nn.Module

    Returns
    -------
    str
        32 hexadecimal digits of a SHA-256 over names, types, shapes and bytes.
    """
    import torch

    sha = hashlib.sha256()
    state = model.state_dict()
    for name in sorted(state):
        tensor = state[name]
        if isinstance(tensor, torch.Tensor):
            bare = name.replace("_orig_mod.", "")  # torch.compile changes names, nothing else
            sha.update(f"{bare} {tensor.dtype} {tuple(tensor.shape)}".encode())
            data = tensor.detach().cpu().contiguous()
            sha.update(data.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()[:32]


def parameter_dtype(model: torch.nn.Module) -> str:
    """Floating-point type of the parameters, such as ``"float32"``."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            return str(parameter.dtype).removeprefix("torch.")
    return "float32"


def calculates_as(calculator: Any, package: str) -> bool:
    """Whether a calculator runs its model as a package does: its ``calculate`` is the package's.

    Parameters
    ----------
    calculator : object
    package : str
        Top-level import name, such as ``"chgnet"``.
    """
    return str(type(calculator).calculate.__module__).partition(".")[0] == package


def comes_from(calculator: Any, package: str) -> bool:
    """Whether the class of a calculator, or one that it inherits from, is of a package.

    Parameters
    ----------
    calculator : object
    package : str
        Top-level import name, such as ``"chgnet"``.
    """
    return any(cls.__module__.partition(".")[0] == package for cls in type(calculator).__mro__)
