"""Manifold distance: has an atom left the environments that the model is known to handle?"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.errors import ExtrapolationWarning
from platonic_ase.monitor.diagnosis import UNCALIBRATED, Diagnostic, Finding, Signal
from platonic_ase.monitor.frame import Balls, Frame
from platonic_ase.monitor.lasting import lasting_level, worst_first

if TYPE_CHECKING:
    from ase import Atoms


@dataclass
class _State:
    recent: list[float] = field(default_factory=list)
    balls: Balls | None = None


class ManifoldDistance(Diagnostic):
    """Distance in Platonic space to the nearest reference environments of the same element.

    The score of an atom is its distance over the split-conformal threshold of its element. An
    alarm is raised when the worst score exceeds what held-out reference structures show at the
    reference's alarm level; it names the atoms whose score exceeds that level. In molecular
    dynamics the score has to stay above, for ``persistence`` geometries in a row: thermal motion
    takes atoms out for an instant. Any other geometry is judged by itself.

    Parameters
    ----------
    persistence : int
        Geometries of a trajectory in a row above the alarm before the event.
    warn : bool
        Whether there are alarms at all. A distance says that an atom is unfamiliar, not that its
        force is wrong; where a calibrated bound of force errors uses the distance,
        :class:`~platonic_ase.monitor.forces.ForceErrorBound` warns, and this only measures.
    """

    name = "extrapolation"

    def __init__(self, persistence: int = 3, *, warn: bool = True) -> None:
        if persistence < 1:
            raise ValueError(f"persistence = {persistence}; at least 1 geometry is needed")
        self.persistence = persistence
        self.warn = warn

    def start(self, reference: Atoms) -> _State:
        """No geometries above the alarm yet."""
        return _State()

    def examine(self, frame: Frame, state: _State) -> Finding:
        """Measure the distance of every atom, or see that none can be beyond the alarm."""
        if frame.reference is None:
            return Finding(self.name, risks={"extrapolation": UNCALIBRATED})
        if not frame.whole:
            if not self.warn:
                return Finding(self.name, later=partial(self._measured, frame, []))
            if state.balls is not None and state.balls.hold(frame.embeddings):
                recent = [*state.recent]
                lasting_level(state.recent, 0.0, frame, self.persistence)
                later = partial(self._measured, frame, recent)
                return Finding(self.name, quiet=(self.name,), later=later)
        finding = self._measured(frame, state.recent)
        if self.warn and frame.precedes:
            state.balls = _balls(frame, finding.per_atom["manifold_distance"])
        return finding

    def _measured(self, frame: Frame, recent: list[float]) -> Finding:
        reference = frame.reference
        assert reference is not None
        numbers = frame.atoms.numbers
        distances = reference.distances(frame.platonic, numbers)
        scores = reference.scores(distances, numbers)
        worst = int(scores.argmax())
        lasting = lasting_level(recent, float(scores[worst]), frame, self.persistence)
        flagged = worst_first(scores, scores, reference.alarm)

        def message() -> str:
            symbol = chemical_symbols[numbers[worst]]
            seen = int(numbers[worst]) in reference.elements
            count = f"{len(flagged)} of {len(numbers)} atoms are beyond the alarm"
            if not seen:
                return (
                    f"this model is not known to handle {symbol} (atom {worst}): the reference "
                    f"holds no such atom ({count})."
                )
            return (
                f"{symbol} atom {worst} is in surroundings that this model is not known to handle: "
                f"{scores[worst]:.2f} times as far out as {100 * reference.level:g} % of {symbol} "
                f"atoms that were held out ({count})."
            )

        signal = Signal(
            kind="extrapolation",
            level=lasting / reference.alarm,
            value=float(scores[worst]),
            threshold=reference.alarm,
            unit="of the element's threshold",
            message=message,
            advice=(
                "Compute this geometry with DFT or a second model and compare the forces on these "
                "atoms, before you trust what follows."
            ),
            atoms=flagged,
            category=ExtrapolationWarning,
        )
        return Finding(
            self.name,
            scalars={
                "extrapolation_score": float(scores[worst]),
                "manifold_distance": float(distances.sum()) / len(distances),
                "beyond_threshold": float(np.count_nonzero(scores > 1)),
            },
            per_atom={"manifold_distance": distances, "extrapolation_score": scores},
            signals=(signal,) if self.warn else (),
        )


def _balls(frame: Frame, distances: np.ndarray) -> Balls | None:
    """Balls in which the score stays below the level that ends an alarm.

    A unit embedding moves by at most 2 δ / (2 l - δ) where one of length l moves by δ, and
    Platonic coordinates by at most the norm of the axes times as much.
    """
    reference, anchors = frame.reference, frame.anchors
    assert reference is not None
    if anchors is None:
        return None
    scale = 1 / reference.scores(np.ones(len(distances)), frame.atoms.numbers)
    room = (frame.clear * reference.alarm * scale - distances) / anchors.stretch
    if not room.min() > 0:
        return None
    return Balls(frame.embeddings, 0.999 * _reach(anchors.lengths(frame.embeddings), room))


def _reach(lengths: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """How far embeddings of some lengths may move, if unit ones are to move by this at most."""
    return np.asarray(2 * lengths * angles / (2 + angles))
