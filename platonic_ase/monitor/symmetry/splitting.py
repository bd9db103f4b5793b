"""Orbit splitting: are symmetry-equivalent atoms still equivalent, and whose fault is it?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import SymmetryWarning
from platonic_ase.monitor.diagnosis import Diagnostic, Finding, Frame, Signal
from platonic_ase.monitor.symmetry.begun import NOTICE, is_displaced
from platonic_ase.monitor.symmetry.curvature import Asymmetry, asymmetry_of
from platonic_ase.monitor.symmetry.evidence import SymmetryEvidence
from platonic_ase.monitor.symmetry.growth import Growth
from platonic_ase.monitor.symmetry.kinds import is_displaced_copy
from platonic_ase.monitor.symmetry.members import describe_split, orbit_splitting
from platonic_ase.monitor.symmetry.operations import Operations, operations_of
from platonic_ase.monitor.symmetry.orbits import (
    Orbits,
    find_orbits,
    fractional_shift,
    structural_asymmetry,
)
from platonic_ase.monitor.symmetry.resting import RestingPlace
from platonic_ase.monitor.symmetry.sites import lindemann_ratios, site_signal
from platonic_ase.monitor.symmetry.subgroups import Breaking, identify_breaking

if TYPE_CHECKING:
    from ase import Atoms

_ADVICE = (
    "Keep the symmetric phase with ase.constraints.FixSymmetry, or follow the new one in a larger "
    "cell."
)
_SEEN = 2e-3
"""Å: below, a curvature along the asymmetry is rounding."""


@dataclass
class _State:
    orbits: Orbits | None
    operations: Operations | None = None
    evidence: SymmetryEvidence | None = None
    growth: Growth | None = None
    breaking: Breaking | None = None  # what the alarm that is up now found when it rose
    resting: RestingPlace | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    waiting: Atoms | None = None  # to be searched for symmetry at the next geometry


class OrbitSplitting(Diagnostic):
    """Loss of the symmetry of the reference structure, by the model or by the structure.

    While the geometry has the symmetry of the reference (``tolerance``), any splitting of an
    orbit in Platonic space beyond the rounding floor is an error of the *model*, which is then
    not invariant. Once the geometry departs, the *structure* may be breaking its symmetry. In a
    relaxation the energy then falls along the asymmetry, see
    :mod:`~platonic_ase.monitor.symmetry.curvature`. In molecular dynamics atoms depart at every
    instant; there the time average is tested, with a false-alarm rate per run, see
    :mod:`~platonic_ase.monitor.symmetry.evidence`, and an orbit that leaves its sites (melting,
    diffusion) is a warning of its own.

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
    rises : int
        ... in this many geometries in a row, ...
    displacement : float
        ... an atom is off its symmetric site by this, Å, ...
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
        rises: int = 3,
        displacement: float = 0.03,
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
        self.rises = rises
        self.displacement = displacement
        self.growth = growth
        self.false_alarms = false_alarms
        self.offset = offset
        self.share = share
        self.flat = flat
        self.lindemann = lindemann
        self.largest = largest
        self._without: tuple[Atoms, dict[str, Any]] | None = None

    def start(self, reference: Atoms) -> _State:
        """Find orbits and operations; of displaced copies of P1 only if their history goes on."""
        if len(reference) > self.largest:
            return _State(orbits=None)
        if self._without is not None and is_displaced_copy(reference, self._without[0]):
            return _State(None, facts=dict(self._without[1]), waiting=reference.copy())
        return self._search(reference)

    def _search(self, reference: Atoms) -> _State:
        orbits = find_orbits(reference, self.symprec)
        if orbits is None:
            return _State(orbits=None)
        facts = {"space_group": orbits.space_group}
        if len(orbits.rotations) == 0:
            self._without = (reference.copy(), facts)
            return _State(orbits=None, facts=dict(facts))
        operations = operations_of(orbits)
        return _State(orbits, operations, facts=self._facts(orbits, reference))

    def examine(self, frame: Frame, state: _State) -> Finding:
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
        splitting = orbit_splitting(frame.platonic, orbits.members)
        shift = fractional_shift(orbits, frame.atoms)
        asymmetry, strain = structural_asymmetry(orbits, frame.atoms, shift)
        signals = []
        scalars = {"orbit_splitting": float(splitting.max()), "asymmetry": asymmetry}
        if asymmetry <= self.tolerance and strain <= 1e-4:
            # geometry contributes at most a few units of splitting per Å: let it
            floor = 5 * asymmetry + 5 * strain
            scalars["model_symmetry_error"] = max(0.0, float(splitting.max()) - floor)
            signals.append(self._model_signal(frame, orbits, splitting, floor))
        if frame.moving:
            ratios = lindemann_ratios(orbits, frame.atoms, shift)
            scalars["lindemann_ratio"] = float(ratios.max())
            signals.append(site_signal(frame, orbits, ratios, self.lindemann))
            signal = self._average_signal(frame, state, shift)
            scalars["symmetry_evidence"] = signal.value
            state.resting = state.resting or RestingPlace(orbits, state.operations, self.flat)
            signals.append(state.resting.louder(signal, frame, shift, self.offset))
        elif "forces" in frame.results:
            broken = self._asymmetry(frame, state, shift)
            if state.growth is None:
                state.growth = Growth(
                    self.softening, self.steep, self.rises, self.displacement, self.growth
                )
            if not frame.revisited:
                state.growth.add(broken.curvature, broken.largest)
            if broken.largest >= _SEEN:
                scalars["asymmetry_curvature"] = broken.curvature
            signals.append(self._structure_signal(frame, state, state.growth, broken))
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

    def _model_signal(
        self, frame: Frame, orbits: Orbits, splitting: np.ndarray, floor: float
    ) -> Signal:
        orbit = int(splitting.argmax())
        level = max(0.0, float(splitting[orbit]) - floor) / self.model_error
        numbers = frame.atoms.numbers
        label, minority, majority = describe_split(orbits, orbit, frame.platonic, numbers, level)

        def message() -> str:
            return (
                "the model tells apart atoms that are equivalent in "
                f"{orbits.space_group}: it splits {label} into "
                f"{len(minority)} and {len(majority)}, by {splitting[orbit]:.1e} where "
                f"{self.model_error:.0e} is tolerated, although the geometry is symmetric."
            )

        return Signal(
            kind="model_symmetry",
            level=level,
            value=float(splitting[orbit]),
            threshold=self.model_error,
            unit="rms cosine difference",
            message=message,
            advice=(
                "Expect forces that break the symmetry: keep it with ase.constraints.FixSymmetry, "
                "or average over rotated copies."
            ),
            atoms=tuple(int(i) for i in minority),
            category=SymmetryWarning,
        )

    def _asymmetry(self, frame: Frame, state: _State, shift: np.ndarray) -> Asymmetry:
        assert state.orbits is not None
        assert state.operations is not None
        return asymmetry_of(
            state.orbits,
            state.operations,
            frame.atoms,
            shift,
            np.asarray(frame.results["forces"]),
            frame.results.get("stress"),
        )

    def _structure_signal(
        self, frame: Frame, state: _State, growth: Growth, broken: Asymmetry
    ) -> Signal:
        assert state.orbits is not None
        assert state.operations is not None
        level = growth.level(broken.largest)
        message, atoms = "", tuple[int, ...]()
        if level >= 1:
            found = self._identify(state, frame, broken.displacements)
            atoms = found.minority or found.majority
            message = (
                f"{state.orbits.space_group} is breaking: in {growth.downhill} geometries in a row "
                f"the energy falls ({broken.curvature:.2g} eV/Å²) as atoms leave their symmetric "
                f"sites, by {broken.largest:.3f} Å now; {found}."
            )
        else:
            state.breaking = None
        return Signal(
            kind="symmetry_breaking",
            level=level,
            value=broken.curvature,
            threshold=-self.softening,
            unit="eV/Å²",
            message=message,
            advice=_ADVICE,
            atoms=atoms,
            category=SymmetryWarning,
        )

    def _identify(
        self, state: _State, frame: Frame, displacements: np.ndarray, error: float = 0.0
    ) -> Breaking:
        """Name the breaking once, when the alarm rises: events are raised only then."""
        if state.breaking is None:
            assert state.orbits is not None
            assert state.operations is not None
            state.breaking = identify_breaking(
                state.orbits, state.operations, frame.atoms.numbers, displacements, error
            )
        return state.breaking

    def _average_signal(self, frame: Frame, state: _State, shift: np.ndarray) -> Signal:
        orbits, operations = state.orbits, state.operations
        assert orbits is not None
        assert operations is not None
        if state.evidence is None:
            state.evidence = SymmetryEvidence(operations, orbits.labels)
        evidence = state.evidence
        if not frame.revisited:
            evidence.add(shift @ orbits.cell)
        value = evidence.log_evidence / math.log(10)
        message, atoms = "", tuple[int, ...]()
        atom, length = evidence.farthest
        far = max(self.offset, self.share * evidence.spread(atom))
        level = min(value / self._needed, length / far)
        if level >= 1:
            error = float(evidence.error.max())
            found = self._identify(state, frame, evidence.leaning, error)
            atoms = found.minority or found.majority
            message = (
                f"{orbits.space_group} is broken on average over the run: a symmetric one looks "
                f"like this with probability {10**-value:.1g} at most ({evidence.blocks} stretches "
                f"of {evidence.block_length} geometries); {found}."
            )
        else:
            state.breaking = None
        return Signal(
            kind="symmetry_breaking",
            level=level,
            value=value,
            threshold=self._needed,
            unit="powers of ten of evidence",
            message=message,
            advice=_ADVICE,
            atoms=atoms,
            category=SymmetryWarning,
        )
