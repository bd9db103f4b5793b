r"""Odds of imaginary modes: that a model will show some, and that those it shows are its own.

Before the dynamical matrices are diagonalised, the odds that a crystal that is stable in truth gets
imaginary modes follow from how much of the forces stays with the displaced atom, and from how soft
the model is: s, ln of its frequencies over the true ones, as the law of stiffness sees it
(:meth:`~platonic_ase.phonons.stiffness.StiffnessLaw.softening`). Octet binaries have odds of their
own, as they have a law of their own.

Afterwards the modes are known, and whether they are real is the question. Where crystals are stable
in truth, they are shallow, and mostly those of potentials that are too soft for the crystal; where
the truth is unstable, they are deep, however soft the model. So the odds that they are spurious
follow from both,

.. math:: \ln \frac{p}{1 - p} = a + b \, \ln \frac{-\nu}{1 \, \mathrm{THz}} + c \, s

with :math:`\nu` the lowest frequency of the model's spectrum. a, b and c are learnt from crystals
that models find unstable, of which a teacher says whether they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.linear import PART_FIELDS, LinearPart, fit_logistic, part_arrays
from platonic_ase.phonons.spectrum import IMAGINARY
from platonic_ase.space.schema import number, record

BEFORE = ("force_odds", "softening")
AFTER = ("log_depth", "softening")
"""What the odds before and after diagonalisation depend on."""
_ODDS = record(**PART_FIELDS, base=number(0, 1))
_NAMES = ("octet", "others", "spurious")
IMAGINARY_MODES = record(octet=_ODDS, others=_ODDS, spurious=_ODDS)
"""What the header of all stored odds has to be."""
IMAGINARY_ARRAYS = part_arrays(*(f"{name} modes" for name in _NAMES))
"""What their arrays have to be."""


@dataclass(frozen=True)
class ModeOdds:
    """Odds of an event that a base rate is known of.

    Attributes
    ----------
    part : LinearPart
        Their logarithm.
    base : float
        How often it happened in the calibration.
    """

    part: LinearPart
    base: float

    def __call__(self, values: Mapping[str, float] | None) -> float | None:
        """Probability; None where a quantity is missing (NaN) that is needed.

        Parameters
        ----------
        values : mapping of str to float, or None
            By name; None for the base rate.
        """
        if values is None:
            return self.base
        odds = self.part(values)
        return 1 / (1 + math.exp(-odds)) if math.isfinite(odds) else None

    def stored(self, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header and arrays, named after the odds, to write to a file."""
        header, arrays = self.part.stored(name)
        return {**header, "base": self.base}, arrays

    @classmethod
    def read(
        cls, name: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> ModeOdds:
        """Inverse of :meth:`stored`."""
        return cls(LinearPart.read(name, header, arrays), float(header["base"]))


def fit_odds(names: tuple[str, ...], x: np.ndarray, labels: np.ndarray) -> ModeOdds:
    """Learn odds.

    Parameters
    ----------
    names : tuple of str, length p
        Of the quantities.
    x : ndarray, shape (n, p)
    labels : ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If the event happened always or never.
    """
    if not 0 < labels.sum() < len(labels):
        raise ValueError(f"happened in {labels.sum()} of {len(labels)} cases; no odds are learnt")
    return ModeOdds(fit_logistic(names, x, labels), float(labels.mean()))


@dataclass(frozen=True)
class ImaginaryModes:
    """What is known of imaginary modes.

    Attributes
    ----------
    octet, others : ModeOdds
        That the spectrum of a stable octet binary, or other crystal, will have some.
    spurious : ModeOdds
        That those that a spectrum has are the model's own.
    """

    octet: ModeOdds
    others: ModeOdds
    spurious: ModeOdds

    def __post_init__(self) -> None:
        for name, needed in zip(_NAMES, (BEFORE, BEFORE, AFTER), strict=True):
            if (found := getattr(self, name).part.features) != needed:
                raise SpaceFileError(f"odds ({name}) by {found}; by {needed} is needed")

    def before(self, force_odds: float, softening: float | None, octet: bool) -> float | None:
        """Probability that a stable crystal gets imaginary modes; None where a number is missing.

        Parameters
        ----------
        force_odds : float
            See :class:`~platonic_ase.phonons.features.DisplacementFeatures`.
        softening : float or None
            s; None for the base rate.
        octet : bool
            Whether it is an octet binary.
        """
        odds = self.octet if octet else self.others
        values = None if softening is None else of_forces(force_odds, softening)
        return odds(values)

    def after(self, lowest: float, softening: float | None) -> float | None:
        """Probability that imaginary modes are spurious; None where a number is missing.

        Parameters
        ----------
        lowest : float
            Lowest frequency of the spectrum, THz, imaginary ones negative.
        softening : float or None
            s; None for the base rate.
        """
        return self.spurious(None if softening is None else of_spectrum(lowest, softening))

    def stored(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header and arrays to write to a file."""
        header: dict[str, Any] = {}
        arrays: dict[str, np.ndarray] = {}
        for name in _NAMES:
            header[name], own = getattr(self, name).stored(f"{name} modes")
            arrays |= own
        return header, arrays

    @classmethod
    def read(cls, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> ImaginaryModes:
        """Inverse of :meth:`stored`."""
        return cls(*(ModeOdds.read(f"{name} modes", header[name], arrays) for name in _NAMES))


def of_forces(force_odds: float, softening: float) -> dict[str, float]:
    """What the odds before diagonalisation depend on, by name."""
    return {"force_odds": force_odds, "softening": softening}


def of_spectrum(lowest: float, softening: float) -> dict[str, float]:
    """What the odds afterwards depend on, by name."""
    return {"log_depth": math.log(max(-lowest, -IMAGINARY)), "softening": softening}
