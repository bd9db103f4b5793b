r"""Is a symmetric structure a minimum? Its soft modes, followed a finite way, and what they mean.

Force constants from displaced atoms say which displacement fields of a supercell are soft. That
is harmonic: a model whose energy is rough around a symmetric point, or has a well there of a
hundredth of an ångström, makes it negative where nothing happens, and positive next to a deep
well. So each field :math:`u` is followed until its largest displacement is 0.1 Å, and what counts
is the mean curvature of the energy on the way,

.. math:: \kappa = \frac{2 \, [E(u) - E(0)]}{\|u\|^2}

Its lowest value over the fields that were tried is what :func:`judge` judges by: negative where
the symmetric structure is not the lowest. Forecasts, phonons and relaxations all ask there, so
that one imaginary mode is not called by two names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.errors import StructureError
from platonic_ase.monitor.diagnosis import UNCALIBRATED
from platonic_ase.monitor.symmetry.operations import find_operations
from platonic_ase.monitor.symmetry.orbits import find_orbits
from platonic_ase.monitor.symmetry.subgroups import identify_breaking
from platonic_ase.phonons.breaking import SymmetryRisk, find_symmetry_risk
from platonic_ase.phonons.softening import SoftModes, directions, soft_modes

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator
    from platonic_ase.monitor.symmetry.operations import Operations
    from platonic_ase.monitor.symmetry.orbits import Orbits
    from platonic_ase.report.display import RunDisplay

AMPLITUDE = 0.1
"""Å: how far the atom that moves most is followed along a soft mode."""
MODES, WAYS, SOFT = 3, 3, 0.5
"""Eigenvalues that are followed, directions of each, and eV/Å² above which only the lowest is."""
_MOVES = 1e-3
_FALLS = -0.02
"""eV/Å²: a mean curvature that rounding and a rough energy do not give."""
_MOST_ATOMS = 250


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
    displacements : ndarray, shape (n_atoms, 3)
        At the full amplitude, Å.
    """

    eigenvalue: float
    curvature: float
    energy: float
    subgroup: str | None
    orbit: str
    atoms: tuple[int, ...]
    shares: dict[str, float]
    displacements: np.ndarray = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary, without the displacements."""
        return {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name != "displacements"
        }


@dataclass(frozen=True)
class Judgement:
    """Whether a symmetric structure breaks under a model.

    Attributes
    ----------
    breaks : bool
        Whether the probability has reached the threshold of the calibration; without one, whether
        the energy falls along the softest way out.
    curvature : float
        κ along it, eV/Å².
    probability : float or None
        That the structure breaks when rattled and relaxed; None where uncalibrated.
    threshold : float
    calibration : str
    subgroup : str or None
        What it heads for; None where only translations are lost.
    universal : bool
        Whether the calibration is that of other models, since this one has none.
    """

    breaks: bool
    curvature: float
    probability: float | None
    threshold: float
    calibration: str
    subgroup: str | None
    universal: bool = False

    @property
    def sure(self) -> str:
        """The probability of breaking in words, and whose."""
        if self.probability is None:
            return UNCALIBRATED
        said = f"probability {self.probability:.2f}"
        return f"{said} by the universal calibration" if self.universal else said

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return asdict(self)

    def __str__(self) -> str:
        goal = self.subgroup or "a larger cell"
        if self.breaks:
            return (
                f"Under this model the symmetric structure breaks ({self.sure}): followed to "
                f"{AMPLITUDE:g} Å, the energy falls with {self.curvature:.2g} eV/Å², towards {goal}"
            )
        way = "falls" if self.curvature < 0 else "rises"
        return (
            f"Under this model the symmetric structure stays (breaking: {self.sure}): followed to "
            f"{AMPLITUDE:g} Å, the energy {way} with {self.curvature:.2g} eV/Å²"
        )


def judge(ways: Sequence[SoftDirection], risk: SymmetryRisk | None) -> Judgement | None:
    """Judge a structure by the softest way out; None where none was followed.

    Parameters
    ----------
    ways : sequence of SoftDirection
        Lowest κ first.
    risk : SymmetryRisk or None
        Calibration of the model.
    """
    if not ways:
        return None
    curvature, subgroup = ways[0].curvature, ways[0].subgroup
    if risk is None:
        return Judgement(curvature < _FALLS, curvature, None, 0.5, UNCALIBRATED, subgroup)
    probability = risk.probability(curvature)
    breaks = probability >= risk.threshold
    return Judgement(
        breaks, curvature, probability, risk.threshold, risk.name, subgroup, risk.universal
    )


def follow_soft_modes(
    rest: Atoms,
    constants: np.ndarray,
    calculator: PlatonicCalculator,
    display: RunDisplay | None = None,
) -> tuple[SoftDirection, ...]:
    """Follow the softest modes of a supercell, in ten more passes at most.

    Parameters
    ----------
    rest : Atoms
        Symmetric supercell.
    constants : ndarray, shape (n_atoms, n_atoms, 3, 3)
        Its force constants, eV/Å².
    calculator : PlatonicCalculator
        The model inside is asked: large displacements on purpose are no run to be watched.
    display : RunDisplay, optional

    Returns
    -------
    tuple of SoftDirection
        Lowest curvature first.

    Raises
    ------
    StructureError
        If the structure has no symmetry.
    """
    orbits, operations = find_orbits(rest), find_operations(rest)
    if orbits is None or operations is None:
        raise StructureError("spglib finds no symmetry in the structure; there is none to lose")
    modes = soft_modes(constants, MODES)
    fields = [
        (each, AMPLITUDE * way / np.sqrt((way**2).sum(axis=1).max()))
        for each in modes
        if each is modes[0] or each.eigenvalue < SOFT
        for way in directions(each, operations, WAYS)
    ]
    atoms = rest.copy()
    atoms.calc = calculator.calculator
    energy = atoms.get_potential_energy()
    found = []
    if display is not None:
        display.begin("soft modes", len(fields))
    for count, (each, displacements) in enumerate(fields):
        if display is not None:
            display.update(count)
        atoms.positions = rest.positions + displacements
        found.append(
            describe_direction(
                each,
                displacements,
                float(atoms.get_potential_energy() - energy),
                orbits,
                operations,
                rest.numbers,
            )
        )
    return tuple(sorted(found, key=lambda way: way.curvature))


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
        displacements=displacements,
    )


def judge_phonons(
    phonon: Any, rest: Atoms, calculator: PlatonicCalculator, display: RunDisplay | None = None
) -> Judgement | None:
    """Judge the imaginary modes of a supercell as a forecast does; None without a symmetry.

    Parameters
    ----------
    phonon : phonopy.Phonopy
        With force constants.
    rest : Atoms
        Its supercell.
    calculator : PlatonicCalculator
    display : RunDisplay, optional
    """
    if len(rest) > _MOST_ATOMS:
        return None
    try:
        ways = follow_soft_modes(rest, full_force_constants(phonon), calculator, display)
    except StructureError:
        return None
    return judge(ways, find_symmetry_risk(calculator.encoder.identity))


def full_force_constants(phonon: Any) -> np.ndarray:
    """Force constants between all atoms of the supercell, eV/Å², shape (n, n, 3, 3)."""
    from phonopy.harmonic.force_constants import compact_fc_to_full_fc

    constants = phonon.force_constants
    if constants.shape[0] != constants.shape[1]:
        constants = compact_fc_to_full_fc(phonon.primitive, constants)
    return np.asarray(constants)
