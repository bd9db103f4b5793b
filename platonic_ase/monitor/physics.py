"""Physical companions: laws that energies, forces, stresses and geometries must obey."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.errors import PhysicsWarning
from platonic_ase.monitor.contacts import Contacts
from platonic_ase.monitor.diagnosis import Diagnostic, Finding, Signal
from platonic_ase.monitor.drift import DriftMeter
from platonic_ase.monitor.frame import Frame
from platonic_ase.monitor.heat import ENERGY_RISE, Heat
from platonic_ase.monitor.volume import volume_of

if TYPE_CHECKING:
    from ase import Atoms


def net_force(forces: np.ndarray) -> float:
    r"""Length of the total force per atom, :math:`\|\sum_i F_i\| / n`, in eV/Å.

    Parameters
    ----------
    forces : ndarray, shape (n_atoms, 3)
        In eV/Å. Zero for a translation-invariant energy, up to rounding.
    """
    return math.hypot(*forces.sum(axis=0, dtype=float).tolist()) / len(forces)


def stress_asymmetry(stress: np.ndarray) -> float:
    r"""Largest antisymmetric part, :math:`\max|\sigma - \sigma^T|/2`, in the stress's unit.

    Parameters
    ----------
    stress : ndarray, shape (3, 3) or (6,)
        NaN for the Voigt form, which cannot show it. Zero for a rotation-invariant energy.
    """
    stress = np.asarray(stress, dtype=float)
    return float(np.abs(stress - stress.T).max() / 2) if stress.shape == (3, 3) else math.nan


@dataclass
class PhysicsState:
    """Reference volume, Å³, drift meter, contacts and heat of a track."""

    volume: float
    drift: DriftMeter = field(default_factory=DriftMeter)
    contacts: Contacts = field(default_factory=Contacts)
    heat: Heat = field(default_factory=Heat)


@dataclass
class _Seen:
    """What was measured at one geometry, and levels of alarms by kind."""

    broken: list[str]
    scalars: dict[str, float]
    levels: dict[str, float]
    rise: float = 0.0
    hottest: float = 0.0
    why: str = ""


class PhysicalCompanions(Diagnostic):
    """Net force, stress asymmetry, closest contact, non-finite values, volume, energy, heat.

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
        self._contacts = (
            Contacts()
        )  # of the latest track: a loop over displaced supercells has many

    def start(self, reference: Atoms) -> PhysicsState:
        """Remember the reference volume."""
        self._contacts = self._contacts.another(reference)
        return PhysicsState(volume_of(reference.cell.array), contacts=self._contacts)

    def examine(self, frame: Frame, state: PhysicsState) -> Finding:
        """Check one geometry and its results."""
        seen = self._look(frame, state)
        clear = frame.clear
        if (
            not frame.whole
            and not seen.broken
            and max(seen.levels.values(), default=0.0) < clear
            and state.contacts.at_least(frame.atoms) * clear > self.contact
        ):
            quiet = ("non_finite", "contact", *seen.levels)
            later = partial(self._said, frame, state, seen)
            return Finding(self.name, seen.scalars, quiet=quiet, later=later)
        return self._said(frame, state, seen)

    def _look(self, frame: Frame, state: PhysicsState) -> _Seen:
        """Measure all but contacts; the only part that changes the state."""
        results = frame.results
        scalars: dict[str, float] = {}
        levels: dict[str, float] = {}
        seen = _Seen(_not_finite(frame), scalars, levels)
        forces = frame.forces
        if forces is not None:
            scalars["net_force"] = net_force(forces)
            scalars["max_force"] = math.sqrt(frame.squared_forces.max())
            levels["net_force"] = scalars["net_force"] / self.net_force
        stress = results.get("stress")
        if stress is not None and np.shape(stress) == (3, 3):
            scalars["stress_asymmetry"] = stress_asymmetry(stress)
            levels["stress_asymmetry"] = scalars["stress_asymmetry"] / self.stress_asymmetry
        if state.volume > 0:
            ratio = scalars["volume_ratio"] = volume_of(frame.atoms.cell.array) / state.volume
            levels["volume"] = abs(math.log(max(ratio, 1e-12))) / math.log(self.volume_ratio)
        meter = state.drift
        if meter.n >= 100:
            slope = scalars["energy_drift"] = meter.slope
            # a slope counts only once it stands clear of the fluctuations about it
            clear = abs(meter.drift) > 3 * meter.scatter
            levels["energy_drift"] = abs(slope) / self.drift if clear else 0.0
        if frame.moving and "momenta" in frame.atoms.arrays:
            heat = state.heat
            heat.observe(frame.atoms, results.get("energy"), revisited=frame.revisited)
            scalars["temperature"] = heat.temperature
            levels["exploding"] = max(heat.temperature / heat.limit, heat.rise / ENERGY_RISE)
            seen.rise, seen.hottest, seen.why = heat.rise, heat.limit, heat.why
        return seen

    def _said(self, frame: Frame, state: PhysicsState, seen: _Seen) -> Finding:
        """Turn what was measured into signals, the closest contact among them."""
        ratio, i, j = state.contacts.closest(frame.atoms)
        make: dict[str, Callable[[float, _Seen], Signal]] = {
            "net_force": self._net_force, "stress_asymmetry": self._stress_asymmetry,
            "volume": self._volume, "energy_drift": self._drift, "exploding": self._exploding,
        }  # fmt: skip
        signals = [_finite(frame, seen.broken)]
        signals += [make[kind](level, seen) for kind, level in seen.levels.items()]
        signals.append(self._contact(ratio, i, j, frame.atoms))
        limits = {
            "net_force": self.net_force,
            "stress_asymmetry": self.stress_asymmetry,
            "closest_contact": self.contact,
            "volume_ratio": self.volume_ratio,
            "energy_drift": self.drift,
        }
        return Finding(
            self.name,
            scalars={**seen.scalars, "closest_contact": ratio},
            signals=tuple(signals),
            facts={"limits": limits},
        )

    def _net_force(self, level: float, seen: _Seen) -> Signal:
        value = seen.scalars["net_force"]
        return _signal(
            "net_force",
            level=level,
            value=value,
            threshold=self.net_force,
            unit="eV/Å per atom",
            message=lambda: (
                f"the forces do not add up to zero ({value:.1e} eV/Å per atom is left over, where "
                f"{self.net_force:.0e} is tolerated): the structure drifts as a whole, and energy "
                "is not conserved."
            ),
            advice="Remove the drift (ase.constraints.FixCom), or use a model whose forces are the "
            "gradient of an energy.",
        )

    def _stress_asymmetry(self, level: float, seen: _Seen) -> Signal:
        value = seen.scalars["stress_asymmetry"]
        return _signal(
            "stress_asymmetry",
            level=level,
            value=value,
            threshold=self.stress_asymmetry,
            unit="eV/Å³",
            message=lambda: (
                f"the stress is not symmetric (by {value:.1e} eV/Å³, where "
                f"{self.stress_asymmetry:.0e} is tolerated): the model is not invariant under "
                "rotations, and relaxing the cell turns it."
            ),
            advice="Relax the volume only (hydrostatic_strain=True of ase.filters), or use another "
            "model for the cell.",
        )

    def _contact(self, ratio: float, i: int, j: int, atoms: Atoms) -> Signal:
        def message() -> str:
            pair = "no pair"
            if i >= 0:
                one, other = chemical_symbols[atoms.numbers[i]], chemical_symbols[atoms.numbers[j]]
                pair = f"{one}{i}–{other}{j}"
            return (
                f"{pair} are only {ratio:.2f} times the sum of their covalent radii apart, closer "
                f"than the shortest bonds known ({self.contact:g} is the limit): the model has "
                "seen next to nothing there."
            )

        return _signal(
            "contact",
            level=self.contact / max(ratio, 1e-9),
            value=ratio,
            threshold=self.contact,
            unit="of the covalent radii",
            message=message,
            advice="Reduce the time step or the temperature, or check the starting structure for "
            "atoms that overlap.",
            atoms=() if i < 0 else tuple(dict.fromkeys((i, j))),
        )

    def _volume(self, level: float, seen: _Seen) -> Signal:
        ratio = seen.scalars["volume_ratio"]
        return _signal(
            "volume",
            level=level,
            value=ratio,
            threshold=self.volume_ratio,
            unit="of the reference volume",
            message=lambda: (
                f"the volume is {ratio:.2f} times that of the first geometry, more than the factor "
                f"of {self.volume_ratio:g} that is tolerated."
            ),
            advice="Check the pressure, the barostat, and whether the structure has melted; if it "
            "is meant, call reset_reference of the calculator.",
        )

    def _exploding(self, level: float, seen: _Seen) -> Signal:
        temperature = seen.scalars["temperature"]
        rise, limit, why = seen.rise, seen.hottest, seen.why

        def message() -> str:
            text = f"the run is exploding: the temperature is {temperature:.3g} K, where at most "
            text += f"{limit:.3g} K is expected{why}"
            if rise >= ENERGY_RISE:
                text += f", and the energy rose by {rise:.3g} eV/atom in a few geometries"
            return f"{text}."

        return _signal(
            "exploding",
            level=level,
            value=temperature,
            threshold=limit,
            unit="K",
            message=message,
            advice="Stop, go back to the last good geometry, and use a smaller time step; if that "
            "does not help, the forces are wrong.",
        )

    def _drift(self, level: float, seen: _Seen) -> Signal:
        slope = seen.scalars["energy_drift"]
        return _signal(
            "energy_drift",
            level=level,
            value=slope,
            threshold=self.drift,
            unit="eV/atom/ps",
            message=lambda: (
                f"the total energy drifts by {1e3 * slope:.2f} meV/atom/ps although nothing is "
                f"coupled to the run; {1e3 * self.drift:g} is tolerated, and it is more than three "
                "times what the energy fluctuates."
            ),
            advice="Halve the time step; if the drift stays, the forces are not the gradient of "
            "the energy, and such runs need another model.",
        )


