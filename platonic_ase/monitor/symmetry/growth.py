"""Does the asymmetry of a relaxing structure grow, or has it only settled in a dent of the energy?

Energies of models are rough: many crystals that keep their symmetry rest one or two hundredths of
an ångström off their sites, and on the way there the energy falls, as steeply as where a crystal
breaks. The curvature alone does not tell these apart, and asked to be large it misses crystals that
break slowly. So three things have to come together: the energy falls along the asymmetry, in some
geometries in a row; an atom has left its site by more than a dent is wide; and that is more than it
was at the least, so that it is no rattling that is about to heal.

Optimisers that learn the curvature (BFGS, say) double the asymmetry from one geometry to the next
and leave no time to count. There one geometry is enough. And where the energy falls more steeply
than in any dent that was seen, so is a smaller displacement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SEEN = 2e-3
"""Å: a smaller asymmetry, and the curvature along it, is rounding."""


@dataclass
class Growth:
    """Growth of the asymmetry over the geometries of a relaxation.

    Attributes
    ----------
    softening : float
        The energy falls where the curvature along the asymmetry is below minus this, eV/Å².
    steep : float
        Where it is below minus this, one geometry is enough, and :attr:`near`, eV/Å².
    leap : float
        And so it is where the largest displacement is this many times that of the geometry before,
        unless that was symmetric: one that was displaced on purpose is no leap.
    rises : int
        Else so many in a row.
    displacement, near : float
        Largest displacement of an atom that is asked for, and where the energy falls steeply, Å.
    growth : float
        And its ratio to the least so far.
    downhill : int
        Geometries in a row in which the energy falls.
    least : float
        Least of the largest displacements so far, Å.
    """

    softening: float
    steep: float
    leap: float
    rises: int
    displacement: float
    near: float
    growth: float
    downhill: int = 0
    least: float = math.inf
    _curvature: float = 0.0
    _last: float = math.inf
    _leaps: bool = False

    def add(self, curvature: float, largest: float) -> None:
        """Add a geometry: curvature along its asymmetry, eV/Å², largest displacement, Å."""
        self._curvature = curvature
        self.downhill = self.downhill + 1 if curvature < -self.softening else 0
        self.least = min(self.least, largest)
        self._leaps = self._last >= SEEN and largest >= self.leap * self._last
        self._last = largest

    def level(self, largest: float) -> float:
        """One or more where the structure is breaking.

        Parameters
        ----------
        largest : float
            Displacement now, Å.
        """
        steep = self._curvature < -self.steep
        needed = 1 if self._leaps or steep else self.rises
        far = self.near if steep else self.displacement
        grown = largest / (self.growth * self.least) if self.least > 0 else math.inf
        return min(self.downhill / needed, largest / far, grown)
