"""PlatonicCalculator: the same numbers, and a watch on the geometry behind them."""

from __future__ import annotations

import json
import logging
import os
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase import units
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from platonic_ase.errors import (
    DiagnosticFailedWarning,
    EncoderError,
    PlatonicError,
    WarningRaised,
)
from platonic_ase.models import Capture, Encoder, find_encoder
from platonic_ase.models.default_reference import resolve_space
from platonic_ase.models.embed import to_numpy
from platonic_ase.models.inner import InnerCalculator, same_state
from platonic_ase.monitor import (
    Diagnosis,
    Diagnostic,
    Event,
    EventGate,
    PhysicalCompanions,
    Signal,
)
from platonic_ase.monitor.annotate import annotate
from platonic_ase.monitor.force_bound import ForceBound
from platonic_ase.monitor.physics import PhysicsState
from platonic_ase.monitor.recorder import Recorder
from platonic_ase.monitor.second_opinion import as_second_opinion
from platonic_ase.monitor.watch import RunSummary, Watch
from platonic_ase.phonons.packs import resolve_phonon_risk
from platonic_ase.session import Policy, PolicyName, default_diagnostics
from platonic_ase.space.folders import require_calibration
from platonic_ase.space.packs import resolve_pack
from platonic_ase.space.projection import TorchProjector
from platonic_ase.structures import require_computable

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.phonons.risk import PhononRisk
    from platonic_ase.phonons.universal import UniversalRisk
    from platonic_ase.space.anchors import AnchorSet
    from platonic_ase.space.reference import ReferenceManifold

logger = logging.getLogger("platonic_ase")


