r"""Odds of imaginary modes: that a model will show some, and that those it shows are its own.

Before the dynamical matrices are diagonalised, the odds that a crystal that is stable in truth gets
imaginary modes follow from how much of the forces stays with the displaced atom.

Afterwards the modes are known, and whether they are real is the question. Where crystals are stable
in truth, they are shallow, and mostly those of potentials that are too soft for the crystal; where
the truth is unstable, they are deep, however soft the model. So the odds that they are spurious
follow from both,

.. math:: \ln \frac{p}{1 - p} = a + b \, \ln \frac{-\nu}{1 \, \mathrm{THz}} + c \, s

with :math:`\nu` the lowest frequency of the model's spectrum, and s ln of its frequencies over the
true ones, as the law of stiffness sees it
(:meth:`~platonic_ase.phonons.stiffness.StiffnessLaw.softening`). a, b and c are learnt from
crystals that models find unstable, of which a teacher says whether they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from platonic_ase.phonons.linear import PART_FIELDS, LinearPart, fit_logistic
from platonic_ase.phonons.spectrum import IMAGINARY
from platonic_ase.space.schema import number, record

BEFORE = ("force_odds",)
AFTER = ("log_depth", "softening")
"""What the odds before and after diagonalisation depend on."""
ODDS = record(**PART_FIELDS, base=number(0, 1))
"""What the header of stored odds has to be."""


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

    def __call__(self, values: Mapping[str, float], share: float = 1.0) -> float | None:
        """Probability; None where a quantity is missing (NaN) that is needed.

        Parameters
        ----------
        values : mapping of str to float
        share : float
            How far the odds are trusted, from 0 to 1; the base rate is, for the rest.
        """
        if share == 0:
            return self.base
        odds = self.part(values)
        if not math.isfinite(odds):
            return None
        return share / (1 + math.exp(-odds)) + (1 - share) * self.base

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


def fit_odds(names: tuple[str, ...], x: np.ndarray, labels: np.ndarray) -> ModeOdds | None:
    """Learn odds; None where the event happened always or never.

    Parameters
    ----------
    names : tuple of str, length p
        Of the quantities.
    x : ndarray, shape (n, p)
    labels : ndarray of bool, shape (n,)
    """
    if not 0 < labels.sum() < len(labels):
        return None
    return ModeOdds(fit_logistic(names, x, labels), float(labels.mean()))


def of_spectrum(lowest: float, softening: float) -> dict[str, float]:
    """What the odds after diagonalisation depend on, by name.

    Parameters
    ----------
    lowest : float
        Lowest frequency of the spectrum, THz, imaginary ones negative.
    softening : float
        s; NaN where it is not known.
    """
    return {"log_depth": math.log(max(-lowest, -IMAGINARY)), "softening": softening}