def _not_finite(frame: Frame) -> list[str]:
    """Names of results with numbers that are not finite."""
    broken = [name for name, value in frame.results.items() if not _is_finite(value)]
    return broken if _is_finite(frame.embeddings) else [*broken, "embeddings"]


def _finite(frame: Frame, broken: list[str]) -> Signal:
    atoms = np.zeros(0, dtype=int)
    if "forces" in broken:
        atoms = np.flatnonzero(~np.isfinite(frame.results["forces"]).all(axis=1))
    return _signal(
        "non_finite",
        level=2.0 if broken else 0.0,
        value=float(len(broken)),
        threshold=1.0,
        unit="quantities",
        message=lambda: (
            f"the model returned numbers that are not finite in {len(broken)} of its results "
            f"({', '.join(broken)}), so that nothing from here on means anything."
        ),
        advice="Stop, go back to the last good geometry, and use a smaller step.",
        atoms=tuple(int(a) for a in atoms),
    )


def _is_finite(value: Any) -> bool:
    """Whether all numbers are finite: their squares then have a finite sum, or are too large."""
    if type(value) is float:
        return math.isfinite(value)
    real = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return (real and math.isfinite(np.vdot(value, value))) or bool(np.isfinite(value).all())


def _signal(
    kind: str,
    *,
    level: float,
    value: float,
    threshold: float,
    unit: str,
    message: Callable[[], str],
    advice: str,
    atoms: tuple[int, ...] = (),
) -> Signal:
    return Signal(kind, level, value, threshold, unit, message, advice, atoms, PhysicsWarning)
