"""Where a run comes from: the process, the machine, and what its dynamics say of themselves."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

from ase import units

_TEMPERATURES = {
    "temp": 1 / units.kB,
    "_kT": 1 / units.kB,
    "temperature": 1.0,
    "temperature_K": 1.0,
}
"""Where ASE's thermostats keep it, and its unit there in K."""


def of_process() -> dict[str, Any]:
    """Command line, host and process id."""
    return {
        "command": " ".join(sys.argv),
        "host": platform.node(),
        "process": os.getpid(),
    }


def of_dynamics(dynamics: Any) -> dict[str, Any]:
    """What an ASE dynamics or optimiser object is, and the step and temperature that it has.

    Parameters
    ----------
    dynamics : ase.md or ase.optimize object

    Returns
    -------
    dict
        ``dynamics``, its class; in MD ``timestep_fs``; with a thermostat ``temperature_K``.
    """
    found: dict[str, Any] = {"dynamics": type(dynamics).__name__}
    if not hasattr(dynamics, "get_time"):
        return found
    step = getattr(dynamics, "dt", None)
    if isinstance(step, (int, float)):
        found["timestep_fs"] = step / units.fs
    for name, factor in _TEMPERATURES.items():
        value = vars(dynamics).get(name)
        if isinstance(value, (int, float)):
            found["temperature_K"] = value * factor
            break
    return found
