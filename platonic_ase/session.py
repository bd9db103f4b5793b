"""One run: opened at its first geometry, watched, logged, closed, and opened again by the next."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units

from platonic_ase.errors import DiagnosticFailedWarning
from platonic_ase.models.embed import to_hosts, to_numpy
from platonic_ase.monitor import (
    Diagnosis,
    Diagnostic,
    Event,
    EventGate,
    PhysicalCompanions,
    Signal,
)
from platonic_ase.monitor.drift import DriftMeter
from platonic_ase.monitor.frame import Once
from platonic_ase.monitor.heat import Heat, kinetic_energy, thermostat_temperature
from platonic_ase.monitor.history import RunSummary
from platonic_ase.monitor.physics import PhysicsState
from platonic_ase.monitor.policy import Policy, logger, tell
from platonic_ase.monitor.provenance import of_dynamics, of_process
from platonic_ase.monitor.recorder import Recorder
from platonic_ase.monitor.second_opinion import SecondOpinion
from platonic_ase.monitor.watch import Watch
from platonic_ase.space.projection import TorchProjector

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.space.anchors import AnchorSet
    from platonic_ase.space.reference import ReferenceManifold


class Session:
    """History, alarms and log of one run after the other.

    A run is open from its first geometry to :meth:`close`; what comes after belongs to the next
    one, with a history, a summary and a run id of its own.

    Parameters
    ----------
    anchors : AnchorSet
    reference : ReferenceManifold, optional
    diagnostics : sequence of Diagnostic
    gate : EventGate
    policy : Policy
    second_opinion : SecondOpinion, optional
    interval : int
        Diagnose every so many new geometries of each Atoms object.
    log : path-like, optional
        Run log that all runs append to.

    Attributes
    ----------
    watch : Watch
        Of the run that is open, or was the last.
    embeddings : ndarray or None
        Of the latest diagnosed geometry.
    geometry : Atoms or None
        The latest diagnosed one.
    latest : callable
        Gets the live Atoms object that was diagnosed or followed last, while it lives.
    observing : bool
        Whether the diagnostics go on: they end where the model can no longer be observed.
    observed : bool
        Whether a diagnosis has worked: until then, a set-up that cannot work is an error.
    """

    def __init__(
        self,
        anchors: AnchorSet,
        reference: ReferenceManifold | None,
        diagnostics: Sequence[Diagnostic],
        gate: EventGate,
        policy: Policy,
        *,
        second_opinion: SecondOpinion | None = None,
        interval: int = 1,
        log: str | os.PathLike[str] | None = None,
    ) -> None:
        self.anchors, self.reference = anchors, reference
        self.watch = Watch(tuple(diagnostics), gate, reference)
        self.policy = policy
        self.second_opinion = second_opinion
        self.interval = interval
        self.log = None if log is None else Path(log).absolute()
        self.latest: Callable[[], Atoms | None] = _nobody
        self._diagnosis: Diagnosis | None = None
        self.embeddings: np.ndarray | None = None
        self._platonic: np.ndarray | Callable[[], np.ndarray] | None = None
        self.geometry: Atoms | None = None
        self.observing, self.observed = True, False
        self._project = TorchProjector(anchors.embeddings, anchors.centre)
        self._dynamics: weakref.ref[Any] | None = None
        self._provenance: dict[str, Any] = {}
        self._closed = False
        self._copy_of: str | None = None
        self._recorder = self._new_recorder()

    def __getstate__(self) -> dict[str, Any]:
        """Settings and the latest diagnosis, for copies; history and log stay here."""
        return {
            **self.__dict__,
            "watch": self.watch.fresh(),
            "_diagnosis": self.diagnosis,
            "_platonic": self.platonic,
            "policy": Policy(self.policy.on_warning),
            "_project": None,
            "_dynamics": None,
            "latest": _nobody,
            "_copy_of": self.run_id or self._copy_of,
            "_provenance": {},
            "_closed": False,
            "_recorder": None,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy; its runs go to the same log, each with an id of its own."""
        self.__dict__.update(state)
        self._project = TorchProjector(self.anchors.embeddings, self.anchors.centre)
        self._closed = self.log is not None  # opens a run, if there is one to log

    # --- a run ------------------------------------------------------------------------------

    def open(self) -> None:
        """Begin a new run, if the last one was closed."""
        if not self._closed:
            return
        self._closed = False
        self.latest = _nobody
        self.watch = self.watch.fresh()
        self.policy.renew()
        self._provenance = {}
        self._recorder = self._new_recorder()
        if self._copy_of is not None and self._recorder is not None:
            logger.info(
                "a copy of the calculator of run %s writes to %s as run %s",
                self._copy_of, self.log, self.run_id,
            )  # fmt: skip
            self._add_provenance({"copy_of": self._copy_of})

    def restart(self, symmetric: Atoms | None) -> None:
        """Forget all histories; see :meth:`PlatonicCalculator.reset_reference`."""
        self.open()
        self.latest = _nobody
        self.watch.restart(symmetric)

    def close(self) -> None:
        """End the run: write its summary to the log and to the logger; a second time does nothing.

        A run without a geometry leaves nothing.
        """
        if self._closed:
            return
        summary = self.summary()
        if summary.diagnosed:
            logger.info("%s", summary)
        if self._recorder is not None:
            self._recorder.close(summary.to_dict())
        self._closed = True

    def attach(self, dynamics: Any, provenance: Mapping[str, Any]) -> None:
        """Follow an MD run or an optimiser; see :meth:`PlatonicCalculator.attach`."""
        self.open()
        self._dynamics = weakref.ref(dynamics)
        track = self.watch.known(dynamics.atoms)
        state = None if track is None else track.states.get(PhysicalCompanions.name)
        if isinstance(state, PhysicsState):
            state.drift = DriftMeter()  # that of the run before is none of this one's
            state.heat = Heat()
        self._add_provenance({**of_dynamics(dynamics), **provenance})
        dynamics.attach(self._after_step, interval=1)

    @property
    def dynamics(self) -> Any:
        """What is attached, while it lives."""
        return None if self._dynamics is None else self._dynamics()

    @property
    def run_id(self) -> str | None:
        """Of the run that is open, or was the last; None without a log."""
        return None if self._recorder is None else self._recorder.run_id

    def summary(self) -> RunSummary:
        """Sum up the run that is open, or was the last, with all of its latest geometry."""
        if self._diagnosis is not None:
            _ = self._diagnosis.whole
        return self.watch.summary()

    # --- alarms and records -----------------------------------------------------------------

    def report(self, signal: Signal) -> Event | None:
        """Raise an alarm that a workflow found, through the gate and the policy."""
        self.open()
        latest = self._diagnosis
        index, track = (0, 0) if latest is None else (latest.index, latest.track)
        event = self.watch.gate.admit(signal, track, index)
        if event is None:
            return None
        self.record("event", event.to_dict())
        self.policy.act(event)
        return event

    def record(self, kind: str, record: Mapping[str, Any]) -> None:
        """Write a record of a workflow to the run log, if there is one."""
        self.open()
        if self._recorder is not None:
            self._recorder.note(kind, record)

    # --- one geometry -----------------------------------------------------------------------

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Of the latest diagnosed geometry, with all that no alarm depended on."""
        return None if self._diagnosis is None else self._diagnosis.whole

    @property
    def platonic(self) -> np.ndarray | None:
        """Platonic coordinates of the latest diagnosed geometry, shape (n_atoms, K)."""
        return self._platonic() if callable(self._platonic) else self._platonic

    @property
    def events(self) -> tuple[Event, ...]:
        """Alarms raised at the latest diagnosed geometry."""
        return () if self._diagnosis is None else self._diagnosis.events

    def is_due(self, owner: Atoms) -> bool:
        """Whether to diagnose a geometry that is about to be calculated."""
        return self.observing and self.watch.is_due(owner, self.interval)

    def follow(self, owner: Atoms) -> None:
        """Begin the history of an Atoms object whose first results are known already."""
        if self.observing and not self._closed:
            self.watch.track(owner)
            self.latest = weakref.ref(owner)

    def observe(self, owner: Atoms, atoms: Atoms, array: Any, results: Mapping[str, Any]) -> None:
        """Diagnose and log one geometry.

        Parameters
        ----------
        owner : Atoms
            The live object, whose history this belongs to.
        atoms : Atoms
            A copy of it at this geometry.
        array : Tensor or ndarray, shape (n_atoms, d)
            Embeddings.
        results : mapping
            What the calculator produced.
        """
        results = {name: value for name, value in results.items() if value is not None}
        if isinstance(array, np.ndarray) or array.device.type == "cpu":
            embeddings = to_numpy(array)
            platonic = Once(partial(self.anchors.project, embeddings))
        else:
            embeddings, known = to_hosts(array, self._project(array))
            platonic = Once(lambda: known)
        diagnosis = self.watch.observe(owner, atoms, embeddings, platonic, results, self.anchors)
        if diagnosis.events:
            diagnosis = diagnosis.whole
            if self.second_opinion is not None:
                diagnosis = self.second_opinion.extend(
                    diagnosis, atoms, platonic(), results, self.anchors
                )
        for finding in diagnosis.findings.values():
            if finding.notice:
                self.policy.notice(finding.notice)
            if diagnosis.index and "notice" in finding.facts:  # a run, not a single point
                self.policy.notice(str(finding.facts["notice"]))
        self._diagnosis, self.geometry = diagnosis, atoms
        self.embeddings, self._platonic = embeddings, platonic
        self.latest = weakref.ref(owner)
        if self._recorder is not None:
            self._recorder.record(atoms, platonic, results, diagnosis, self._step(diagnosis))
        self.observed = True

    def give_up(self, error: Exception) -> None:
        """Go on without diagnostics, and say so once."""
        self.observing = False
        # what an older geometry looked like must not pass for this one
        self._diagnosis = self.embeddings = self._platonic = self.geometry = None
        tell(
            f"the diagnostics stopped ({type(error).__name__}: {error}); energies and forces go "
            "on, unwatched. Please report this.",
            DiagnosticFailedWarning,
            error,
        )

    def _step(self, diagnosis: Diagnosis) -> int | None:
        dynamics = self.dynamics
        if dynamics is None:
            return None
        # MD evaluates a step before it counts it, optimisers after
        ahead = 1 if diagnosis.index and hasattr(dynamics, "get_time") else 0
        return int(dynamics.nsteps) + ahead

    def _after_step(self) -> None:
        dynamics = self.dynamics
        if dynamics is None:
            return
        if self.policy.stopped_by is not None:
            dynamics.max_steps = dynamics.nsteps
            logger.warning(
                "run ended at step %d by request: %s", dynamics.nsteps, self.policy.stopped_by
            )
        from ase.md.verlet import VelocityVerlet  # slow to import, and loaded by now

        if not (self.observing and hasattr(dynamics, "get_time")):  # optimisers may hold a filter
            return
        state = self.watch.track(dynamics.atoms).states.get(PhysicalCompanions.name)
        if isinstance(state, PhysicsState):
            state.heat.target = thermostat_temperature(dynamics)
            # thermostats such as Bussi inherit from it, and are not NVE
            if type(dynamics) is VelocityVerlet:
                atoms = dynamics.atoms
                energy = (atoms.get_potential_energy() + kinetic_energy(atoms)) / len(atoms)
                state.drift.add(dynamics.get_time() / (1000 * units.fs), energy)

    def _add_provenance(self, provenance: Mapping[str, Any]) -> None:
        self._provenance.update(provenance)
        if self._recorder is not None:
            self._recorder.add_provenance(self._provenance)

    def _new_recorder(self) -> Recorder | None:
        if self.log is None:
            return None
        return Recorder(self.log, self.anchors, self.reference, of_process())


def _nobody() -> None:
    """In the place of a weak reference to nothing."""
