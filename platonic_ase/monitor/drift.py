"""The drift of the total energy of an NVE run."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class DriftMeter:
    """Running least-squares slope of an energy against time, in constant memory.

    Attributes
    ----------
    n : int
        Points so far.
    """

    n: int = 0
    _time: float = 0.0  # means
    _energy: float = 0.0
    _times: float = 0.0  # sums of products of departures from them
    _energies: float = 0.0
    _both: float = 0.0

    def add(self, time: float, energy: float) -> None:
        """Add a point (Welford's update of means and products)."""
        self.n += 1
        late, high = time - self._time, energy - self._energy
        self._time += late / self.n
        self._energy += high / self.n
        self._times += late * (time - self._time)
        self._energies += high * (energy - self._energy)
        self._both += late * (energy - self._energy)

    @property
    def slope(self) -> float:
        """Slope, NaN with fewer than three points."""
        if self.n < 3 or self._times == 0:
            return math.nan
        return self._both / self._times

    @property
    def drift(self) -> float:
        """Slope times the time spanned by the points (as of a uniform sampling)."""
        return self.slope * math.sqrt(12 * self._times / self.n)

    @property
    def scatter(self) -> float:
        """Standard deviation about the line."""
        if self.n < 3:
            return math.nan
        residual = self._energies - self.slope * self._both
        return math.sqrt(max(residual, 0.0) / (self.n - 2))
