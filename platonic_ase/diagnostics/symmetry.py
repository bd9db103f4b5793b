"""Orbit splitting: are symmetry-equivalent atoms still equivalent, and whose fault is it?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.diagnostics.base import Diagnostic, Finding, Frame, Signal
from platonic_ase.diagnostics.orbits import (
    Orbits,
    find_orbits,
    fractional_shift,
    lindemann_ratios,
    orbit_splitting,
    split_orbit,
    structural_asymmetry,
)
from platonic_ase.errors import SymmetryWarning

if TYPE_CHECKING:
    from ase import Atoms


@dataclass
class _State:
    orbits: Orbits | None
    best: np.ndarray | None = None  # smallest splitting so far, per orbit
    gap: float = math.inf  # smallest structural asymmetry so far
    rising: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    last: np.ndarray | None = None
    facts: dict[str, Any] = field(default_factory=dict)


class OrbitSplitting(Diagnostic):
    """Splitting of the crystallographic orbits of the reference structure.

    While the geometry has the symmetry of the reference (``tolerance``), any splitting beyond
    the rounding floor is an error of the *model*, which is then not invariant. Once the geometry
    departs, growing splitting is the *structure* breaking its symmetry: in a relaxation the
    splitting of a stable structure decays, that of an unstable one passes a minimum and grows.
    Thermal motion splits orbits at every instant, so that splitting in molecular dynamics is
    recorded, but a single frame raises no alarm; there, an orbit whose atoms leave their sites
    does (melting, diffusion).

    Parameters
    ----------
    symprec : float
        Tolerance of spglib for the reference structure, Å.
    tolerance : float
        Asymmetry of the geometry, Å, below which splitting is the model's.
    model_error : float
        Alarm above this splitting (rms difference of cosines) on a symmetric geometry.
    growth : float
        Alarm when splitting and asymmetry both exceed this many times their minimum so far, ...
    rises : int
        ... the splitting having risen this many geometries in a row, ...
    displacement : float
        ... and the asymmetry exceeds this, Å.
    lindemann : float
        In molecular dynamics, alarm when the rms displacement of an orbit of four atoms or more
        exceeds this fraction of the nearest-neighbour distance.
    largest : int
        Structures with more atoms are not searched for symmetry: the search is quadratic.
    """

    name = "symmetry"

    def __init__(
        self,
        *,
        symprec: float = 1e-2,
        tolerance: float = 1e-3,
        model_error: float = 1e-3,
        growth: float = 2.0,
        rises: int = 3,
        displacement: float = 5e-3,
        lindemann: float = 0.2,
        largest: int = 4000,
    ) -> None:
        self.symprec = symprec
        self.tolerance = tolerance
        self.model_error = model_error
        self.growth = growth
        self.rises = rises
        self.displacement = displacement
        self.lindemann = lindemann
        self.largest = largest

    def start(self, reference: Atoms) -> _State:
        """Find the orbits of the reference."""
        if len(reference) > self.largest:
            return _State(orbits=None)
        orbits = find_orbits(reference, self.symprec)
        facts = {} if orbits is None else self._facts(orbits, reference)
        return _State(orbits=orbits, facts=facts)

    def examine(self, frame: Frame, state: _State) -> Finding:
        """Measure the splitting of every orbit."""
        orbits = state.orbits
        if orbits is None or len(orbits.watched) == 0:
            return Finding(self.name)
        splitting = orbit_splitting(frame.platonic, orbits.labels)
        shift = fractional_shift(orbits, frame.atoms)
        asymmetry, strain = structural_asymmetry(orbits, frame.atoms, shift)
        symmetric = asymmetry <= self.tolerance and strain <= 1e-4
        signals = []
        scalars = {"orbit_splitting": float(splitting.max()), "asymmetry": asymmetry}
        if symmetric:
            # geometry contributes at most a few units of splitting per Å: let it
            floor = 5 * asymmetry + 5 * strain
            scalars["model_symmetry_error"] = max(0.0, float(splitting.max()) - floor)
            signals.append(self._model_signal(frame, orbits, splitting, floor))
        if frame.moving:
            ratios = lindemann_ratios(orbits, frame.atoms, shift)
            scalars["lindemann_ratio"] = float(ratios.max())
            signals.append(self._site_signal(frame, orbits, ratios))
        else:
            if not frame.revisited:
                self._update(state, splitting, asymmetry, symmetric)
            signals.append(self._structure_signal(frame, orbits, splitting, asymmetry, state))
        return Finding(
            self.name,
            scalars=scalars,
            series={"orbit_splitting_by_orbit": tuple(splitting[orbits.watched].tolist())},
            signals=tuple(signals),
            facts=state.facts,
        )

    def _facts(self, orbits: Orbits, reference: Atoms) -> dict[str, Any]:
        members = [np.flatnonzero(orbits.labels == orbit) for orbit in orbits.watched]
        return {
            "space_group": orbits.space_group,
            "orbits": [f"{reference.symbols[int(m[0])]} ({len(m)} atoms)" for m in members],
            "limits": {"lindemann_ratio": self.lindemann},
        }

    def _update(
        self, state: _State, splitting: np.ndarray, asymmetry: float, symmetric: bool
    ) -> None:
        if state.last is None or state.best is None:
            state.best, state.rising = splitting.copy(), np.zeros(len(splitting), dtype=int)
        else:
            state.rising = np.where(splitting > state.last, state.rising + 1, 0)
        # a floor of rounding would make any growth look large
        state.best = np.maximum(np.minimum(state.best, splitting), 1e-6)
        state.gap = max(min(state.gap, asymmetry), 1e-6)
        state.last = splitting.copy()

    def _model_signal(
        self, frame: Frame, orbits: Orbits, splitting: np.ndarray, floor: float
    ) -> Signal:
        orbit = int(splitting.argmax())
        level = max(0.0, float(splitting[orbit]) - floor) / self.model_error
        label, minority, majority = _describe(frame, orbits, orbit, level)
        return Signal(
            kind="model_symmetry",
            level=level,
            value=float(splitting[orbit]),
            threshold=self.model_error,
            unit="rms cosine difference",
            message=(
                f"the model tells apart atoms that are equivalent in {orbits.space_group}: the "
                f"{label} orbit splits into {len(minority)} and {len(majority)} atoms by "
                f"{splitting[orbit]:.1e} although the geometry is symmetric."
            ),
            advice=(
                "The model is not invariant under rotations; expect forces that break the "
                "symmetry. Impose it (FixSymmetry, symmetrised force constants) or average over "
                "rotated copies."
            ),
            atoms=tuple(int(i) for i in minority),
            category=SymmetryWarning,
        )

    def _structure_signal(
        self,
        frame: Frame,
        orbits: Orbits,
        splitting: np.ndarray,
        asymmetry: float,
        state: _State,
    ) -> Signal:
        assert state.best is not None
        growth = np.where(state.rising >= self.rises, splitting / state.best, 0.0)
        orbit = int(growth.argmax())
        level = min(
            float(growth[orbit]) / self.growth,
            asymmetry / (self.growth * state.gap),
            asymmetry / self.displacement,
        )
        label, minority, majority = _describe(frame, orbits, orbit, level)
        return Signal(
            kind="symmetry_breaking",
            level=level,
            value=float(splitting[orbit]),
            threshold=self.growth * float(state.best[orbit]),
            unit="rms cosine difference",
            message=(
                f"{orbits.space_group} is breaking: the {label} orbit splits into "
                f"{len(minority)} and {len(majority)} atoms, {growth[orbit]:.1f} times its "
                f"smallest splitting and growing; displacements depart from the symmetry by "
                f"{asymmetry:.3f} Å."
            ),
            advice=(
                "If the symmetric phase is wanted, constrain it (ase.constraints.FixSymmetry); "
                "if not, follow the new phase with a larger cell."
            ),
            atoms=tuple(int(i) for i in minority),
            category=SymmetryWarning,
        )

    def _site_signal(self, frame: Frame, orbits: Orbits, ratios: np.ndarray) -> Signal:
        large = np.where(np.bincount(orbits.labels) >= 4, ratios, 0.0)
        orbit = int(large.argmax())
        members = np.flatnonzero(orbits.labels == orbit)
        label = f"{chemical_symbols[frame.atoms.numbers[members[0]]]} ({len(members)} atoms)"
        return Signal(
            kind="left_sites",
            level=float(large[orbit]) / self.lindemann,
            value=float(large[orbit]),
            threshold=self.lindemann,
            unit="of the nearest-neighbour distance",
            message=(
                f"the {label} orbit of {orbits.space_group} has left its sites: rms displacement "
                f"{large[orbit]:.2f} of the nearest-neighbour distance (Lindemann)."
            ),
            advice=(
                "The crystal melts, transforms or lets this species diffuse. If that is not meant, "
                "lower the temperature or the time step; if it is, call reset_reference."
            ),
            atoms=tuple(members.tolist()),
            category=SymmetryWarning,
        )


def _describe(
    frame: Frame, orbits: Orbits, orbit: int, level: float
) -> tuple[str, np.ndarray, np.ndarray]:
    """Name an orbit and its two sides; the sides only for an alarm, since they cost time."""
    members = np.flatnonzero(orbits.labels == orbit)
    label = f"{chemical_symbols[frame.atoms.numbers[members[0]]]} ({len(members)} atoms)"
    if level < 1 or len(members) < 2:
        return label, members[:0], members
    return label, *split_orbit(frame.platonic, members)
