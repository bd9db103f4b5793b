"""Temperature and total energy of a trajectory: is the run exploding?"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units
from ase.data import atomic_masses

if TYPE_CHECKING:
    from ase import Atoms

HOTTEST = 1e4
"""K. No crystal or melt that these models describe is hotter."""
ENERGY_RISE = 1.0
"""eV/atom that the total energy may rise by within :data:`WINDOW` geometries."""
WINDOW = 20
_FLUCTUATIONS = 10
"""Standard deviations of the canonical temperature above the thermostat's, ..."""
_TIMES = 3.0
"""... and at least this many times it: velocities are often drawn at twice the temperature."""


@dataclass
class Heat:
    """Follows temperature and total energy.

    Attributes
    ----------
    temperature : float
        Of the latest geometry, K.
    target : float or None
        Of the thermostat, K, where there is one.
    rise : float
        Total energy above its least over the last geometries, eV/atom.
    """

    temperature: float = 0.0
    target: float | None = None
    rise: float = 0.0
    _freedom: int = 1
    _totals: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def observe(self, atoms: Atoms, energy: Any, *, revisited: bool = False) -> None:
        """Add a geometry.

        Parameters
        ----------
        atoms : Atoms
            With momenta.
        energy : float or None
            Potential energy, eV.
        revisited : bool
            Whether the geometry was seen before.
        """
        kinetic = kinetic_energy(atoms)
        self._freedom = max(1, atoms.get_number_of_degrees_of_freedom())
        self.temperature = 2 * kinetic / (self._freedom * units.kB)
        if energy is None or revisited:
            return
        total = (float(energy) + kinetic) / len(atoms.numbers)
        self._totals.append(total)
        self.rise = total - min(self._totals)

    @property
    def limit(self) -> float:
        """Temperature, K, beyond which a run explodes."""
        if not self.target:
            return HOTTEST
        spread = 1 + _FLUCTUATIONS * math.sqrt(2 / self._freedom)
        return self.target * max(_TIMES, spread)

    @property
    def why(self) -> str:
        """Where the limit comes from, for a message."""
        return f" at {self.target:.3g} K" if self.target else ""


def kinetic_energy(atoms: Atoms) -> float:
    """Kinetic energy, eV, as ASE has it, of atoms with momenta."""
    momenta = atoms.arrays["momenta"]
    masses = atoms.arrays.get("masses")
    if masses is None:
        masses = atomic_masses[atoms.numbers]
    return 0.5 * float(np.einsum("ij,ij->i", momenta, momenta) @ (1 / masses))


def thermostat_temperature(dynamics: Any) -> float | None:
    """Temperature, K, that an ASE dynamics object keeps; None where it has no thermostat.

    Parameters
    ----------
    dynamics : ase.md object
    """
    energy = getattr(dynamics, "temp", None)  # Langevin, Andersen, Bussi: kT in eV
    if isinstance(energy, int | float | np.number) and energy > 0:
        return float(energy / units.kB)
    kelvin = getattr(dynamics, "temperature", None)  # Berendsen: K
    if isinstance(kelvin, int | float | np.number) and kelvin > 0:
        return float(kelvin)
    return None