class PlatonicCalculator(Calculator):
    """An ASE calculator that watches the latent geometry of the model it wraps.

    Energies, forces, stresses and all other results are those of the inner calculator, to the
    last bit, from the same single forward pass per geometry.

    Parameters
    ----------
    calculator : ase calculator
        Any calculator whose model has an encoder; also a sum that contains one.
    anchors : AnchorSet, path or "default"
        Axes of the Platonic space.
    reference : ReferenceManifold, path, None or "default"
        Environments that the model is known to handle.
    diagnostics : "default" or iterable of Diagnostic
        What is watched.
    on_warning : {"warn", "stop", "raise", "ignore"} or callable
        What happens at an event; see :class:`~platonic_ase.session.Policy`.
    log : path-like, optional
        Run log to append to, JSON Lines.
    interval : int
        Diagnose every so many new geometries.
    layer : str, optional
        Layer to read; the encoder's first by default.
    encoder : Encoder, optional
        Used instead of the one that the registry finds.
    gate : EventGate, optional
        Hysteresis and rate limit of events.
    second_opinion : ase calculator or SecondOpinion, optional
        Another model, run once on a geometry at which an event is raised; see
        :mod:`platonic_ase.monitor.second_opinion`.
    phonon_risk : PhononRisk, UniversalRisk, path, None or "default"
        Calibration of phonon errors from displaced supercells; risks are "uncalibrated" without.
    force_bound : ForceBound, path, None or "default"
        Calibration of force errors; there are no bounds without.
    calibration : path-like, optional
        Folder made by ``platonic-ase calibrate`` for this model: what of anchors, reference,
        phonon risk and force bound is left at its default comes from there, if it is there.
    progress : bool
        Whether embedding the default anchors on first use shows a progress bar.

    Attributes
    ----------
    calculator
        The inner calculator.
    diagnosis : Diagnosis or None
        Of the latest diagnosed geometry.
    embeddings : ndarray, shape (n_atoms, d), or None
    platonic : ndarray, shape (n_atoms, K), or None

    Raises
    ------
    EncoderNotFoundError
        If no encoder recognises the calculator.
    SpaceFileError, ModelMismatchError
        If anchors or reference are broken or belong to another model.

    Examples
    --------
    >>> from chgnet.model.dynamics import CHGNetCalculator     # doctest: +SKIP
    >>> atoms.calc = PlatonicCalculator(CHGNetCalculator(), log="run.jsonl")  # doctest: +SKIP
    """

    def __init__(
        self,
        calculator: Any,
        *,
        anchors: AnchorSet | str | os.PathLike[str] = "default",
        reference: ReferenceManifold | str | os.PathLike[str] | None = "default",
        diagnostics: Literal["default"] | Iterable[Diagnostic] = "default",
        on_warning: PolicyName | Callable[[Event], object] = "warn",
        log: str | os.PathLike[str] | None = None,
        interval: int = 1,
        layer: str | None = None,
        encoder: Encoder | None = None,
        gate: EventGate | None = None,
        second_opinion: Any = None,
        phonon_risk: PhononRisk | UniversalRisk | str | os.PathLike[str] | None = "default",
        force_bound: ForceBound | str | os.PathLike[str] | None = "default",
        calibration: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> None:
        if interval < 1:
            raise ValueError(f"interval = {interval}; at least every 1 geometry is needed")
        self.calculator = calculator
        self.encoder = find_encoder(calculator, layer) if encoder is None else encoder
        super().__init__()
        self.parameters: Any = getattr(calculator, "parameters", {})
        self._inner = InnerCalculator(calculator)
        self.implemented_properties = self._inner.properties()
        if calibration is not None:
            require_calibration(calibration, self.encoder.identity)
        self.anchors, self.reference = resolve_space(
            self.encoder, anchors, reference, calibration=calibration, progress=progress
        )
        self.phonon_risk = resolve_phonon_risk(self.anchors, phonon_risk, calibration=calibration)
        self.force_bound = resolve_pack(
            self.anchors, force_bound, ForceBound, "forces", calibration=calibration
        )
        if isinstance(diagnostics, str):
            if diagnostics != "default":
                raise ValueError(
                    f"diagnostics = {diagnostics!r}; 'default' or a list of Diagnostic objects "
                    "is needed"
                )
            diagnostics = default_diagnostics(self.phonon_risk, self.force_bound)
        self.watch = Watch(tuple(diagnostics), gate or EventGate(), self.reference)
        self.policy = Policy(on_warning)
        self.second_opinion = as_second_opinion(second_opinion, calculator)
        self.interval = interval
        self.diagnosis: Diagnosis | None = None
        self.embeddings: np.ndarray | None = None
        self.platonic: np.ndarray | None = None
        self._project = TorchProjector(self.anchors.embeddings, self.anchors.centre)
        self._elements = self.encoder.elements
        self._last: Atoms | None = None
        self._observing = True
        self._observed = False  # whether a diagnosis has worked: a set-up that cannot is an error
        self._dynamics: weakref.ref[Any] | None = None
        self._recorder = None if log is None else Recorder(log, self.anchors, self.reference)
        self._finalizer = weakref.finalize(self, _finish, self.watch, self._recorder)

    # --- the ASE contract -------------------------------------------------------------------

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Run the inner calculator once and diagnose what its model saw.

        Parameters
        ----------
        atoms : Atoms
        properties : list of str
        system_changes : list of str

        Raises
        ------
        StructureError
            If no potential can evaluate the structure.
        CaptureError
            If the model's forward pass cannot be observed, at the first geometry; later the
            diagnostics are switched off with a warning and the forces still flow.
        WarningRaised
            If the policy says so.
        """
        owner = self.atoms if atoms is None else atoms
        if owner is None:
            raise PlatonicError("no structure to calculate; set atoms.calc to this calculator")
        if self.policy.stopped_by is not None and self._attached() is None:
            raise WarningRaised(self.policy.stopped_by)
        if self.watch.evaluated == 0 or set(system_changes) - {"positions"}:
            require_computable(owner, self._elements)
        elif not np.isfinite(owner.positions).all():
            require_computable(owner)
        system_changes = self._inner.changes_behind(owner, self._last, system_changes)
        super().calculate(owner, properties, system_changes)
        self._last = self.atoms
        self.results = {}
        due = self._observing and self.watch.is_due(owner, self.interval)
        with ExitStack() as listening:
            capture = self._listen(listening) if due else None
            try:
                self.results = self._inner.run(owner, properties or [], system_changes, capture)
            except PropertyNotImplementedError:
                raise
            except Exception:
                self.reset()
                raise
        self.watch.evaluated += 1
        if capture is not None:
            self._diagnose(owner, capture)
        elif self._observing:
            self.watch.skip(owner)

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """List what changed since the last calculation, also what the inner calculator tracks."""
        changes: list[str] = []
        if self.atoms is None or not same_state(self.atoms, atoms):
            changes += super().check_state(atoms, tol)
        return changes + [c for c in self._inner.changes(atoms, tol) if c not in changes]

    def set(self, **parameters: Any) -> dict[str, Any]:
        """Set parameters of the inner calculator; results of the old ones are forgotten."""
        if not parameters:
            return {}
        changed: dict[str, Any] = self.calculator.set(**parameters)
        self.reset()
        return changed

    def todict(self, skip_default: bool = True) -> dict[str, Any]:
        """JSON-safe description, written to trajectories and databases."""
        inner = self.calculator.todict() if hasattr(self.calculator, "todict") else {}
        described: dict[str, Any] = json.loads(
            json.dumps(
                {
                    "calculator": type(self.calculator).__name__,
                    "parameters": inner,
                    "encoder": self.encoder.name,
                    "layer": self.encoder.layer,
                    "anchors": self.anchors.digest,
                    "on_warning": self.policy.name,
                    "interval": self.interval,
                },
                default=str,
            )
        )
        return described

    def __getattr__(self, name: str) -> Any:
        """Look up what this class does not have in the inner calculator."""
        if name.startswith("__") or "calculator" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.__dict__["calculator"], name)

    def __getstate__(self) -> dict[str, Any]:
        """Keep settings and the latest results in copies; log, history and dynamics stay here."""
        state = dict(self.__dict__)
        for name in ("_finalizer", "_recorder", "_dynamics"):
            del state[name]
        return {
            **state,
            "watch": self.watch.fresh(),
            "policy": Policy(self.policy.on_warning),
            "_inner": copy(self._inner),
            "implemented_properties": list(self.implemented_properties),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy; it writes no log."""
        self.__dict__.update(state)
        self._dynamics = None
        self._recorder = None
        self._finalizer = weakref.finalize(self, _finish, self.watch, None)

    # --- what this calculator adds ----------------------------------------------------------

    def attach(self, dynamics: Any) -> None:
        """Follow an MD run or an optimiser: stop it gracefully, and see its total energy.

        Under ``on_warning="stop"`` the run ends after the step that raised the event, and
        :attr:`stopped_by` says why. In NVE runs (``VelocityVerlet``) the energy drift is watched.

        Parameters
        ----------
        dynamics : ase.md or ase.optimize object
        """
        self._dynamics = weakref.ref(dynamics)
        dynamics.attach(self._after_step, interval=1)

    @property
    def stopped_by(self) -> Event | None:
        """The event that asked for a stop, until :meth:`resume`."""
        return self.policy.stopped_by

    @property
    def log_path(self) -> Path | None:
        """The run log, or None where there is none."""
        if self._recorder is None or not self._recorder.log.path.is_file():
            return None
        return self._recorder.log.path

    def _repr_html_(self) -> str:
        """Show the latest diagnosis in notebooks."""
        seen = "<p>nothing calculated yet</p>"
        return seen if self.diagnosis is None else self.diagnosis._repr_html_()

    def resume(self) -> None:
        """Go on after a stop."""
        self.policy.stopped_by = None

    def reset_reference(self, atoms: Atoms | None = None) -> None:
        """Say what "symmetric" and "reference volume" mean from now on; histories restart.

        Parameters
        ----------
        atoms : Atoms, optional
            The ideal structure, same atoms in the same order as those to be calculated; the next
            geometry of each Atoms object if None.
        """
        self.watch.restart(atoms)

    def annotate(self, atoms: Atoms) -> Atoms:
        """Write the latest diagnosis to a structure, for extxyz, ASE GUI and OVITO.

        Parameters
        ----------
        atoms : Atoms
            Gets arrays ``platonic_<name>``, shape (n_atoms,), and ``platonic_flagged`` (0 or 1).

        Returns
        -------
        Atoms
            The same object.

        Raises
        ------
        PlatonicError
            If nothing was diagnosed yet, or the structure is not the one that was.
        """
        if self.diagnosis is None or self.atoms is None:
            raise PlatonicError("nothing to annotate: no geometry has been diagnosed yet")
        if not np.array_equal(atoms.numbers, self.atoms.numbers):
            raise PlatonicError(
                f"the latest diagnosis is of {self.atoms.symbols}, not of {atoms.symbols}"
            )
        return annotate(atoms, self.diagnosis)

    def report(self, signal: Signal) -> Event | None:
        """Raise an alarm that a workflow found, through the gate and the policy.

        Parameters
        ----------
        signal : Signal
            Nothing happens below level 1.

        Returns
        -------
        Event or None
            None where hysteresis or the rate limit held it back.

        Raises
        ------
        WarningRaised
            If the policy says so.
        """
        latest = self.diagnosis
        index, track = (0, 0) if latest is None else (latest.index, latest.track)
        event = self.watch.gate.admit(signal, track, index)
        if event is None:
            return None
        self.record("event", event.to_dict())
        self.policy.act(event)
        return event

    def record(self, kind: str, record: Mapping[str, Any]) -> None:
        """Write a record of a workflow to the run log; nothing happens where there is none.

        Parameters
        ----------
        kind : str
            Such as ``"audit"``.
        record : mapping
            JSON-safe, or arrays and numbers of numpy.
        """
        if self._recorder is not None:
            self._recorder.note(kind, record)

    def summary(self) -> RunSummary:
        """Sum up what was seen so far: geometries, events, worst values."""
        return self.watch.summary()

    def close(self) -> None:
        """Write the summary to the log and to the logger; done at exit if not before."""
        self._finalizer()

    def __enter__(self) -> PlatonicCalculator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- one geometry -----------------------------------------------------------------------

    def _listen(self, listening: ExitStack) -> Capture | None:
        try:
            return listening.enter_context(self.encoder.capture())
        except Exception as error:
            self._give_up(error)
            return None

    def _diagnose(self, owner: Atoms, capture: Capture) -> None:
        assert self.atoms is not None
        try:
            array = capture.take(len(self.atoms))
            self.embeddings = to_numpy(array)
            self.platonic = (
                self.anchors.project(array)
                if isinstance(array, np.ndarray)
                else to_numpy(self._project(array))
            )
            self.diagnosis = self.watch.observe(
                owner, self.atoms, self.embeddings, self.platonic, self.results
            )
            if self.second_opinion is not None:
                self.diagnosis = self.second_opinion.extend(
                    self.diagnosis, self.atoms, self.platonic, self.results, self.anchors
                )
            if self._recorder is not None:
                self._recorder.record(
                    self.atoms, self.platonic, self.results, self.diagnosis, self._step()
                )
        except Exception as error:
            self._give_up(error)
            return
        self._observed = True
        for event in self.diagnosis.events:
            try:
                self.policy.act(event)
            except BaseException:
                self.watch.gate.rearm(event)
                self.reset()
                raise

    def _give_up(self, error: Exception) -> None:
        """Raise for a set-up that cannot work; later on, go on without diagnostics."""
        if not self._observed and isinstance(error, EncoderError):
            self.reset()
            raise error
        self._observing = False
        # what an older geometry looked like must not pass for this one
        self.diagnosis = self.embeddings = self.platonic = None
        message = (
            f"the diagnostics stopped ({type(error).__name__}: {error}); energies and forces go on."
        )
        logger.error(message, exc_info=error)
        warnings.warn(message, DiagnosticFailedWarning, stacklevel=4)

    def _attached(self) -> Any:
        return None if self._dynamics is None else self._dynamics()

    def _step(self) -> int | None:
        dynamics = self._attached()
        if dynamics is None or self.diagnosis is None:
            return None
        # MD evaluates a step before it counts it, optimisers after
        ahead = 1 if self.diagnosis.index and hasattr(dynamics, "get_time") else 0
        return int(dynamics.nsteps) + ahead

    def _after_step(self) -> None:
        dynamics = self._attached()
        if dynamics is None:
            return
        if self.policy.stopped_by is not None:
            dynamics.max_steps = dynamics.nsteps
            logger.warning(
                "run ended at step %d by request: %s", dynamics.nsteps, self.policy.stopped_by
            )
        from ase.md.verlet import VelocityVerlet  # slow to import, and loaded by now

        # thermostats such as Bussi inherit from it, and are not NVE
        if type(dynamics) is VelocityVerlet and self._observing:
            state = self.watch.track(dynamics.atoms).states.get(PhysicalCompanions.name)
            if isinstance(state, PhysicsState):
                energy = dynamics.atoms.get_total_energy() / len(dynamics.atoms)
                state.drift.add(dynamics.get_time() / (1000 * units.fs), energy)


def _finish(watch: Watch, recorder: Recorder | None) -> None:
    summary = watch.summary()
    if summary.diagnosed:
        logger.info("%s", summary)
    if recorder is not None:
        recorder.close(summary.to_dict())
