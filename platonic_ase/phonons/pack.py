"""What phonon packs have in common: their file, the model they belong to, what they are asked."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.phonons.correction import CorrectionEstimate
from platonic_ase.phonons.estimate import PhononRiskEstimate
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.schema import PackSchema


class PhononPack(ABC):
    """A calibration of phonon errors in a file.

    Attributes
    ----------
    kind : str
        What its file says it holds.
    schema : PackSchema
        What its file has to hold.
    name : str
        Shown wherever a risk is.
    identity : ModelIdentity or None
        The model that it belongs to; None where it holds for any, or that was not recorded.
    anchors_digest : str
        The anchors in use, where it depends on them; else empty.
    """

    kind: ClassVar[str]
    schema: ClassVar[PackSchema]
    name: str
    identity: ModelIdentity | None
    anchors_digest: str = ""

    @abstractmethod
    def predict(
        self, features: DisplacementFeatures, numbers: np.ndarray, unlike: tuple[str, ...] = ()
    ) -> PhononRiskEstimate:
        """Risks of one crystal; uncalibrated where a feature that is needed is missing (NaN).

        Parameters
        ----------
        features : DisplacementFeatures
        numbers : ndarray of int, shape (n_atoms,)
            Atomic numbers of the crystal.
        unlike : tuple of str
            Why the crystal is unlike all of the calibration, such as ``"layers"``.
        """

    @abstractmethod
    def correct(
        self, features: DisplacementFeatures, numbers: np.ndarray, unlike: tuple[str, ...] = ()
    ) -> CorrectionEstimate:
        """What the frequencies of one crystal have to be multiplied by, or why nothing is known.

        Parameters
        ----------
        features, numbers, unlike
            See :meth:`predict`.
        """

    @abstractmethod
    def probability_spurious(
        self,
        features: DisplacementFeatures,
        numbers: np.ndarray,
        lowest: float,
        unlike: tuple[str, ...] = (),
    ) -> float | None:
        """That the imaginary modes of a spectrum are the model's own; None where nobody says.

        Parameters
        ----------
        features, numbers, unlike
            See :meth:`predict`.
        lowest : float
            Lowest frequency of the spectrum, THz, imaginary ones negative.
        """

    @abstractmethod
    def stored(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header and arrays to write to a file."""

    @classmethod
    @abstractmethod
    def from_stored(cls, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Inverse of :meth:`stored`, of what follows the schema."""

    def require(self, anchors: AnchorSet) -> None:
        """Refuse a model, or anchors, that the pack was not made with.

        Raises
        ------
        ModelMismatchError
        """
        differences = [] if self.identity is None else self.identity.differences(anchors.identity)
        if self.anchors_digest and self.anchors_digest != anchors.digest:
            differences.append(f"anchors {self.anchors_digest} against {anchors.digest}")
        if differences:
            raise ModelMismatchError(
                f"the phonon pack {self.name!r} belongs to another model: "
                f"{'; '.join(differences)} (pack against model in use). Use the pack of this model."
            )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a safetensors file with a JSON header."""
        header, arrays = self.stored()
        return write_arrays(path, self.kind, arrays, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file of :meth:`save`.

        Raises
        ------
        SpaceFileError
            If the file is missing, truncated, malformed or holds values that are not finite.
        """
        arrays, header = read_arrays(path, cls.kind, cls.schema)
        try:
            return cls.from_stored(header, arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise SpaceFileError(f"{path} is incomplete ({error}); make it anew") from error
