r"""Will a symmetric structure break? Its softest collective modes, followed a finite way.

Force constants from displaced atoms say which displacement fields of a supercell are soft. That
is harmonic: a model whose energy is rough around a symmetric point, or has a well there of a
hundredth of an ångström, makes it negative where nothing happens, and positive next to a deep
well. So each field :math:`u` is followed until its largest displacement is 0.1 Å, and what counts
is the mean curvature of the energy on the way,

.. math:: \kappa = \frac{2 \, [E(u) - E(0)]}{\|u\|^2}

Its lowest value over the fields that were tried is the number that a forecast rests on: negative
where the symmetric structure is not the lowest.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.errors import SymmetryWarning
from platonic_ase.monitor.diagnosis import UNCALIBRATED, Signal
from platonic_ase.monitor.symmetry.subgroups import identify_breaking
from platonic_ase.stability.softening import SoftModes

if TYPE_CHECKING:
    from platonic_ase.monitor.symmetry.operations import Operations
    from platonic_ase.monitor.symmetry.orbits import Orbits

_MOVES = 1e-3


@dataclass(frozen=True)
class SoftDirection:
    """One way out of the symmetry.

    Attributes
    ----------
    eigenvalue : float
        Of the force constants without masses, eV/Å²: the curvature at no displacement.
    curvature : float
        κ out to the full amplitude, eV/Å².
    energy : float
        Energy there less that of the symmetric structure, meV per atom.
    subgroup : str or None
        Space group that is left; None where only translations of the supercell are lost.
    orbit : str
        The orbit that splits, or moves most.
    atoms : tuple of int
        The atoms of the supercell on its smaller side.
    shares : mapping of str to float
        Share of each element that moves in the squared displacement.
    """

    eigenvalue: float
    curvature: float
    energy: float
    subgroup: str | None
    orbit: str
    atoms: tuple[int, ...]
    shares: dict[str, float]


@dataclass(frozen=True)
class SymmetryForecast:
    """Whether a structure is going to keep its space group.

    Attributes
    ----------
    space_group : str
        Of the symmetric structure.
    directions : tuple of SoftDirection
        Lowest κ first.
    probability : float or None
        That it breaks when rattled and relaxed with this model; None where uncalibrated.
    threshold : float
        Probability from which on a warning is raised.
    calibration : str
        Which one, or ``"uncalibrated"``.
    """

    space_group: str
    directions: tuple[SoftDirection, ...] = ()
    probability: float | None = None
    threshold: float = 0.5
    calibration: str = UNCALIBRATED

    @property
    def leading(self) -> SoftDirection | None:
        """The direction with the lowest curvature."""
        return self.directions[0] if self.directions else None

    @property
    def breaks(self) -> bool | None:
        """Whether the probability has reached the threshold; None where uncalibrated."""
        return None if self.probability is None else self.probability >= self.threshold

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return {
            "space_group": self.space_group,
            "probability_of_breaking": self.probability,
            "threshold": self.threshold,
            "calibration": self.calibration,
            "curvature_eV_per_A2": None if self.leading is None else self.leading.curvature,
            "heads_for": None if self.leading is None else self.leading.subgroup,
            "directions": [asdict(each) for each in self.directions],
        }

    def __str__(self) -> str:
        """What a user wants to read."""
        way = self.leading
        if way is None:
            return f"{self.space_group}: no forecast"
        said = (
            f"curvature {way.curvature:.2g} eV/Å² along the softest way out "
            f"({way.eigenvalue:.2g} in the harmonic limit)"
        )
        goal = f"{way.orbit}, towards {way.subgroup or 'a larger cell'}"
        if self.probability is None:
            return f"{self.space_group}, uncalibrated: {said}; {goal}"
        verdict = "breaks" if self.breaks else "stays"
        return (
            f"{self.space_group} {verdict}: probability of breaking {self.probability:.2f}; "
            f"{said}; {goal}"
        )


def describe_direction(
    modes: SoftModes,
    displacements: np.ndarray,
    energy: float,
    orbits: Orbits,
    operations: Operations,
    numbers: np.ndarray,
) -> SoftDirection:
    """Say what one displacement field does.

    Parameters
    ----------
    modes : SoftModes
        That the field belongs to.
    displacements : ndarray, shape (n_atoms, 3)
        At the full amplitude, Å.
    energy : float
        There, less that of the symmetric structure, eV.
    orbits, operations
        Of the symmetric supercell.
    numbers : ndarray of int, shape (n_atoms,)
    """
    squares = (displacements**2).sum(axis=1)
    breaking = identify_breaking(orbits, operations, numbers, displacements)
    shares = {
        chemical_symbols[z]: share
        for z in np.unique(numbers)
        if (share := float(squares[numbers == z].sum() / squares.sum())) > _MOVES
    }
    return SoftDirection(
        eigenvalue=modes.eigenvalue,
        curvature=float(2 * energy / squares.sum()),
        energy=1000 * energy / len(numbers),
        subgroup=breaking.subgroup,
        orbit=breaking.orbit,
        atoms=breaking.minority or breaking.majority,
        shares=shares,
    )


def forecast_signal(forecast: SymmetryForecast) -> Signal:
    """Warning of a calibrated forecast."""
    way = forecast.leading
    probability = float("nan") if forecast.probability is None else forecast.probability
    message = ""
    if way is not None and forecast.probability is not None:
        message = (
            f"{forecast.space_group} is going to break, with probability {probability:.2f}: the "
            f"softest way out changes the energy by {way.energy:.2g} meV per atom "
            f"({way.curvature:.2g} eV/Å²) and moves {way.orbit}, towards "
            f"{way.subgroup or 'a larger cell'}."
        )
    return Signal(
        kind="symmetry_forecast",
        level=probability / forecast.threshold,
        value=probability,
        threshold=forecast.threshold,
        unit="probability",
        message=message,
        advice=(
            "Relax a rattled supercell to find the lower phase, or keep the symmetry with "
            "ase.constraints.FixSymmetry."
        ),
        atoms=() if way is None else way.atoms,
        category=SymmetryWarning,
        group="forecast",
    )
