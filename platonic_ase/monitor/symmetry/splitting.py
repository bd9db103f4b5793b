"""Orbit splitting: are symmetry-equivalent atoms still equivalent, and whose fault is it?"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.monitor.diagnosis import Diagnostic, Finding, Signal
from platonic_ase.monitor.frame import Frame
from platonic_ase.monitor.symmetry.begun import NOTICE, is_displaced
from platonic_ase.monitor.symmetry.breaking import average_signal, structure_signal
from platonic_ase.monitor.symmetry.curvature import Asymmetry, asymmetry_of
from platonic_ase.monitor.symmetry.evidence import SymmetryEvidence
from platonic_ase.monitor.symmetry.growth import SEEN, Growth
from platonic_ase.monitor.symmetry.kinds import is_displaced_copy
from platonic_ase.monitor.symmetry.members import model_signal, orbit_splitting
from platonic_ase.monitor.symmetry.operations import operations_of
from platonic_ase.monitor.symmetry.orbits import (
    Orbits,
    find_orbits,
    fractional_shift,
    structural_asymmetry,
)
from platonic_ase.monitor.symmetry.resting import RestingPlace
from platonic_ase.monitor.symmetry.sites import lindemann_ratios, site_signal
from platonic_ase.monitor.symmetry.state import Seen, State

if TYPE_CHECKING:
    from ase import Atoms

_STRAIN = 1e-4
"""Asymmetry of the cell below which splitting is the model's."""


