"""What a diagnostic sees, what it says, and how that adds up to a diagnosis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from platonic_ase.errors import PlatonicWarning

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.monitor.frame import Frame

UNCALIBRATED = "uncalibrated"
"""In the place of a risk for which there is no calibration."""


@dataclass(frozen=True, init=False)
class Signal:
    """A quantity that is watched, whether or not it is alarming now.

    Attributes
    ----------
    kind : str
        What is watched, such as ``"extrapolation"``; one event at a time per kind.
    level : float
        Dimensionless; an alarm from 1 on. Larger is worse; NaN never alarms.
    value, threshold : float
        What was measured and what it is compared with, in ``unit``.
    unit : str
    message : str
        One sentence that names what was seen. A function that makes it may be given instead: most
        signals are no alarm, and nobody reads what they say.
    advice : str
        What the user could do.
    atoms : tuple of int
        Indices of the atoms concerned, worst first; empty where the whole structure is meant.
    category : type
        Warning category.
    group : str
        Alarms of one group are one alarm, whichever Atoms objects they are seen in; the track by
        default.
    """

    kind: str
    level: float
    value: float
    threshold: float
    unit: str
    message: str
    advice: str
    atoms: tuple[int, ...] = ()
    category: type[PlatonicWarning] = PlatonicWarning
    group: str = ""

    def __init__(
        self,
        kind: str,
        level: float,
        value: float,
        threshold: float,
        unit: str,
        message: str | Callable[[], str],
        advice: str,
        atoms: tuple[int, ...] = (),
        category: type[PlatonicWarning] = PlatonicWarning,
        group: str = "",
    ) -> None:
        own = self.__dict__  # frozen
        own["kind"], own["level"], own["value"], own["threshold"] = kind, level, value, threshold
        own["unit"], own["advice"], own["atoms"] = unit, advice, atoms
        own["category"], own["group"] = category, group
        own["message" if isinstance(message, str) else "_say"] = message

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> str:
            """Make the message when it is first read."""
            if name == "message" and "_say" in self.__dict__:
                return self.__dict__.setdefault(name, self.__dict__["_say"]())
            raise AttributeError(name)

    def __getstate__(self) -> dict[str, Any]:
        """With the message itself: the function that makes it need not travel."""
        state = {**self.__dict__, "message": self.message}
        state.pop("_say", None)
        return state


@dataclass(frozen=True)
class Event:
    """An alarm that was raised: a signal at level 1 or above, after hysteresis.

    Attributes
    ----------
    index : int
        Geometry at which it was raised, counted within its track.
    track : int
        Which trajectory it belongs to.
    signal : Signal
        What was seen.
    """

    index: int
    track: int
    signal: Signal

    @property
    def kind(self) -> str:
        """What is watched."""
        return self.signal.kind

    @property
    def atoms(self) -> tuple[int, ...]:
        """Indices of the atoms concerned, worst first."""
        return self.signal.atoms

    def __str__(self) -> str:
        atoms = ""
        if self.atoms:
            shown = ", ".join(map(str, self.atoms[:8]))
            more = f" and {len(self.atoms) - 8} more" if len(self.atoms) > 8 else ""
            atoms = f" [atoms {shown}{more}]"
        return f"geometry {self.index}: {self.signal.message}{atoms} {self.signal.advice}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        signal = self.signal
        return {
            "kind": signal.kind,
            "index": self.index,
            "track": self.track,
            "value": signal.value,
            "threshold": signal.threshold,
            "unit": signal.unit,
            "message": signal.message,
            "advice": signal.advice,
            "atoms": list(signal.atoms),
        }


_NONE: Mapping[str, Any] = {}


@dataclass(frozen=True, init=False)
class Finding:
    """What one diagnostic says of one geometry.

    Attributes
    ----------
    name : str
        Of the diagnostic.
    scalars : mapping of str to float
        One number per structure each.
    per_atom : mapping of str to ndarray, shape (n_atoms,)
    series : mapping of str to sequence
        Numbers per something else, such as per orbit.
    risks : mapping of str to (float or str)
        Calibrated probabilities, or ``"uncalibrated"``.
    signals : tuple of Signal
    facts : mapping
        What holds for the whole track, such as its space group or the limits of alarms; JSON-safe,
        recorded once per track.
    notice : str
        What limits the watch from here on, said once a run; empty where nothing does.
    quiet : tuple of str
        Kinds of signals that are left out because their level is below what ends an alarm.
    later : callable, optional
        Makes the finding with all that was left out, without changing any state.
    """

    name: str
    scalars: Mapping[str, float]
    per_atom: Mapping[str, np.ndarray]
    series: Mapping[str, Sequence[float]]
    risks: Mapping[str, float | str]
    signals: tuple[Signal, ...]
    facts: Mapping[str, Any]
    notice: str
    quiet: tuple[str, ...]
    later: Callable[[], Finding] | None

    def __init__(
        self,
        name: str,
        scalars: Mapping[str, float] = _NONE,
        per_atom: Mapping[str, np.ndarray] = _NONE,
        series: Mapping[str, Sequence[float]] = _NONE,
        risks: Mapping[str, float | str] = _NONE,
        signals: tuple[Signal, ...] = (),
        facts: Mapping[str, Any] = _NONE,
        notice: str = "",
        quiet: tuple[str, ...] = (),
        later: Callable[[], Finding] | None = None,
    ) -> None:
        own = self.__dict__  # frozen
        own["name"], own["scalars"], own["per_atom"] = name, scalars, per_atom
        own["series"], own["risks"], own["signals"] = series, risks, signals
        own["facts"], own["notice"], own["quiet"], own["later"] = facts, notice, quiet, later


@dataclass(frozen=True)
class Diagnosis:
    """All findings for one geometry.

    Attributes
    ----------
    index : int
        Geometry within its track.
    track : int
        Which trajectory; each Atoms object that shares a calculator has its own.
    findings : mapping of str to Finding
        By diagnostic.
    events : tuple of Event
        Alarms raised at this geometry.
    finish : callable, optional
        Makes whole findings of those of which something was left for later.
    """

    index: int
    track: int
    findings: Mapping[str, Finding]
    events: tuple[Event, ...] = ()
    finish: Callable[[Mapping[str, Finding]], Mapping[str, Finding]] | None = field(
        default=None, repr=False, compare=False
    )

    @cached_property
    def whole(self) -> Diagnosis:
        """The same with nothing left for later; computed when first asked for."""
        if self.finish is None:
            return self
        return Diagnosis(self.index, self.track, self.finish(self.findings), self.events)

    @property
    def scalars(self) -> dict[str, float]:
        """One number per structure each, from all diagnostics."""
        return {k: v for finding in self.findings.values() for k, v in finding.scalars.items()}

    @property
    def per_atom(self) -> dict[str, np.ndarray]:
        """Arrays of shape (n_atoms,), from all diagnostics."""
        return {k: v for finding in self.findings.values() for k, v in finding.per_atom.items()}

    @property
    def series(self) -> dict[str, Sequence[float]]:
        """Numbers per orbit and the like, from all diagnostics."""
        return {k: v for finding in self.findings.values() for k, v in finding.series.items()}

    @property
    def risks(self) -> dict[str, float | str]:
        """Calibrated probabilities, or ``"uncalibrated"``."""
        return {k: v for finding in self.findings.values() for k, v in finding.risks.items()}

    @property
    def facts(self) -> dict[str, Mapping[str, Any]]:
        """What holds for the whole track, by diagnostic."""
        return {name: f.facts for name, f in self.findings.items() if f.facts}

    def _repr_html_(self) -> str:
        """Show a table of scalars and risks, and the alarms, in notebooks."""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>"
            f"{escape(value if isinstance(value, str) else f'{value:.4g}')}</td></tr>"
            for name, value in (self.scalars | self.risks).items()
        )
        alarms = "".join(f"<li>{escape(f'{s.message} {s.advice}')}</li>" for s in self.alarms)
        said = f"<ul>{alarms}</ul>" if alarms else "<p>no alarm</p>"
        return f"<b>geometry {self.index}</b>{said}<table>{rows}</table>"

    @property
    def alarms(self) -> tuple[Signal, ...]:
        """Signals at level 1 or above now, whether or not an event was raised for them."""
        return tuple(
            s for finding in self.findings.values() for s in finding.signals if s.level >= 1
        )

    def __str__(self) -> str:
        """A dozen lines for people."""
        lines = [f"geometry {self.index} of track {self.track}"]
        for name, finding in self.findings.items():
            said = [f"{key} {value:.4g}" for key, value in finding.scalars.items()]
            said += [
                f"{key} risk {value if isinstance(value, str) else format(value, '.2f')}"
                for key, value in finding.risks.items()
            ]
            if said:
                lines.append(f"  {name}: {', '.join(said)}")
        lines += [f"  ! {signal.kind}: {signal.message}" for signal in self.alarms]
        return "\n".join(lines)


class Diagnostic(ABC):
    """A watcher of one kind of failure: thin, over pure functions.

    It holds settings only. What it remembers of a trajectory is the state that :meth:`start`
    makes and :meth:`examine` is handed back, one per track, so that several structures can share
    a calculator. Where ``shared`` is set, all tracks of a calculator share one state, made at
    the first: what is watched then comes in many Atoms objects.
    """

    name: ClassVar[str]
    shared: ClassVar[bool] = False

    def start(self, reference: Atoms) -> Any:
        """Make the state of a new track from the structure that it is compared with."""
        return None

    @abstractmethod
    def examine(self, frame: Frame, state: Any) -> Finding:
        """Say what is seen in one geometry; may update ``state``."""
