r"""Does a crystal in motion rest off its symmetric sites?

In a harmonic crystal that is stable, forces are :math:`F = -K u` with all eigenvalues of K at least
:math:`\kappa_\min > 0`. The same holds for means over any window of time and with any weights, so
that

.. math:: \kappa = -\frac{\bar F \cdot \bar u}{\|\bar u\|^2} \ge \kappa_\min,

at every temperature, for every thermostat and however short the window is. Where a crystal has
broken its symmetry, it rests in a minimum off the sites: :math:`\bar u` stays and :math:`\bar F`
vanishes, because otherwise atoms would be accelerated. A :math:`\kappa` near zero, window after
window in one direction and with a mean that makes up most of the motion, shows it within a few
periods of vibration, long before a test of the time average by itself can.
"""

from __future__ import annotations

import numpy as np

from platonic_ase.monitor.diagnosis import Signal
from platonic_ase.monitor.frame import Frame
from platonic_ase.monitor.symmetry.blocks import TaperedMean
from platonic_ase.monitor.symmetry.operations import Operations
from platonic_ase.monitor.symmetry.orbits import Orbits
from platonic_ase.monitor.symmetry.subgroups import Breaking, identify_breaking

WINDOW = 96
"""Frames of a window."""
WINDOWS = 3
"""So many in a row have to agree."""
_AT_ONCE = 8
"""Frames that are taken in together; a window is a multiple of it."""
_AGREE = 0.8
"""Least cosine of the mean displacements of neighbouring windows."""
_STATIC = 0.5
"""Least share of the mean square displacement that the mean displacement makes up."""


class RestingPlace:
    """Mean displacement and mean force over the last windows, in constant memory.

    Parameters
    ----------
    orbits : Orbits
    operations : Operations or None
    flat : float
        Curvature, eV/Å², below which the mean force does not pull the atoms back.

    Attributes
    ----------
    leaning : ndarray, shape (n_atoms, 3)
        Mean displacement over the last windows, Å.
    curvature : float
        κ over them, eV/Å²; infinity until enough windows agree that the atoms rest off their
        sites.
    """

    def __init__(self, orbits: Orbits, operations: Operations | None, flat: float) -> None:
        self._orbits, self._operations, self._flat = orbits, operations, flat
        self._found: Breaking | None = None
        self._shape = (len(orbits.labels), 3)
        self._waiting = np.empty((2, _AT_ONCE, *self._shape))
        self._count = 0  # frames that wait
        self._windows: list[tuple[np.ndarray, np.ndarray, float]] = []
        self._begin()
        self.leaning = np.zeros(self._shape)
        self.curvature = float("inf")

    def add(self, displacements: np.ndarray, forces: np.ndarray) -> None:
        """Add a frame.

        Parameters
        ----------
        displacements : ndarray, shape (n_atoms, 3)
            From the sites of the reference, Å, without a common translation.
        forces : ndarray, shape (n_atoms, 3)
            eV/Å.
        """
        self._waiting[0, self._count] = displacements
        self._waiting[1, self._count] = forces
        self._count += 1
        if self._count < _AT_ONCE:
            return
        self._count = 0
        frames, drifting = self._waiting
        self._displacement.add(frames)
        self._force.add(drifting - drifting.mean(axis=1, keepdims=True))
        self._square += float(np.vdot(frames, frames))
        if self._displacement.full:
            self._windows.append((self._displacement.mean, self._force.mean, self._square / WINDOW))
            del self._windows[:-WINDOWS]
            self._judge()
            self._begin()

    @property
    def suspects(self) -> bool:
        """Whether no mean force pulls the atoms back."""
        return self.curvature < self._flat

    def forget(self) -> None:
        """Forget what was named: the alarm is over."""
        self._found = None

    def louder(self, signal: Signal, frame: Frame, offset: float) -> Signal:
        """Return the louder of the signal given and one's own.

        Parameters
        ----------
        signal : Signal
            Of the test of the time average.
        frame : Frame
        offset : float
            How far off its site an atom has to rest, Å.
        """
        level = 0.0
        if self.suspects:
            level = float(np.sqrt((self.leaning**2).sum(axis=1).max())) / offset
        if level < 1:
            self._found = None
        if level < 1 or level <= signal.level or self._operations is None:
            return signal
        found = self._found = self._found or identify_breaking(
            self._orbits, self._operations, frame.atoms.numbers, self.leaning
        )
        group, curvature = self._orbits.space_group, self.curvature

        def message() -> str:
            return (
                f"{group} is broken: over {WINDOWS * WINDOW} geometries the atoms rest off their "
                f"symmetric sites, and no mean force pulls them back ({curvature:.2g} eV/Å²); "
                f"{found}."
            )

        return Signal(
            kind=signal.kind,
            level=level,
            value=curvature,
            threshold=self._flat,
            unit="eV/Å²",
            message=message,
            advice=signal.advice,
            atoms=found.minority or found.majority,
            category=signal.category,
        )

    def _begin(self) -> None:
        self._displacement = TaperedMean(WINDOW, self._shape)
        self._force = TaperedMean(WINDOW, self._shape)
        self._square = 0.0

    def _judge(self) -> None:
        self.leaning = np.mean([each[0] for each in self._windows], axis=0)
        size = float((self.leaning**2).sum())
        self.curvature = float("inf")
        if len(self._windows) < WINDOWS or size == 0:
            return
        means = [each[0].ravel() for each in self._windows]
        lengths = [float(np.linalg.norm(each)) for each in means]
        agree = all(
            means[k] @ means[k + 1] >= _AGREE * lengths[k] * lengths[k + 1]
            for k in range(WINDOWS - 1)
        )
        static = size >= _STATIC * float(np.mean([each[2] for each in self._windows]))
        if agree and static:
            force = np.mean([each[1] for each in self._windows], axis=0)
            self.curvature = float(-(force * self.leaning).sum() / size)
