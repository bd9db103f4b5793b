"""Which model, layer and settings an embedding belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelIdentity:
    """Everything that two embeddings must share to live in one space.

    Attributes
    ----------
    package : str
        Import name of the package of the potential, such as ``"chgnet"``.
    package_version : str
        Its version; recorded, not compared.
    model : str
        Human-readable name of the checkpoint; recorded, not compared.
    fingerprint : str
        Hash of the parameters.
    layer : str
        Name of the layer that was read.
    width : int
        Length d of one embedding.
    dtype : str
        Floating-point type of the model, such as ``"float32"``.
    settings : mapping
        What else changes embeddings: modal, task, head, charge, ...
    """

    package: str
    package_version: str
    model: str
    fingerprint: str
    layer: str
    width: int
    dtype: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def differences(self, other: ModelIdentity) -> list[str]:
        """List what keeps two embeddings from living in one space.

        Returns
        -------
        list of str
            One phrase per compared field that differs, with both values; empty when compatible.
        """
        compared = ("package", "fingerprint", "layer", "width", "dtype", "settings")
        mine, theirs = asdict(self), asdict(other)
        return [
            f"{name} {mine[name]!r} against {theirs[name]!r}"
            for name in compared
            if mine[name] != theirs[name]
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelIdentity:
        """Inverse of :meth:`to_dict`."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__})
