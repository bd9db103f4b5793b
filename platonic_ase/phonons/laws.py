"""The two laws of stiffness, and what they say of a model: how soft it is on a crystal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.opinions import USUAL, Prior, softening
from platonic_ase.phonons.stiffness import LAW, OF_BINARIES, OF_OTHERS, StiffnessLaw, law_arrays
from platonic_ase.space.schema import entries, number, record

_POSITIVE = number(0, 1e6, above=True)
LAWS = record(binaries=LAW, others=LAW, spreads=entries(_POSITIVE, _POSITIVE))
"""What the header of stored laws has to be."""
LAWS_ARRAYS = {**law_arrays("binaries"), **law_arrays("others")}
"""What their arrays have to be."""


@dataclass(frozen=True)
class StiffnessLaws:
    """The law of octet binaries, and that of other crystals.

    Attributes
    ----------
    binaries, others : StiffnessLaw
    spreads : tuple of 2 float
        By how much left-out cases scatter more than each says.
    """

    binaries: StiffnessLaw
    others: StiffnessLaw
    spreads: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        if not min(self.spreads) > 0:
            raise SpaceFileError(f"spreads = {self.spreads}; positive numbers are needed")
        for law, (quantity, features) in ((self.binaries, OF_BINARIES), (self.others, OF_OTHERS)):
            if law.quantity != quantity or not set(law.features) <= set(features):
                raise SpaceFileError(
                    f"a law of {law.quantity} by {', '.join(law.features)}; one of {quantity} by "
                    f"no others than {', '.join(features)} is needed"
                )

    def of(self, octet: bool) -> StiffnessLaw:
        """The law of octet binaries, or that of other crystals."""
        return self.binaries if octet else self.others

    def softening(
        self, known: Mapping[str, float], octet: bool, usual: Prior = USUAL
    ) -> tuple[float, float]:
        """Ln of a model's frequencies over the true ones, and its standard deviation.

        Parameters
        ----------
        known : mapping of str to float
            See :func:`~platonic_ase.phonons.cases.case_quantities`.
        octet : bool
            Whether the crystal is an octet binary.
        usual : Prior
            What potentials are known for.

        Returns
        -------
        mean, deviation : float
            NaN if a feature is missing.
        """
        own, deviation, _ = self.of(octet).softening(known)
        return softening(own, self.spreads[0 if octet else 1] * deviation, usual)

    def stored(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header and arrays to write to a file."""
        binaries, arrays = self.binaries.stored("binaries")
        others, more = self.others.stored("others")
        header = {"binaries": binaries, "others": others, "spreads": [*self.spreads]}
        return header, {**arrays, **more}

    @classmethod
    def read(cls, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> StiffnessLaws:
        """Inverse of :meth:`stored`.

        Raises
        ------
        SpaceFileError
            If a law is of quantities that it must not use.
        """
        first, second = header["spreads"]
        return cls(
            StiffnessLaw.read("binaries", header["binaries"], arrays),
            StiffnessLaw.read("others", header["others"], arrays),
            (float(first), float(second)),
        )
