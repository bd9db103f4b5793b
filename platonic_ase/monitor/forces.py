"""Force error: how wrong can the force on an atom be?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.errors import ForceErrorWarning
from platonic_ase.monitor.diagnosis import UNCALIBRATED, Diagnostic, Finding, Frame, Signal
from platonic_ase.monitor.lasting import lasting_level

if TYPE_CHECKING:
    from ase import Atoms


class ForceBoundModel(Protocol):
    """What turns forces and Platonic coordinates into bounds, such as a pack of the calibration."""

    @property
    def name(self) -> str:
        """Says which model and which labels."""

    @property
    def level(self) -> float:
        """Share of atoms whose error the bound covers."""

    @property
    def alarm(self) -> float:
        """Bound, eV/Å, from which an alarm is possible at all."""

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers in the calibration."""

    def bounds(self, forces: np.ndarray, platonic: np.ndarray) -> np.ndarray:
        """Upper bound of the force error of each atom, eV/Å, shape (n_atoms,)."""

    def alarm_at(self, forces: np.ndarray) -> float:
        """Bound, eV/Å, that is both large by itself and large against the forces."""


@dataclass
class _State:
    facts: dict[str, Any]
    recent: list[float] = field(default_factory=list)


class ForceErrorBound(Diagnostic):
    """Upper bound of the force error of every atom, in eV/Å, at a stated level.

    The bound of one atom is not the error that it has: 90 % of atoms of structures like those of
    the calibration have a smaller one, most of them a much smaller one. An alarm is raised where
    the bound of an atom is above what 99 % of the calibration's structures show at their worst
    atom, both in eV/Å and against the rms force of the structure: thermal motion, however hot,
    makes all forces large together. In molecular dynamics it has to stay above, for ``persistence``
    geometries in a row; any other geometry is judged by itself.

    Parameters
    ----------
    bound : ForceBoundModel, optional
        Calibration; ``"uncalibrated"`` without one.
    persistence : int
        Geometries of a trajectory in a row above the alarm before the event.
    """

    name = "force_error"

    def __init__(self, bound: ForceBoundModel | None = None, persistence: int = 3) -> None:
        if persistence < 1:
            raise ValueError(f"persistence = {persistence}; at least 1 geometry is needed")
        self.bound = bound
        self.persistence = persistence

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
                "limits": {"force_error_bound": self.bound.alarm},
            }
        )

    def examine(self, frame: Frame, state: _State) -> Finding:
        """Bound the force error of every atom."""
        if self.bound is None:
            return Finding(self.name, risks={"force_error": UNCALIBRATED})
        if frame.results.get("forces") is None:
            return Finding(self.name)
        forces = np.asarray(frame.results["forces"], dtype=float)
        bounds = self.bound.bounds(forces, frame.platonic)
        threshold = self.bound.alarm_at(forces)
        levels = bounds / threshold
        worst = int(np.argmax(levels))
        lasting = lasting_level(state.recent, float(levels[worst]), frame, self.persistence)
        flagged = np.flatnonzero(levels >= 1)
        flagged = flagged[np.argsort(-levels[flagged], kind="stable")]
        numbers = frame.atoms.numbers
        signal = Signal(
            kind="force_error",
            level=lasting,
            value=float(bounds[worst]),
            threshold=threshold,
            unit="eV/Å",
            message=(
                f"The force on {chemical_symbols[numbers[worst]]} atom {worst} "
                f"({np.linalg.norm(forces[worst]):.2f} eV/Å) can be wrong by up to "
                f"{bounds[worst]:.2f} eV/Å ({100 * self.bound.level:g} % level, calibration: "
                f"{self.bound.name}); {len(flagged)} of {len(numbers)} atoms are beyond the alarm."
            ),
            advice="Compare the forces of this geometry with DFT or a second model.",
            atoms=tuple(int(i) for i in flagged),
            category=ForceErrorWarning,
        )
        return Finding(
            self.name,
            scalars={
                "force_error_bound": float(bounds[worst]),
                "median_force_error_bound": float(np.median(bounds)),
            },
            per_atom={"force_error_bound": bounds},
            signals=(signal,),
            facts=state.facts,
        )
