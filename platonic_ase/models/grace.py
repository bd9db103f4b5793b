"""GRACE: Bochkarev, Lysogorskiy and Drautz, Phys. Rev. X 14, 021036 (2024); arXiv:2508.17936."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from platonic_ase.errors import EncoderError, ModelNotFoundError
from platonic_ase.models.encoder import Array, Encoder, Options, Receiver, comes_from
from platonic_ase.models.hooks import deliver

if TYPE_CHECKING:
    import numpy as np
    import torch

FEATURES = "features"


class GRACEEncoder(Encoder):
    """The invariant basis of each atom, projected at random by the model itself.

    GRACE computes it for its own extrapolation grade and returns it beside energy and forces in
    the same call. Members of an ensemble stand side by side.
    """

    name = "grace"
    package = "tensorpotential"
    layers = (FEATURES,)

    def __init__(self, calculator: Any, layer: str | None = None) -> None:
        super().__init__(calculator, layer)
        self.captures_per_forward = len(calculator.models)
        if any(_features(model) is None for model in self._models):
            raise EncoderError(
                "this GRACE model returns no features: it is not a saved model, or was exported "
                "without uncertainty quantification. Load a folder that has it (a released model "
                "whose name is in 'platonic-ase models', or an export with gmm_uq_model=)"
            )

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is GRACE's own."""
        return comes_from(calculator, "tensorpotential") and hasattr(
            calculator, "compute_properties"
        )

    @property
    def _models(self) -> list[Any]:
        models = self.calculator.models
        return list(models.models if isinstance(models, _Telling) else models)

    @property
    def model(self) -> torch.nn.Module:
        """There is none of torch's.

        Raises
        ------
        EncoderError
        """
        raise EncoderError("GRACE runs in TensorFlow; it has no torch module")

    @property
    def model_name(self) -> str:
        """The checkpoint does not carry its name."""
        return "GRACE"

    @property
    def width(self) -> int:
        """Number of projected basis functions, of all members."""
        return sum(int(_features(model).shape[1]) for model in self._models)

    @property
    def dtype(self) -> str:
        """Floating-point type of the features."""
        return str(_features(self._models[0]).dtype.name)

    @property
    def elements(self) -> frozenset[int]:
        """Elements in the model's table."""
        from ase.data import atomic_numbers

        return frozenset(atomic_numbers[symbol] for symbol in self.calculator.element_map)

    @property
    def fingerprint(self) -> str:
        """Hash of the variables of all members."""
        sha = hashlib.sha256()
        for model in self._models:
            found = {v.name: v for signature in _signatures(model) for v in signature.variables}
            for name, variable in sorted(found.items()):
                values = variable.numpy()
                sha.update(f"{name} {values.dtype} {values.shape}".encode())
                sha.update(values.tobytes())
        return sha.hexdigest()[:32]

    def combine(self, captured: list[Array]) -> Array:
        """Members side by side."""
        import numpy as np

        return np.concatenate(captured, axis=1)

    @contextmanager
    def listen(self, receive: Receiver) -> Iterator[None]:
        """Take the features out of what each call returns."""
        calculator = self.calculator
        with _SWAPPING:
            if not isinstance(calculator.models, _Telling):
                calculator.models = _Telling(calculator.models)
            telling = calculator.models
            telling.listeners = (*telling.listeners, receive)
        try:
            yield
        finally:
            with _SWAPPING:
                left = list(telling.listeners)
                left.remove(receive)
                telling.listeners = tuple(left)
                if not left and calculator.models is telling:
                    calculator.models = telling.models


_SWAPPING = Lock()


class _Telling:
    """In the place of the list of models: each tells what it returns."""

    def __init__(self, models: list[Any]) -> None:
        self.models = models
        self.listeners: tuple[Receiver, ...] = ()

    def __iter__(self) -> Iterator[Any]:
        return (_Told(model, self.listeners) for model in self.models)

    def __len__(self) -> int:
        return len(self.models)

    def __getitem__(self, index: int) -> Any:
        return self.models[index]


class _Told:
    """A model that hands its features over when it is called."""

    def __init__(self, model: Any, listeners: tuple[Receiver, ...]) -> None:
        self._model, self._listeners = model, listeners

    def compute(self, data: Any) -> Any:
        found = self._model.compute(data)
        for receive in self._listeners:
            deliver(receive, lambda: _told(found))
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def _told(found: dict[str, Any]) -> np.ndarray:
    if FEATURES not in found:
        raise ValueError("the call returned no features: calculator.enable_uq() asks for them")
    features: np.ndarray = found[FEATURES].numpy()
    return features


def open_grace(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open a released model by name, or a saved model in a folder, with its features on.

    TensorFlow chooses the device.
    """
    if path is not None:
        from tensorpotential.calculator import TPCalculator

        return TPCalculator(path, **options)
    if not label:
        raise ModelNotFoundError(
            "'grace' opens a saved model of your own: give its folder as model_path"
        )
    from tensorpotential.calculator import grace_fm

    return grace_fm(label, **{"enable_uq": True, **options})


def _signatures(model: Any) -> list[Any]:
    """What a saved model can be called as: nothing for one that was built in memory."""
    return list(getattr(model, "signatures", {}).values())


def _features(model: Any) -> Any:
    """Shape and type of the features that a saved model can return; None if it has none."""
    for signature in _signatures(model):
        if FEATURES in signature.structured_outputs:
            return signature.structured_outputs[FEATURES]
    return None
