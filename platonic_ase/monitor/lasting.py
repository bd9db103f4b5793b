"""Whether an alarm lasts, which a trajectory has to show, and which atoms are beyond it."""

from __future__ import annotations

import numpy as np

from platonic_ase.monitor.frame import Frame


def lasting_level(recent: list[float], value: float, frame: Frame, persistence: int) -> float:
    """Smallest value of the last few geometries of a trajectory, or the value itself.

    Thermal motion takes an atom beyond a limit for an instant, so that in molecular dynamics the
    last ``persistence`` geometries have to be above it. A structure that is calculated once, the
    first of a trajectory, a volume of an equation of state or a step of a relaxation is no
    fluctuation: it counts by itself.

    Parameters
    ----------
    recent : list of float
        Values of the latest geometries of this trajectory, at most ``persistence`` of them;
        updated, unless the geometry was seen before.
    value : float
        Of this geometry.
    frame : Frame
    persistence : int
        At least 1.
    """
    if not frame.revisited:
        recent.append(value)
        del recent[:-persistence]
    return min(recent) if frame.moving and recent else value


def worst_first(values: np.ndarray, sizes: np.ndarray, limit: float) -> tuple[int, ...]:
    """Atoms whose value is at least a limit, those of the largest size first.

    Parameters
    ----------
    values, sizes : ndarray, shape (n_atoms,)
    limit : float
    """
    found = np.flatnonzero(values >= limit)
    if len(found):
        found = found[np.argsort(-sizes[found], kind="stable")]
    return tuple(found.tolist())
