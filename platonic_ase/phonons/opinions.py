r"""Two opinions on the error of a crystal with a model, and what they say together.

The law of stiffness looks at the crystal, and at what it would be in truth; the process looks at
what the model did on others. Both say how large the square root of the relative error is, and how
sure they are. The logarithmic opinion pool of two normal opinions with equal weights is

.. math:: \frac{1}{\sigma^2} = \frac12 \left(\frac{1}{\sigma_1^2} + \frac{1}{\sigma_2^2}\right),
    \qquad
    \mu = \frac{\sigma^2}{2} \left(\frac{\mu_1}{\sigma_1^2} + \frac{\mu_2}{\sigma_2^2}\right)

no surer than the surer of the two, since they have learnt from the same crystals (C. Genest and
J. V. Zidek, Stat. Sci. 1, 114 (1986)).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from platonic_ase.phonons.possible import possible_errors


class Prior(NamedTuple):
    """What is expected of ln of a model's frequencies over the true ones, before any crystal.

    Attributes
    ----------
    offset, spread : float
        Mean and standard deviation.
    """

    offset: float
    spread: float


USUAL = Prior(-0.05, 0.25)
"""Of a model of which nothing is known: somewhat soft, anything from 0.6 to 1.4 of the truth. A
choice, not a fit: four architectures are too few to learn it from."""
_CONTRADICTION = 3.0


def softening(own: float, deviation: float, usual: Prior = USUAL) -> tuple[float, float]:
    """Ln of a model's frequencies over the true ones, and how sure that is.

    Parameters
    ----------
    own, deviation : float
        What a law of stiffness says of it, and the standard deviation.
    usual : Prior
        What potentials are known for.

    Returns
    -------
    mean, deviation : float
        With what potentials are known for.
    """
    prior, precision = 1 / usual.spread**2, 1 / deviation**2
    variance = 1 / (precision + prior)
    # sources that contradict each other are less sure than they say (Birge's ratio)
    gap = abs(own - usual.offset) / math.sqrt(1 / precision + 1 / prior)
    wide = math.sqrt(variance) * max(1.0, gap / _CONTRADICTION)
    return variance * (precision * own + prior * usual.offset), wide


def root_error(mean: float, deviation: float, mismatches: np.ndarray) -> tuple[float, float]:
    """Square root of the relative error that a softening means, and its standard deviation.

    Parameters
    ----------
    mean, deviation, mismatches
        See :func:`~platonic_ase.phonons.possible.possible_errors`.
    """
    roots = np.sqrt(possible_errors(mean, deviation, mismatches))
    return float(roots.mean()), float(roots.std())


def pooled(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Mean and standard deviation of the pool of two normal opinions.

    Parameters
    ----------
    one, other : tuple of float
        Mean and standard deviation.
    """
    first, second = 0.5 / one[1] ** 2, 0.5 / other[1] ** 2
    variance = 1 / (first + second)
    return variance * (first * one[0] + second * other[0]), math.sqrt(variance)
