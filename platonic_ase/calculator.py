"""PlatonicCalculator: the same numbers, and a watch on the geometry behind them."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from copy import copy
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from platonic_ase.defaults import default_diagnostics
from platonic_ase.errors import EncoderError, PlatonicError, SettingError, WarningRaised
from platonic_ase.models import Capture, Encoder, find_encoder, load_calculator
from platonic_ase.models.default_reference import resolve_space
from platonic_ase.models.inner import InnerCalculator, changes_between
from platonic_ase.models.result_cache import ResultCache
from platonic_ase.monitor import Diagnostic, Event, EventGate
from platonic_ase.monitor.first_bound import FirstBound
from platonic_ase.monitor.force_bound import ForceBound
from platonic_ase.monitor.policy import Policy, PolicyName
from platonic_ase.monitor.second_opinion import as_second_opinion
from platonic_ase.phonons.packs import resolve_phonon_risk
from platonic_ase.session import Session
from platonic_ase.space.folders import require_calibration
from platonic_ase.structures import require_computable
from platonic_ase.watching import Watching

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.phonons.risk import PhononRisk
    from platonic_ase.phonons.universal import UniversalRisk
    from platonic_ase.space.anchors import AnchorSet
    from platonic_ase.space.reference import ReferenceManifold


class PlatonicCalculator(Watching, Calculator):
    """An ASE calculator that watches the latent geometry of the model it wraps.

    Energies, forces, stresses and all other results are those of the inner calculator, to the
    last bit, from the same single forward pass per geometry.

    Parameters
    ----------
    calculator : ase calculator or str
        Any calculator whose model has an encoder, also a sum that contains one; or the name of a
        model, as listed by ``platonic-ase models``.
    anchors : AnchorSet, path or "default"
        Axes of the Platonic space.
    reference : ReferenceManifold, path, None or "default"
        Environments that the model is known to handle.
    diagnostics : "default" or iterable of Diagnostic
        What is watched.
    without : collection of str
        Names of default diagnostics that are switched off: ``"extrapolation"``, ``"force_error"``,
        ``"symmetry"``, ``"physics"``, ``"displacement"``.
    on_warning : {"warn", "stop", "raise", "ignore"} or callable
        What happens at an event; see :class:`~platonic_ase.monitor.policy.Policy`.
    log : path-like, optional
        Run log to append to, JSON Lines. Several calculators may share one.
    interval : int
        Diagnose every so many new geometries.
    layer : str, optional
        Layer to read; the encoder's first by default.
    encoder : Encoder, optional
        Used instead of the one that the registry finds.
    gate : EventGate, optional
        Hysteresis and rate limit of events.
    second_opinion : ase calculator or SecondOpinion, optional
        Another model (:mod:`~platonic_ase.monitor.second_opinion`), asked once at an event.
    phonon_risk : PhononRisk, UniversalRisk, path, None or "default"
        Calibration of phonon errors from displaced supercells; risks are "uncalibrated" without.
    force_bound : ForceBound, path, None or "default"
        Calibration of force errors; there are no bounds without.
    calibration : path-like, optional
        Folder made by ``platonic-ase calibrate`` for this model: what of anchors, reference,
        phonon risk and force bound is left at its default comes from there, if it is there.
    progress : bool
        Whether embedding the default anchors on first use shows a progress bar.
    cache : int
        Results of so many geometries are kept for each Atoms object, for images of a band that
        share a calculator whose results depend on nothing but the geometry.

    Attributes
    ----------
    calculator
        The inner calculator. Attributes that only it has are read and set there.
    session : Session
        History, alarms and log of the run.
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
        without: Collection[str] = (),
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
        cache: int = 0,
    ) -> None:
        if interval < 1:
            raise ValueError(f"interval = {interval}; at least every 1 geometry is needed")
        if isinstance(calculator, str):
            calculator = load_calculator(calculator)
        self.calculator = calculator
        self.encoder = find_encoder(calculator, layer) if encoder is None else encoder
        super().__init__()
        self.parameters: Any = getattr(calculator, "parameters", {})
        self._inner = InnerCalculator(calculator)
        self._cache = ResultCache(cache)
        if cache and self._inner.looks_further:
            raise SettingError(
                f"cache = {cache}: results of {type(calculator).__name__} depend on more than ASE "
                "compares, such as a charge; leave the cache out"
            )
        self.implemented_properties = self._inner.properties()
        if calibration is not None:
            require_calibration(calibration, self.encoder.identity)
        first = FirstBound()
        self.anchors, self.reference = resolve_space(
            self.encoder, anchors, reference, first, calibration=calibration, progress=progress
        )
        self.force_bound = first.resolve(self.anchors, force_bound, calibration)
        level = None if self.force_bound is None else self.force_bound.force_level
        self.phonon_risk = resolve_phonon_risk(
            self.anchors, phonon_risk, calibration=calibration, level=level
        )
        if isinstance(diagnostics, str):
            if diagnostics != "default":
                raise ValueError(
                    f"diagnostics = {diagnostics!r}; 'default' or a list of Diagnostic objects "
                    "is needed"
                )
            diagnostics = default_diagnostics(self.phonon_risk, self.force_bound, without)
        self.session = Session(
            self.anchors,
            self.reference,
            tuple(diagnostics),
            gate or EventGate(),
            Policy(on_warning),
            second_opinion=as_second_opinion(second_opinion, calculator),
            interval=interval,
            log=log,
        )
        self._elements = self.encoder.elements
        self._last: Atoms | None = None
        self._finalizer = weakref.finalize(self, self.session.close)
        self._ready = True  # from now on, what only the inner calculator has is set there

    # --- the ASE contract -------------------------------------------------------------------

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Run the inner calculator once and diagnose what its model saw.

        Raises
        ------
        StructureError
            If no potential can evaluate the structure.
        CaptureError
            If the model's forward pass cannot be observed, at the first geometry and in the main
            thread; otherwise diagnostics end with a warning and the forces still flow.
        WarningRaised
            If the policy says so.
        """
        owner = self.atoms if atoms is None else atoms
        if owner is None:
            raise PlatonicError("no structure to calculate; set atoms.calc to this calculator")
        session = self.session
        session.open()
        if session.policy.stopped_by is not None and session.dynamics is None:
            raise WarningRaised(session.policy.stopped_by)
        if session.watch.evaluated == 0 or set(system_changes) - {"positions", "cell"}:
            require_computable(owner, self._elements)
        elif "cell" in system_changes or not np.isfinite(owner.positions).all():
            require_computable(owner)
        system_changes = self._inner.changes_behind(owner, self._last, system_changes)
        super().calculate(owner, properties, system_changes)
        self._last = self.atoms
        if self._inner.forgot:
            self._cache.clear()
        self.results = self._cache.find(owner, properties or ()) or {}
        if self.results:
            session.follow(owner)
            return
        with ExitStack() as listening:
            capture = self._listen(listening) if session.is_due(owner) else None
            try:
                self.results = self._inner.run(owner, properties or [], system_changes, capture)
            except Exception as error:
                if not isinstance(error, PropertyNotImplementedError):
                    self.reset()
                raise
        self._inner.remember(owner, self._last)
        session.watch.evaluated += 1
        if capture is not None:
            self._diagnose(owner, capture)
        elif session.observing:
            session.watch.skip(owner)
        self._cache.keep(owner, self._last, self.results)

    def close(self) -> None:
        """End the run, see :meth:`Watching.close`; the next one computes everything itself."""
        super().close()
        self._cache.clear()

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """List what changed since the last calculation, also what the inner calculator tracks."""
        changes = changes_between(self.atoms, atoms, tol, self.ignored_changes)
        changes += [c for c in self._inner.changes(atoms, tol) if c not in changes]
        if not changes and self.session.latest() is not atoms:
            self.session.follow(atoms)  # results that another object left: its history begins here
        return changes

    def set(self, **parameters: Any) -> dict[str, Any]:
        """Set parameters of the inner calculator; results of the old ones are forgotten."""
        if not parameters:
            return {}
        changed: dict[str, Any] = self.calculator.set(**parameters)
        self._cache.clear()
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
                    "on_warning": self.session.policy.name,
                    "interval": self.session.interval,
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

    def __setattr__(self, name: str, value: Any) -> None:
        """Set what only the inner calculator has there, such as a charge; old results go."""
        own = self.__dict__
        if name in own or "_ready" not in own or hasattr(type(self), name):
            object.__setattr__(self, name, value)
        elif hasattr(own["calculator"], name):
            setattr(own["calculator"], name, value)
            own["_cache"].clear()
            self.reset()
        else:
            object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        """Keep settings and the latest results in copies; the history stays here."""
        state = dict(self.__dict__)
        del state["_finalizer"]
        return {
            **state,
            "session": copy(self.session),
            "_inner": copy(self._inner),
            "implemented_properties": list(self.implemented_properties),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy; its runs are logged in the same file, under ids of their own."""
        self.__dict__.update(state)
        self._finalizer = weakref.finalize(self, self.session.close)

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
            self.session.observe(owner, self.atoms, array, self.results)
        except Exception as error:
            self._give_up(error)
            return
        for event in self.session.events:
            try:
                self.session.policy.act(event)
            except BaseException:
                self.session.watch.gate.rearm(event)
                self.reset()
                raise

    def _give_up(self, error: Exception) -> None:
        """Raise for a set-up that cannot work; later on, go on without diagnostics.

        In a thread that somebody else has started, as ASE's NEB does, an exception would be
        swallowed and results be missed: there, forces flow from the first geometry on.
        """
        first = not self.session.observed and isinstance(error, EncoderError)
        if first and threading.current_thread() is threading.main_thread():
            self.reset()
            raise error
        self.session.give_up(error)
