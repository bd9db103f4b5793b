"""Physical companions: laws that energies, forces, stresses and geometries must obey."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols, covalent_radii

from platonic_ase.errors import PhysicsWarning
from platonic_ase.monitor.diagnosis import Diagnostic, Finding, Frame, Signal

if TYPE_CHECKING:
    from ase import Atoms

_PAIRS = 20_000  # up to so many, all pairs are compared; beyond, a tree finds the near ones


def net_force(forces: np.ndarray) -> float:
    r"""Length of the total force per atom, :math:`\|\sum_i F_i\| / n`, in eV/Å.

    Parameters
    ----------
    forces : ndarray, shape (n_atoms, 3)
        In eV/Å. Zero for a translation-invariant energy, up to rounding.
    """
    return float(np.linalg.norm(forces.sum(axis=0, dtype=float)) / len(forces))


def stress_asymmetry(stress: np.ndarray) -> float:
    r"""Largest antisymmetric part, :math:`\max|\sigma - \sigma^T|/2`, in the stress's unit.

    Parameters
    ----------
    stress : ndarray, shape (3, 3) or (6,)
        NaN for the Voigt form, which cannot show it. Zero for a rotation-invariant energy.
    """
    stress = np.asarray(stress, dtype=float)
    return float(np.abs(stress - stress.T).max() / 2) if stress.shape == (3, 3) else math.nan


def closest_contact(atoms: Atoms, within: float = 1.0) -> tuple[float, int, int]:
    """The pair of atoms that is closest relative to its covalent radii.

    Parameters
    ----------
    atoms : Atoms
        Positions in Å, periodic images included.
    within : float
        Only pairs closer than this times the sum of their covalent radii (Cordero et al., Dalton
        Trans. 2008, 2832) are looked at.

    Returns
    -------
    ratio : float
        Distance over the sum of covalent radii; infinity if no pair is within reach.
    i, j : int
        The atoms; -1 if there is no pair.
    """
    radii = covalent_radii[atoms.numbers]
    reach = 2 * within * float(radii.max())
    ratio, i, j = _closest_of_few(atoms, radii, reach) or _closest_of_many(atoms, radii, reach)
    return (ratio, i, j) if ratio <= within else (math.inf, -1, -1)


def _closest_of_few(atoms: Atoms, radii: np.ndarray, reach: float) -> tuple[float, int, int] | None:
    """All pairs at once; None where a tree is faster."""
    n = len(atoms)
    if n * n > _PAIRS:
        return None
    cell = atoms.cell.complete().array if atoms.pbc.any() else np.eye(3)
    inverse = np.linalg.inv(cell)
    # differences are wrapped to [-1/2, 1/2]: this many images on either side come within reach
    spread = reach * np.sqrt(np.einsum("ij,ij->j", inverse, inverse)) + 0.5
    images = [int(s) if periodic else 0 for s, periodic in zip(spread, atoms.pbc, strict=True)]
    shifts = _shifts(*images)
    if n * n * len(shifts) > _PAIRS:
        return None
    fractional = atoms.positions @ inverse
    difference = fractional[:, None] - fractional[None]  # (n, n, 3)
    difference -= np.where(atoms.pbc, np.rint(difference), 0.0)
    separation = (difference.reshape(-1, 3) @ cell)[:, None] + shifts @ cell
    squared = np.einsum("pmk,pmk->pm", separation, separation)
    squared[:: n + 1, len(shifts) // 2] = math.inf  # an atom and itself
    ratios = squared.min(axis=1) / np.add.outer(radii, radii).ravel() ** 2
    closest = int(ratios.argmin())
    return math.sqrt(ratios[closest]), closest // n, closest % n


@lru_cache(maxsize=64)
def _shifts(*images: int) -> np.ndarray:
    """Lattice points up to so many cells on either side, (m, 3); the origin in the middle."""
    grid = np.meshgrid(*(np.arange(-k, k + 1) for k in images), indexing="ij")
    return np.stack(grid, axis=-1).reshape(-1, 3).astype(float)


def _closest_of_many(atoms: Atoms, radii: np.ndarray, reach: float) -> tuple[float, int, int]:
    from scipy.spatial import cKDTree

    points, owners = _with_images(atoms, reach)
    pairs = cKDTree(points).query_pairs(reach, output_type="ndarray")
    pairs = pairs[(pairs < len(atoms)).any(axis=1)]  # at least one end in the home cell
    if len(pairs) == 0:
        return math.inf, -1, -1
    first, second = owners[pairs[:, 0]], owners[pairs[:, 1]]
    separation = points[pairs[:, 0]] - points[pairs[:, 1]]
    ratios = np.sqrt(np.einsum("ij,ij->i", separation, separation))
    ratios /= radii[first] + radii[second]
    closest = int(np.argmin(ratios))
    return float(ratios[closest]), int(first[closest]), int(second[closest])


def _with_images(atoms: Atoms, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Wrapped positions, then those of images within ``reach`` of the cell, and their owners."""
    cell, pbc = atoms.cell.array, atoms.pbc
    positions, owners = atoms.positions, np.arange(len(atoms))
    if not pbc.any():
        return positions, owners
    complete = atoms.cell.complete().array
    fractional = np.linalg.solve(complete.T, positions.T).T
    fractional[:, pbc] %= 1.0
    heights = 1 / np.linalg.norm(np.linalg.inv(complete), axis=0)
    margins = reach / heights
    for axis in np.flatnonzero(pbc):
        shifts = range(-math.ceil(margins[axis]), math.ceil(margins[axis]) + 1)
        home = (fractional, owners)
        for shift in shifts:
            if shift == 0:
                continue
            moved = home[0][:, axis] + shift
            near = (moved > -margins[axis]) & (moved < 1 + margins[axis])
            images = home[0][near].copy()
            images[:, axis] += shift
            fractional = np.concatenate([fractional, images])
            owners = np.concatenate([owners, home[1][near]])
    return fractional @ np.where(pbc[:, None], cell, complete), owners


