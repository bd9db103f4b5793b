"""Force error: how wrong the force on an atom can be, and how likely it is beyond a limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.errors import ForceErrorWarning
from platonic_ase.monitor.diagnosis import UNCALIBRATED, Diagnostic, Finding, Signal
from platonic_ase.monitor.force_bound import ALARM, ForceBound
from platonic_ase.monitor.frame import Balls, Frame
from platonic_ase.monitor.lasting import lasting_level, worst_first

if TYPE_CHECKING:
    from ase import Atoms


_WORTHWHILE = 0.8
"""Sizes nearer to the limit leave it too soon for balls to be worth their while."""


class ForceBoundModel(Protocol):
    """What sizes up force errors, such as a pack of the calibration."""

    @property
    def name(self) -> str:
        """Says which model and which labels."""

    @property
    def level(self) -> float:
        """Share of atoms whose error the bound covers."""

    @property
    def alarm(self) -> float:
        """Probability of an error above the limit from which there is an alarm."""

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers in the calibration."""

    def sizes(
        self,
        forces: np.ndarray,
        platonic: np.ndarray,
        embeddings: np.ndarray,
        numbers: np.ndarray,
    ) -> np.ndarray:
        """Size of the force error of each atom, eV/Å, shape (n_atoms,), for the other two."""

    def bounds(self, sizes: np.ndarray) -> np.ndarray:
        """Upper bound of the force error of each atom, eV/Å, shape (n_atoms,)."""

    def probabilities(self, sizes: np.ndarray, limit: float) -> np.ndarray:
        """Probability that the force error exceeds a limit in eV/Å, shape (n_atoms,)."""


@dataclass
class _State:
    facts: dict[str, Any]
    recent: list[float] = field(default_factory=list)
    calm: tuple[Balls, np.ndarray] | None = None  # embeddings and forces far from the alarm

    def is_calm(self, frame: Frame) -> bool:
        """Whether no size can be near the alarm."""
        if self.calm is None:
            return False
        balls, squares = self.calm
        return bool((frame.squared_forces < squares).all()) and balls.hold(frame.embeddings)


