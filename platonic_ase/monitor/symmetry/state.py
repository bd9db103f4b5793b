"""What the watch of a symmetry remembers of a track, and what it measures of one geometry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.monitor.symmetry.curvature import Asymmetry
from platonic_ase.monitor.symmetry.evidence import SymmetryEvidence
from platonic_ase.monitor.symmetry.growth import Growth
from platonic_ase.monitor.symmetry.operations import Operations
from platonic_ase.monitor.symmetry.orbits import Orbits
from platonic_ase.monitor.symmetry.resting import RestingPlace
from platonic_ase.monitor.symmetry.subgroups import Breaking

if TYPE_CHECKING:
    from ase import Atoms


@dataclass
class State:
    """What is remembered of a track."""

    orbits: Orbits | None
    operations: Operations | None = None
    evidence: SymmetryEvidence | None = None
    growth: Growth | None = None
    breaking: Breaking | None = None  # what the alarm that is up now found when it rose
    resting: RestingPlace | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    waiting: Atoms | None = None  # to be searched for symmetry at the next geometry
    telling: tuple[int, int] | None = None  # generator and atom that showed an asymmetry last


@dataclass
class Seen:
    """What was measured of one geometry."""

    shift: np.ndarray  # fractional
    displacements: np.ndarray  # Å
    scalars: dict[str, float] = field(default_factory=dict)
    evidence: float = 0.0  # powers of ten
    ratios: np.ndarray | None = None
    broken: Asymmetry | None = None
    asymmetry: tuple[float, float, int] | None = None
