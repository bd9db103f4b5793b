"""The watch: runs the diagnostics on each new geometry and keeps one history per trajectory."""

from __future__ import annotations

import hashlib
import math
import weakref
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import DiagnosticFailedWarning
from platonic_ase.monitor.checked import checked
from platonic_ase.monitor.diagnosis import Diagnosis, Diagnostic, Event, Finding, Frame
from platonic_ase.monitor.gate import EventGate
from platonic_ase.monitor.motion import Motion
from platonic_ase.monitor.policy import tell
from platonic_ase.monitor.symmetry.kinds import complete_ideal

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.space.reference import ReferenceManifold

_REMEMBERED = 256
_WORST_IS_LEAST = ("closest_contact", "asymmetry_curvature")


@dataclass
class Track:
    """History of one Atoms object: geometries, not calls.

    Attributes
    ----------
    number : int
        Counts the tracks of a watch.
    numbers : ndarray of int, shape (n_atoms,)
        Atomic numbers; an object whose atoms change begins a new track.
    states : dict of str to object
        What each diagnostic remembers.
    geometries : int
        New geometries so far.
    motion : Motion
        Tells molecular dynamics from relaxations and the rest.
    """

    number: int
    numbers: np.ndarray
    states: dict[str, Any]
    geometries: int = 0
    motion: Motion = field(default_factory=Motion)
    _seen: OrderedDict[bytes, int] = field(default_factory=OrderedDict)

    def find(self, atoms: Atoms) -> int:
        """Index that a geometry has, or will have when it is visited."""
        return self._seen.get(geometry_key(atoms), self.geometries)

    def visit(self, atoms: Atoms) -> tuple[int, bool]:
        """Count a geometry; return its index and whether it was seen lately."""
        key = geometry_key(atoms)
        if key in self._seen:
            self._seen.move_to_end(key)
            return self._seen[key], True
        index = self.geometries
        self.geometries += 1
        self._seen[key] = index
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return index, False


def geometry_key(atoms: Atoms) -> bytes:
    """Hash of positions, cell, elements and boundary conditions."""
    arrays = (atoms.positions, atoms.cell.array, atoms.numbers, atoms.pbc)
    return hashlib.blake2b(b"".join(a.tobytes() for a in arrays), digest_size=16).digest()


def _same_atoms(numbers: np.ndarray, atoms: Atoms) -> bool:
    return len(numbers) == len(atoms.numbers) and not np.count_nonzero(numbers != atoms.numbers)


@dataclass(frozen=True)
class RunSummary:
    """What a run looked like.

    Attributes
    ----------
    evaluated, diagnosed : int
        Geometries calculated, and those of them diagnosed.
    tracks : int
        Atoms objects followed.
    raised, held_back : mapping of str to int
        Events by kind, and alarms that hysteresis and the rate limit held back.
    worst : mapping of str to float
        Largest finite value of each scalar; the smallest closest contact and curvature.
    switched_off : mapping of str to str
        Diagnostics that failed, for good or on some structures only, with the reason.
    """

    evaluated: int
    diagnosed: int
    tracks: int
    raised: Mapping[str, int]
    held_back: Mapping[str, int]
    worst: Mapping[str, float]
    switched_off: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return asdict(self)

    def __str__(self) -> str:
        events = (
            ", ".join(
                f"{kind} {count}"
                + (f" (+{self.held_back[kind]} held back)" if self.held_back.get(kind) else "")
                for kind, count in sorted(self.raised.items())
            )
            or "none"
        )
        text = f"{self.diagnosed} of {self.evaluated} geometries diagnosed; warnings: {events}"
        if self.switched_off:
            text += f"; switched off: {', '.join(self.switched_off)}"
        return text