@dataclass
class DriftMeter:
    """Running least-squares slope of an energy against time, in constant memory.

    Attributes
    ----------
    n : int
        Points so far.
    """

    n: int = 0
    _mean: np.ndarray = field(default_factory=lambda: np.zeros(2))
    _products: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))

    def add(self, time: float, energy: float) -> None:
        """Add a point (Welford's update of means and products)."""
        self.n += 1
        point = np.array([time, energy])
        before = point - self._mean
        self._mean += before / self.n
        self._products += np.outer(before, point - self._mean)

    @property
    def slope(self) -> float:
        """Slope, NaN with fewer than three points."""
        if self.n < 3 or self._products[0, 0] == 0:
            return math.nan
        return float(self._products[0, 1] / self._products[0, 0])

    @property
    def drift(self) -> float:
        """Slope times the time spanned by the points (as of a uniform sampling)."""
        return self.slope * math.sqrt(12 * self._products[0, 0] / self.n)

    @property
    def scatter(self) -> float:
        """Standard deviation about the line."""
        if self.n < 3:
            return math.nan
        residual = self._products[1, 1] - self.slope * self._products[0, 1]
        return math.sqrt(max(residual, 0.0) / (self.n - 2))


@dataclass
class PhysicsState:
    """Reference volume, Å³, and the drift meter of a track."""

    volume: float
    drift: DriftMeter = field(default_factory=DriftMeter)


