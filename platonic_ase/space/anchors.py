"""Anchors: embeddings of stored reference environments, the axes of the Platonic space."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.pack_schemas import ANCHORS
from platonic_ase.space.projection import Projector, unit_rows
from platonic_ase.space.stored import Stored


@dataclass(frozen=True)
class AnchorSet(Stored):
    """K anchors of one model.

    Attributes
    ----------
    embeddings : ndarray, shape (K, d)
        Embeddings of the anchor environments, computed by the model of ``identity``.
    numbers : ndarray of int, shape (K,)
        Atomic numbers of the anchor atoms.
    identity : ModelIdentity
        The model, layer and settings that made them.
    centre : ndarray, shape (d,), optional
        Subtracted from embeddings and anchors before the cosine.
    provenance : mapping
        How they were chosen: source structures, licence, selection method, seed.
    """

    embeddings: np.ndarray
    numbers: np.ndarray
    identity: ModelIdentity
    centre: np.ndarray | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        k = len(self.embeddings)
        if self.embeddings.ndim != 2 or k == 0 or self.embeddings.shape[1] != self.identity.width:
            raise SpaceFileError(
                f"anchors have shape {self.embeddings.shape}; (K, {self.identity.width}) with "
                "K at least 1 is needed for this model"
            )
        if self.numbers.shape != (k,):
            raise SpaceFileError(
                f"{k} anchors come with atomic numbers of shape {self.numbers.shape}; "
                f"({k},) is needed"
            )
        if self.centre is not None and self.centre.shape != (self.identity.width,):
            raise SpaceFileError(
                f"the centre has shape {self.centre.shape}; ({self.identity.width},) is needed"
            )
        if not np.isfinite(self.embeddings).all():
            raise SpaceFileError("anchors hold values that are not finite; make them anew")
        axes = self.embeddings if self.centre is None else self.embeddings - self.centre
        if not np.linalg.norm(axes, axis=1).all():
            raise SpaceFileError("an anchor has length zero: no angle to it; make them anew")

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def digest(self) -> str:
        """Hash of the axes, to tie a reference manifold to the anchors it was made with."""
        sha = hashlib.sha256(np.ascontiguousarray(self.embeddings, dtype=np.float32).tobytes())
        if self.centre is not None:
            sha.update(np.ascontiguousarray(self.centre, dtype=np.float32).tobytes())
        return sha.hexdigest()[:16]

    def project(self, embeddings: np.ndarray) -> np.ndarray:
        """Platonic coordinates, shape (n_atoms, K), of embeddings, shape (n_atoms, d)."""
        return self._project(embeddings)

    @cached_property
    def axes(self) -> np.ndarray:
        """Unit vectors along the anchors, centred where embeddings are, shape (K, d)."""
        return unit_rows(self.embeddings.astype(np.float64), self.centre)

    @cached_property
    def stretch(self) -> float:
        """By how much Platonic coordinates move at most, over what the unit embedding moves."""
        return float(np.linalg.norm(self.axes, 2))

    def lengths(self, embeddings: np.ndarray) -> np.ndarray:
        """Lengths of embeddings, centred where that is asked for, shape (n_atoms,)."""
        centred = embeddings if self.centre is None else embeddings - self.centre
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", centred, centred)))

    @cached_property
    def _project(self) -> Projector:
        return Projector(self.embeddings, self.centre)

    def require(self, identity: ModelIdentity) -> None:
        """Refuse to serve another model.

        Raises
        ------
        ModelMismatchError
            If ``identity`` differs in a way that changes embeddings; both values are named.
        """
        differences = self.identity.differences(identity)
        if differences:
            raise ModelMismatchError(
                "these anchors were made with another model or setting: "
                + "; ".join(differences)
                + " (anchors against calculator). Use anchors='default', or make them for this "
                "model with 'platonic-ase anchors build'."
            )

    def differences(self, identity: ModelIdentity, digest: str) -> list[str]:
        """What keeps a calibration of that model, made with anchors of that digest, from these."""
        found = identity.differences(self.identity)
        if not found and digest != self.digest:
            found = [f"anchors {digest} against {self.digest}"]
        return found

    def describe(self) -> str:
        """A few lines for people: model, layer, elements, origin."""
        from ase.data import chemical_symbols

        elements = ", ".join(chemical_symbols[z] for z in np.unique(self.numbers))
        identity = self.identity
        settings = ", ".join(f"{k}={v}" for k, v in identity.settings.items() if v is not None)
        lines = [
            f"{len(self)} anchors of {identity.model} ({identity.package} "
            f"{identity.package_version}), fingerprint {identity.fingerprint}",
            f"layer {identity.layer}, width {identity.width}, {identity.dtype}"
            + (f", {settings}" if settings else ""),
            f"{'centred' if self.centre is not None else 'plain'} cosines; elements: {elements}",
            "; ".join(f"{key}: {value}" for key, value in self.provenance.items()),
        ]
        return "\n".join(lines)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a safetensors file with a JSON header."""
        arrays = {"embeddings": self.embeddings, "numbers": self.numbers.astype(np.int64)}
        if self.centre is not None:
            arrays["centre"] = self.centre
        header = {
            "identity": self.identity.to_dict(),
            "provenance": dict(self.provenance),
            "centred": self.centre is not None,
        }
        return write_arrays(path, "anchors", arrays, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> AnchorSet:
        """Read a file of :meth:`save`.

        Raises
        ------
        SpaceFileError
            If the file is missing, truncated, malformed or holds values that are not finite.
        """
        arrays, header = read_arrays(path, "anchors", ANCHORS)
        try:
            return cls(
                embeddings=arrays["embeddings"],
                numbers=arrays["numbers"],
                identity=ModelIdentity.from_dict(header["identity"]),
                centre=arrays.get("centre"),
                provenance=header["provenance"],
            )
        except KeyError as error:
            raise SpaceFileError(f"{path} lacks {error}; make the anchors anew") from error