class Watch:
    """Runs diagnostics and turns their signals into events.

    A diagnostic that raises, or returns what no log can hold, is reported once and switched off;
    the others go on. One that cannot begin on a structure is left out for that structure.

    Parameters
    ----------
    diagnostics : sequence of Diagnostic
    gate : EventGate
    reference : ReferenceManifold, optional
        Environments that the model is known to handle.
    """

    def __init__(
        self,
        diagnostics: Sequence[Diagnostic],
        gate: EventGate,
        reference: ReferenceManifold | None = None,
    ) -> None:
        names = [diagnostic.name for diagnostic in diagnostics]
        if len(set(names)) < len(names):
            raise ValueError(f"diagnostics need different names; got {', '.join(names)}")
        self.diagnostics = tuple(diagnostics)
        self.gate = gate
        self.reference = reference
        self.switched_off: dict[str, str] = {}
        self.unfit: dict[str, str] = {}  # those that could not begin on some structure
        self.symmetric: Atoms | None = None
        self.evaluated = 0
        self._diagnosed = 0
        self._worst: dict[str, float] = {}
        self._tracks: dict[int, tuple[weakref.ref[Atoms], Track]] = {}
        self._shared: dict[str, Any] = {}
        self._count = 0

    def fresh(self) -> Watch:
        """Make a watch with the same settings and no history."""
        gate = EventGate(self.gate.clear, self.gate.cooldown)
        watch = Watch(self.diagnostics, gate, self.reference)
        watch.restart(self.symmetric)
        return watch

    def summary(self) -> RunSummary:
        """Sum up what was seen so far."""
        return RunSummary(
            evaluated=self.evaluated,
            diagnosed=self._diagnosed,
            tracks=self._count,
            raised=dict(self.gate.raised),
            held_back=dict(self.gate.held_back),
            worst=dict(self._worst),
            switched_off={**self.unfit, **self.switched_off},
        )

    def known(self, owner: Atoms) -> Track | None:
        """Find the history of an Atoms object; None where there is none, or of other atoms."""
        known = self._tracks.get(id(owner))
        if known is not None and known[0]() is owner and _same_atoms(known[1].numbers, owner):
            return known[1]
        return None

    def track(self, owner: Atoms) -> Track:
        """Find the history of an Atoms object; begin one where there is none, or other atoms."""
        known = self.known(owner)
        if known is not None:
            return known
        self._tracks = {key: pair for key, pair in self._tracks.items() if pair[0]() is not None}
        ideal = self.symmetric
        reference = owner
        if ideal is not None and _same_atoms(ideal.numbers, owner):
            reference = complete_ideal(ideal, owner)
        states: dict[str, Any] = {}
        for diagnostic in self.diagnostics:
            if diagnostic.name in self._shared:
                states[diagnostic.name] = self._shared[diagnostic.name]
                continue
            try:
                states[diagnostic.name] = diagnostic.start(reference)
                if diagnostic.shared:
                    self._shared[diagnostic.name] = states[diagnostic.name]
            except Exception as error:
                self._leave_out(diagnostic, error, reference)
        track = Track(self._count, owner.numbers.copy(), states)
        self._count += 1
        self._tracks[id(owner)] = (weakref.ref(owner), track)
        return track

    def is_due(self, owner: Atoms, interval: int) -> bool:
        """Whether to diagnose the geometry: every ``interval``-th new one of its track."""
        track = self.track(owner)
        return interval == 1 or track.find(owner) % interval == 0

    def skip(self, owner: Atoms) -> None:
        """Count a geometry that is not diagnosed."""
        self.track(owner).visit(owner)

    def restart(self, symmetric: Atoms | None) -> None:
        """Forget all histories; compare structures of the same atoms with ``symmetric``."""
        self._tracks.clear()
        self._shared.clear()
        self.symmetric = None if symmetric is None else symmetric.copy()

    def observe(
        self,
        owner: Atoms,
        atoms: Atoms,
        embeddings: np.ndarray,
        platonic: np.ndarray,
        results: Mapping[str, Any],
    ) -> Diagnosis:
        """Diagnose one geometry.

        Parameters
        ----------
        owner : Atoms
            The live object, whose history this belongs to.
        atoms : Atoms
            A copy of it at this geometry.
        embeddings : ndarray, shape (n_atoms, d)
        platonic : ndarray, shape (n_atoms, K)
        results : mapping
            What the calculator produced.
        """
        track = self.track(owner)
        index, revisited = track.visit(atoms)
        frame = Frame(
            index=index,
            atoms=atoms,
            embeddings=embeddings,
            platonic=platonic,
            results=results,
            reference=self.reference,
            revisited=revisited,
            moving=track.motion.observe(atoms, results, revisited=revisited),
        )
        findings: dict[str, Finding] = {}
        events: list[Event] = []
        for diagnostic in self.diagnostics:
            if diagnostic.name in self.switched_off or diagnostic.name not in track.states:
                continue
            try:
                finding = checked(
                    diagnostic.examine(frame, track.states[diagnostic.name]),
                    len(atoms),
                    with_facts=index == 0,
                )
            except Exception as error:
                self._switch_off(diagnostic, error)
                continue
            findings[diagnostic.name] = finding
            for signal in finding.signals:
                event = self.gate.admit(signal, track.number, index)
                if event is not None:
                    events.append(event)
        diagnosis = Diagnosis(index, track.number, findings, tuple(events))
        self._diagnosed += 1
        for name, value in diagnosis.scalars.items():
            if math.isfinite(value):
                worst = min if name in _WORST_IS_LEAST else max
                self._worst[name] = worst(self._worst.get(name, value), value)
        return diagnosis

    def _switch_off(self, diagnostic: Diagnostic, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        self.switched_off[diagnostic.name] = reason
        tell(
            f"the diagnostic {diagnostic.name!r} failed and is switched off ({reason}); energies, "
            "forces and the other diagnostics go on. Please report this.",
            DiagnosticFailedWarning,
            error,
        )

    def _leave_out(self, diagnostic: Diagnostic, error: Exception, atoms: Atoms) -> None:
        reason = f"{type(error).__name__}: {error}"
        if diagnostic.name in self.unfit:
            return
        self.unfit[diagnostic.name] = reason
        tell(
            f"the diagnostic {diagnostic.name!r} cannot begin on {atoms.symbols} and is left out "
            f"there ({reason}); energies, forces and the other diagnostics go on. Please report "
            "this.",
            DiagnosticFailedWarning,
            error,
        )
