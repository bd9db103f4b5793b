"""The watch: runs the diagnostics on each new geometry and keeps one history per trajectory."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import DiagnosticFailedWarning
from platonic_ase.monitor.checked import checked
from platonic_ase.monitor.diagnosis import Diagnosis, Diagnostic, Event, Finding
from platonic_ase.monitor.frame import EVERY, FIRST, Frame
from platonic_ase.monitor.gate import EventGate
from platonic_ase.monitor.history import RunSummary, Track, same_atoms
from platonic_ase.monitor.policy import tell
from platonic_ase.monitor.symmetry.kinds import complete_ideal

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.space.anchors import AnchorSet
    from platonic_ase.space.reference import ReferenceManifold

_WORST_IS_LEAST = ("closest_contact", "asymmetry_curvature")


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
        if known is not None and known[0]() is owner and same_atoms(known[1].numbers, owner):
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
        if ideal is not None and same_atoms(ideal.numbers, owner):
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
        platonic: np.ndarray | Callable[[], np.ndarray],
        results: Mapping[str, Any],
        anchors: AnchorSet | None = None,
    ) -> Diagnosis:
        """Diagnose one geometry.

        Parameters
        ----------
        owner : Atoms
            The live object, whose history this belongs to.
        atoms : Atoms
            A copy of it at this geometry.
        embeddings : ndarray, shape (n_atoms, d)
        platonic : ndarray, shape (n_atoms, K), or callable
            What makes it may be given instead.
        results : mapping
            What the calculator produced.
        anchors : AnchorSet, optional
            Axes of the Platonic space. Without them everything is computed at each geometry.
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
            whole=anchors is None or index < FIRST or index % EVERY == 0,
            clear=self.gate.clear,
            anchors=anchors,
        )
        findings: dict[str, Finding] = {}
        events: list[Event] = []
        finish = None
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
            if finding.later is not None:
                finish = self._finish
            self.gate.settle(finding.quiet, track.number)
            for signal in finding.signals:
                event = self.gate.admit(signal, track.number, index)
                if event is not None:
                    events.append(event)
        diagnosis = Diagnosis(index, track.number, findings, tuple(events), finish)
        self._diagnosed += 1
        self._compare(findings)
        return diagnosis

    def _compare(self, findings: Mapping[str, Finding]) -> None:
        """Keep the worst value of each scalar; all are finite."""
        known = self._worst
        for finding in findings.values():
            for name, value in finding.scalars.items():
                before = known.get(name)
                if before is None or (value < before) == (name in _WORST_IS_LEAST):
                    known[name] = value

    def _finish(self, findings: Mapping[str, Finding]) -> dict[str, Finding]:
        """Whole findings; a diagnostic that fails on it is switched off, what it said stays."""
        found = dict(findings)
        for diagnostic in self.diagnostics:
            part = findings.get(diagnostic.name)
            if part is None or part.later is None:
                continue
            try:
                found[part.name] = checked(part.later(), None, with_facts=False)
            except Exception as error:
                found[part.name] = replace(part, later=None)
                if diagnostic.name not in self.switched_off:
                    self._switch_off(diagnostic, error)
        self._compare(found)
        return found

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