class ForceErrorBound(Diagnostic):
    """Bound of the force error of every atom, and the probability that it exceeds a limit.

    The bound of one atom is not the error that it has: 90 % of atoms have a smaller one, most of
    them a much smaller one. An alarm is raised where the force on an atom is wrong by more than
    ``limit`` with at least ``probability``. In molecular dynamics it has to stay above, for
    ``persistence`` geometries in a row; any other geometry is judged by itself.

    The alarm speaks of the geometry: some force in it is wrong by more than ``limit``. The
    probability that a bound has for its alarm is where, over frames in kind, at high stress and out
    of kind together, the precision and the recall of that statement are about 0.8 (see the
    benchmarks). Which atoms it names is less certain.

    Parameters
    ----------
    bound : ForceBoundModel, optional
        Calibration; ``"uncalibrated"`` without one.
    persistence : int
        Geometries of a trajectory in a row above the alarm before the event.
    limit : float
        Force error, eV/Å, that is too large for what the run is for.
    probability : float, optional
        Alarm from this probability of one atom on; that of the bound by default.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """

    name = "force_error"

    def __init__(
        self,
        bound: ForceBoundModel | None = None,
        persistence: int = 3,
        *,
        limit: float = 0.5,
        probability: float | None = None,
    ) -> None:
        if persistence < 1:
            raise ValueError(f"persistence = {persistence}; at least 1 geometry is needed")
        if not limit > 0:
            raise ValueError(f"limit = {limit}; a positive force error in eV/Å is needed")
        if probability is None:
            probability = ALARM if bound is None else bound.alarm
        if not 0 < probability < 1:
            raise ValueError(f"probability = {probability}; a number between 0 and 1 is needed")
        self.bound = bound
        self.persistence = persistence
        self.limit = limit
        self.probability = probability

    def start(self, reference: Atoms) -> _State:
        """No geometries above the alarm yet; what is known of the elements is known already."""
        if self.bound is None:
            return _State({})
        unseen = sorted(set(reference.numbers.tolist()) - set(self.bound.elements))
        return _State(
            {
                "calibration": self.bound.name,
                "level": self.bound.level,
                "uncalibrated_elements": [chemical_symbols[z] for z in unseen],
                "limit_eV_per_A": self.limit,
                "limits": {"force_error_probability": self.probability},
            }
        )

    def examine(self, frame: Frame, state: _State) -> Finding:
        """Bound the force error of every atom, or see that none can be beyond the alarm."""
        if self.bound is None:
            return Finding(self.name, risks={"force_error": UNCALIBRATED})
        if frame.forces is None:
            return Finding(self.name)
        if not frame.whole and state.is_calm(frame):
            recent = [*state.recent]
            lasting_level(state.recent, 0.0, frame, self.persistence)
            return Finding(
                self.name,
                facts=state.facts,
                quiet=(self.name,),
                later=lambda: self._bounded(frame, state, recent, self._sizes(frame)[0]),
            )
        sizes, distances = self._sizes(frame)
        state.calm = None
        if frame.precedes and distances is not None and isinstance(self.bound, ForceBound):
            size = self.bound.size_below(frame.clear * self.probability, self.limit)
            if float(sizes.max()) < _WORTHWHILE * size:
                state.calm = self.bound.scale.calm(size, frame, distances)
        return self._bounded(frame, state, state.recent, sizes)

    def _sizes(self, frame: Frame) -> tuple[np.ndarray, np.ndarray | None]:
        """Size of the error of each atom, and its distance to the reference, if that is known."""
        bound, forces = self.bound, frame.forces
        assert bound is not None
        assert forces is not None
        numbers = frame.atoms.numbers
        if not isinstance(bound, ForceBound):
            return bound.sizes(forces, frame.platonic, frame.embeddings, numbers), None
        scale = bound.scale
        distances = scale.distances(frame.embeddings, numbers)
        return scale.at(forces, frame.platonic, scale.widths_at(distances)), distances

    def _bounded(
        self, frame: Frame, state: _State, recent: list[float], sizes: np.ndarray
    ) -> Finding:
        bound, limit = self.bound, self.limit
        forces, numbers = frame.forces, frame.atoms.numbers
        assert bound is not None
        assert forces is not None
        bounds = bound.bounds(sizes)
        probabilities = bound.probabilities(sizes, limit)
        worst = int(sizes.argmax())
        likely, largest = float(probabilities[worst]), float(bounds[worst])
        lasting = lasting_level(recent, likely / self.probability, frame, self.persistence)
        flagged = worst_first(probabilities, sizes, self.probability)

        def message() -> str:
            return (
                f"the force on {chemical_symbols[numbers[worst]]} atom {worst} "
                f"({np.linalg.norm(forces[worst]):.2f} eV/Å) is wrong by more than {limit:g} eV/Å "
                f"with probability {likely:.2f}, and by at most {largest:.2f} in "
                f"{100 * bound.level:g} % of such cases ({bound.name.partition(' (')[0]}; "
                f"{len(flagged)} of {len(numbers)} atoms are beyond the alarm)."
            )

        signal = Signal(
            kind="force_error",
            level=lasting,
            value=likely,
            threshold=self.probability,
            unit=f"probability of an error above {limit:g} eV/Å",
            message=message,
            advice="Compute this geometry with DFT or a second model and compare the forces.",
            atoms=flagged,
            category=ForceErrorWarning,
        )
        return Finding(
            self.name,
            scalars={
                "force_error_bound": largest,
                "median_force_error_bound": _median(bounds),
                "force_error_probability": likely,
            },
            per_atom={"force_error_bound": bounds, "force_error_probability": probabilities},
            risks={"force_error": likely},
            signals=(signal,),
            facts=state.facts,
        )


def _median(values: np.ndarray) -> float:
    """Median; ``numpy.median`` takes ten times as long for some hundred values."""
    ordered = np.sort(values)
    middle = len(ordered) // 2
    return float(
        ordered[middle] if len(ordered) % 2 else ordered[middle - 1 : middle + 1].sum() / 2
    )
