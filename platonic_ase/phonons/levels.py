r"""What the force errors of a model say of its phonons, where no case of it is known.

Models whose forces are wrong by much have wrong phonons, too. How wrong forces are is told at the
first use of a model by the labelled frames of the doctor, as the force level

.. math:: L = \exp \left\langle \ln \frac{\epsilon_i + f}{(\|F_i\| + f)^{0.8}} \right\rangle,
    \qquad f = 5 \, \mathrm{meV/Å}

over their atoms, with errors and DFT forces in eV/Å. Then, before anything is known of the crystal,

.. math:: \delta \sim N(-a L^2, \, b^2 L^4), \qquad q = \kappa L

with :math:`\delta` ln of the model's frequencies over the true ones, q the part of the relative
error that no factor mends, and a, b and the distribution of :math:`\kappa` learnt from the models
of the calibration, each architecture alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.opinions import Prior
from platonic_ase.space.schema import ArraySchema, number, record

LEVELS = record(offset=number(-1e3, 1e3), spread=number(0, 1e3, above=True))
"""What the header of a stored prior has to be."""
LEVELS_ARRAYS = {
    "levels.mismatches": ArraySchema(("mismatches of levels",), low=0, high=1e3, required=False)
}
"""What its arrays have to be."""
LOWEST, HIGHEST = 0.15, 1.0
"""Levels beyond count as these: the best model of the calibration has 0.17."""


@dataclass(frozen=True)
class LevelPrior:
    """What is expected of the phonons of a model of a known force level.

    Attributes
    ----------
    offset, spread : float
        -a and b.
    mismatches : ndarray, shape (m,)
        Quantiles of κ, sorted.
    """

    offset: float
    spread: float
    mismatches: np.ndarray

    def __post_init__(self) -> None:
        if not (self.spread > 0 and len(self.mismatches)):
            raise SpaceFileError(
                f"a prior of levels with spread = {self.spread} and {len(self.mismatches)} "
                "mismatches; positive numbers are needed"
            )

    def at(self, level: float) -> tuple[Prior, np.ndarray]:
        """Prior of δ, and quantiles of q, shape (m,), of a model of this force level."""
        level = min(max(level, LOWEST), HIGHEST)
        prior = Prior(self.offset * level**2, self.spread * level**2)
        return prior, self.mismatches * level

    def stored(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header and arrays to write to a file."""
        arrays = {"levels.mismatches": np.asarray(self.mismatches, dtype=np.float64)}
        return {"offset": self.offset, "spread": self.spread}, arrays

    @classmethod
    def read(cls, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> LevelPrior:
        """Inverse of :meth:`stored`."""
        offset, spread = float(header["offset"]), float(header["spread"])
        return cls(offset, spread, arrays["levels.mismatches"])