class OrbitSplitting(Diagnostic):
    """Loss of the symmetry of the reference structure, by the model or by the structure.

    While the geometry has the symmetry of the reference (``tolerance``), any splitting of an
    orbit in Platonic space beyond the rounding floor is an error of the *model*, which is then
    not invariant. Once the geometry departs, the *structure* may be breaking its symmetry. In a
    relaxation the energy then falls along the asymmetry, see
    :mod:`~platonic_ase.monitor.symmetry.curvature`. In molecular dynamics atoms depart at every
    instant; there the time average is tested, with a false-alarm rate per run, see
    :mod:`~platonic_ase.monitor.symmetry.evidence`, and an orbit that is far off its sites (wide
    swings, melting, diffusion) is a warning of its own.

    Parameters
    ----------
    symprec : float
        Tolerance of spglib for the reference structure, Å.
    tolerance : float
        Asymmetry of the geometry, Å, below which splitting is the model's.
    model_error : float
        Alarm above this splitting (rms difference of cosines) on a symmetric geometry.
    softening, steep : float
        In relaxations, alarm when the curvature along the asymmetry is below minus this, eV/Å² (in
        one geometry where it is below minus the latter), ...
    leap : float
        ... (or where an atom is so many times as far off as in the geometry before) ...
    rises : int
        ... in this many geometries in a row, ...
    displacement, near : float
        ... an atom is off its symmetric site by this, Å (by the latter where the curvature is below
        minus ``steep``), ...
    growth : float
        ... and by so many times the least that it was; see
        :mod:`~platonic_ase.monitor.symmetry.growth`.
    false_alarms : float
        In molecular dynamics, the probability of a false alarm of broken symmetry per run.
    offset, share : float
        ... and how far the time average of an atom has to lie off its symmetric site, in Å and as
        a share of the rms displacement of its orbit. Vibrations without damping leave regular
        traces in every average: phases of modes that repeat from block to block, and the shift by
        which anharmonic modes that keep in step push others, some 0.01 Å for many picoseconds.
    flat : float
        In molecular dynamics, an alarm besides when atoms rest ``offset`` off their sites and
        the mean force pulls them back with less than this curvature, eV/Å²; see
        :mod:`~platonic_ase.monitor.symmetry.resting`.
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
        softening: float = 0.03,
        steep: float = 0.8,
        leap: float = 1.3,
        rises: int = 3,
        displacement: float = 0.03,
        near: float = 0.02,
        growth: float = 1.15,
        false_alarms: float = 0.005,
        offset: float = 0.01,
        share: float = 0.25,
        flat: float = 0.05,
        lindemann: float = 0.2,
        largest: int = 4000,
    ) -> None:
        if not 0 < false_alarms < 1:
            raise ValueError(f"false_alarms = {false_alarms}; a probability is needed")
        self.symprec = symprec
        self.tolerance = tolerance
        self.model_error = model_error
        self.softening = softening
        self.steep = steep
        self.leap = leap
        self.rises = rises
        self.displacement = displacement
        self.near = near
        self.growth = growth
        self.false_alarms = false_alarms
        self.offset = offset
        self.share = share
        self.flat = flat
        self.lindemann = lindemann
        self.largest = largest
        self._without: tuple[Atoms, dict[str, Any]] | None = None

    def start(self, reference: Atoms) -> State:
        """Find orbits and operations; of displaced copies of P1 only if their history goes on."""
        if len(reference) > self.largest:
            return State(orbits=None)
        if self._without is not None and is_displaced_copy(reference, self._without[0]):
            return State(None, facts=dict(self._without[1]), waiting=reference.copy())
        return self._search(reference)

    def _search(self, reference: Atoms) -> State:
        orbits = find_orbits(reference, self.symprec)
        if orbits is None:
            return State(orbits=None)
        facts = {"space_group": orbits.space_group}
        if len(orbits.rotations) == 0:
            self._without = (reference.copy(), facts)
            return State(orbits=None, facts=dict(facts))
        operations = operations_of(orbits)
        return State(orbits, operations, facts=self._facts(orbits, reference))

    def examine(self, frame: Frame, state: State) -> Finding:
        """Measure the splitting of every orbit and the asymmetry of the structure."""
        if state.waiting is not None and frame.index:
            found = self._search(state.waiting)
            if found.orbits is None:
                found.facts = state.facts
            vars(state).update(vars(found))
        orbits = state.orbits
        if orbits is None:
            if frame.index == 0 and state.facts and is_displaced(frame):
                state.facts["notice"] = NOTICE
            return Finding(self.name, facts=state.facts)
        shift = fractional_shift(orbits, frame.atoms)
        seen = Seen(shift, shift @ orbits.cell)
        if frame.moving:
            self._follow(frame, state, orbits, seen)
        elif frame.forces is not None:
            self._descend(frame, state, seen)
        if frame.whole or not self._departs(frame, state, orbits, seen):
            return self._said(frame, state, orbits, seen)
        quiet, signals = tuple[str, ...](), tuple[Signal, ...]()
        if self._is_quiet(frame, state, seen):
            state.breaking = None
            if state.resting is not None:
                state.resting.forget()
            quiet = ("left_sites", "symmetry_breaking")[not frame.moving :]
        else:
            signals = self._signals(frame, state, seen)
        return Finding(
            self.name,
            scalars=seen.scalars,
            facts=state.facts,
            signals=signals,
            quiet=quiet,
            later=partial(self._said, frame, state, orbits, seen),
        )

    def _follow(self, frame: Frame, state: State, orbits: Orbits, seen: Seen) -> None:
        """Molecular dynamics: add a frame to the tests of time averages."""
        assert state.operations is not None
        if state.evidence is None:
            state.evidence = SymmetryEvidence(state.operations, orbits.labels)
        if state.resting is None:
            state.resting = RestingPlace(orbits, state.operations, self.flat)
        if not frame.revisited:
            state.evidence.add(seen.displacements)
            if frame.forces is not None:
                state.resting.add(seen.displacements, frame.forces)
        seen.evidence = state.evidence.log_evidence / math.log(10)
        seen.ratios = lindemann_ratios(orbits, frame.atoms, seen.shift)
        seen.scalars["lindemann_ratio"] = float(seen.ratios.max())
        seen.scalars["symmetry_evidence"] = seen.evidence

    def _descend(self, frame: Frame, state: State, seen: Seen) -> None:
        """A relaxation: see whether the energy falls along the asymmetry."""
        broken = seen.broken = self._asymmetry(frame, state, seen.shift)
        if state.growth is None:
            state.growth = Growth(
                self.softening,
                self.steep,
                self.leap,
                self.rises,
                self.displacement,
                self.near,
                self.growth,
            )
        if not frame.revisited:
            state.growth.add(broken.curvature, broken.largest)
        if broken.largest >= SEEN:
            seen.scalars["asymmetry_curvature"] = broken.curvature

    def _is_quiet(self, frame: Frame, state: State, seen: Seen) -> bool:
        """Whether all levels are below what ends an alarm."""
        clear = frame.clear
        if seen.ratios is not None:
            assert state.resting is not None
            return (
                seen.evidence < clear * self._needed
                and not state.resting.suspects
                and float(seen.ratios.max()) < clear * self.lindemann
            )
        if seen.broken is None or state.growth is None:
            return False
        return state.growth.level(seen.broken.largest) < clear

    def _departs(self, frame: Frame, state: State, orbits: Orbits, seen: Seen) -> bool:
        """Whether the geometry is not symmetric: at the atom that showed it before, or at all."""
        if state.telling is not None:
            generator, atom = state.telling
            turns, targets = orbits.images
            gap = seen.shift[atom] @ turns[:, 3 * generator : 3 * generator + 3]
            gap = (gap - seen.shift[targets[atom, generator]]) @ frame.atoms.cell.array
            if math.hypot(*gap.tolist()) > self.tolerance:
                return True
        seen.asymmetry = structural_asymmetry(orbits, frame.atoms, seen.shift)
        asymmetry, strain, place = seen.asymmetry
        state.telling = (place % len(orbits.rotations), place // len(orbits.rotations))
        return asymmetry > self.tolerance or strain > _STRAIN

    def _said(self, frame: Frame, state: State, orbits: Orbits, seen: Seen) -> Finding:
        """All that was seen of one geometry, and signals."""
        splitting = orbit_splitting(frame.platonic, orbits.members)
        asymmetry, strain, _ = seen.asymmetry or structural_asymmetry(
            orbits, frame.atoms, seen.shift
        )
        signals = []
        scalars = {"orbit_splitting": float(splitting.max()), "asymmetry": asymmetry}
        if asymmetry <= self.tolerance and strain <= _STRAIN:
            # geometry contributes at most a few units of splitting per Å: let it
            floor = 5 * asymmetry + 5 * strain
            scalars["model_symmetry_error"] = max(0.0, float(splitting.max()) - floor)
            signals.append(model_signal(frame, orbits, splitting, floor, self.model_error))
        signals += self._signals(frame, state, seen)
        return Finding(
            self.name,
            scalars={**scalars, **seen.scalars},
            series={"orbit_splitting_by_orbit": tuple(splitting[orbits.watched].tolist())},
            signals=tuple(signals),
            facts=state.facts,
        )

    def _signals(self, frame: Frame, state: State, seen: Seen) -> tuple[Signal, ...]:
        """Signals of what the structure does."""
        if seen.ratios is not None:
            assert state.orbits is not None
            assert state.resting is not None
            signal = average_signal(
                frame, state, seen.evidence, self._needed, self.offset, self.share
            )
            return (
                site_signal(frame, state.orbits, seen.shift, seen.ratios, self.lindemann),
                state.resting.louder(signal, frame, self.offset),
            )
        if seen.broken is not None:
            return (structure_signal(frame, state, seen.broken, self.softening),)
        return ()

    def _facts(self, orbits: Orbits, reference: Atoms) -> dict[str, Any]:
        members = [np.flatnonzero(orbits.labels == orbit) for orbit in orbits.watched]
        return {
            "space_group": orbits.space_group,
            "orbits": [f"{reference.symbols[int(m[0])]} ({len(m)} atoms)" for m in members],
            "limits": {
                "lindemann_ratio": self.lindemann,
                "symmetry_evidence": self._needed,
                "asymmetry_curvature": -self.softening,
            },
        }

    @property
    def _needed(self) -> float:
        """Evidence, in powers of ten, that a symmetric run exceeds as rarely as was asked."""
        return -math.log10(self.false_alarms)

    def _asymmetry(self, frame: Frame, state: State, shift: np.ndarray) -> Asymmetry:
        assert state.orbits is not None
        assert state.operations is not None
        assert frame.forces is not None
        return asymmetry_of(
            state.orbits,
            state.operations,
            frame.atoms,
            shift,
            frame.forces,
            frame.results.get("stress"),
        )