class PhysicalCompanions(Diagnostic):
    """Net force, stress asymmetry, closest contact, non-finite values, volume, energy drift.

    Parameters
    ----------
    net_force : float
        Alarm above this total force per atom, eV/Å.
    stress_asymmetry : float
        Alarm above this antisymmetric stress, eV/Å³.
    contact : float
        Alarm below this fraction of the sum of covalent radii. The shortest bonds known, such as
        the quintuple bond of Cr2 (1.68 Å), have 0.6.
    volume_ratio : float
        Alarm when the volume has grown or shrunk by this factor since the reference geometry.
    drift : float
        Alarm above this slope of the total energy in NVE runs, eV/atom/ps; needs
        :meth:`PlatonicCalculator.attach`, which hands over the total energy of each step.
    """

    name = "physics"

    def __init__(
        self,
        *,
        net_force: float = 1e-3,
        stress_asymmetry: float = 1e-4,
        contact: float = 0.55,
        volume_ratio: float = 1.5,
        drift: float = 2e-3,
    ) -> None:
        self.net_force = net_force
        self.stress_asymmetry = stress_asymmetry
        self.contact = contact
        self.volume_ratio = volume_ratio
        self.drift = drift

    def start(self, reference: Atoms) -> PhysicsState:
        """Remember the reference volume."""
        return PhysicsState(volume=abs(reference.cell.volume))

    def examine(self, frame: Frame, state: PhysicsState) -> Finding:
        """Check one geometry and its results."""
        scalars: dict[str, float] = {}
        signals = [self._finite(frame)]
        forces = frame.results.get("forces")
        if forces is not None:
            scalars["net_force"] = net_force(forces)
            scalars["max_force"] = float(np.linalg.norm(forces, axis=1).max())
            signals.append(self._net_force(scalars["net_force"]))
        stress = frame.results.get("stress")
        if stress is not None and np.shape(stress) == (3, 3):
            scalars["stress_asymmetry"] = stress_asymmetry(stress)
            signals.append(self._stress_asymmetry(scalars["stress_asymmetry"]))
        ratio, i, j = closest_contact(frame.atoms)
        scalars["closest_contact"] = ratio
        signals.append(self._contact(ratio, i, j, frame.atoms))
        if state.volume > 0:
            scalars["volume_ratio"] = abs(frame.atoms.cell.volume) / state.volume
            signals.append(self._volume(scalars["volume_ratio"]))
        if state.drift.n >= 100:
            scalars["energy_drift"] = state.drift.slope
            signals.append(self._drift(state.drift))
        limits = {
            "net_force": self.net_force,
            "stress_asymmetry": self.stress_asymmetry,
            "closest_contact": self.contact,
            "volume_ratio": self.volume_ratio,
            "energy_drift": self.drift,
        }
        return Finding(self.name, scalars=scalars, signals=tuple(signals), facts={"limits": limits})

    def _finite(self, frame: Frame) -> Signal:
        broken = [
            name
            for name, value in (*frame.results.items(), ("embeddings", frame.embeddings))
            if not np.isfinite(value).all()
        ]
        atoms = np.zeros(0, dtype=int)
        if "forces" in broken:
            atoms = np.flatnonzero(~np.isfinite(frame.results["forces"]).all(axis=1))
        return _signal(
            "non_finite",
            level=2.0 if broken else 0.0,
            value=float(len(broken)),
            threshold=1.0,
            unit="quantities",
            message=f"not finite: {', '.join(broken) or 'nothing'}.",
            advice="Stop here: go back to the last good geometry and use a smaller step.",
            atoms=tuple(int(a) for a in atoms),
        )

    def _net_force(self, value: float) -> Signal:
        return _signal(
            "net_force",
            level=value / self.net_force,
            value=value,
            threshold=self.net_force,
            unit="eV/Å per atom",
            message=f"the forces do not add up to zero: {value:.2e} eV/Å per atom is left over.",
            advice="The model predicts forces directly; the structure drifts unless its momentum "
            "is removed, and energy is not conserved.",
        )

    def _stress_asymmetry(self, value: float) -> Signal:
        return _signal(
            "stress_asymmetry",
            level=value / self.stress_asymmetry,
            value=value,
            threshold=self.stress_asymmetry,
            unit="eV/Å³",
            message=f"the stress is not symmetric: {value:.2e} eV/Å³.",
            advice="The model is not rotation invariant; cell relaxations will rotate the cell.",
        )

    def _contact(self, ratio: float, i: int, j: int, atoms: Atoms) -> Signal:
        pair = "no pair"
        if i >= 0:
            one, other = chemical_symbols[atoms.numbers[i]], chemical_symbols[atoms.numbers[j]]
            pair = f"{one}{i}–{other}{j}"
        return _signal(
            "contact",
            level=self.contact / max(ratio, 1e-9),
            value=ratio,
            threshold=self.contact,
            unit="of the covalent radii",
            message=f"{pair} are at {ratio:.2f} times the sum of their covalent radii.",
            advice="The model has seen next to nothing at such distances: reduce the time step or "
            "the temperature, or check the starting structure for overlaps.",
            atoms=() if i < 0 else tuple(dict.fromkeys((i, j))),
        )

    def _volume(self, ratio: float) -> Signal:
        return _signal(
            "volume",
            level=abs(math.log(max(ratio, 1e-12))) / math.log(self.volume_ratio),
            value=ratio,
            threshold=self.volume_ratio,
            unit="of the reference volume",
            message=f"the volume is {ratio:.2f} times that of the reference geometry.",
            advice="Check the barostat and the stress, or whether the structure has melted; call "
            "reset_reference if this is meant.",
        )

    def _drift(self, meter: DriftMeter) -> Signal:
        # a slope counts only once it stands clear of the fluctuations about it
        clear = abs(meter.drift) > 3 * meter.scatter
        return _signal(
            "energy_drift",
            level=abs(meter.slope) / self.drift if clear else 0.0,
            value=meter.slope,
            threshold=self.drift,
            unit="eV/atom/ps",
            message=f"the total energy drifts by {1e3 * meter.slope:.2f} meV/atom/ps in NVE.",
            advice="Reduce the time step; if that does not help, the forces are not the gradient "
            "of the energy.",
        )


def _signal(
    kind: str,
    *,
    level: float,
    value: float,
    threshold: float,
    unit: str,
    message: str,
    advice: str,
    atoms: tuple[int, ...] = (),
) -> Signal:
    return Signal(kind, level, value, threshold, unit, message, advice, atoms, PhysicsWarning)
