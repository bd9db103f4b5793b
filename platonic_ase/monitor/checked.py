"""Whether a log can hold what a diagnostic says, found out before anything is written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from platonic_ase.monitor.diagnosis import Finding

_NUMBER = (int, float, np.number)


def checked(finding: Finding, n_atoms: int | None, with_facts: bool = True) -> Finding:
    """Refuse a finding that JSON cannot hold; turn numbers of numpy into Python's.

    Parameters
    ----------
    finding : Finding
    n_atoms : int or None
        None where it need not be looked at.
    with_facts : bool
        Whether to look at the facts, which are written once per track.

    Returns
    -------
    Finding
        The same one where nothing had to be changed. Its scalars are Python floats, all finite:
        one that is not says that there is nothing to report.

    Raises
    ------
    TypeError, ValueError
        If scalars, series or risks are no numbers, per-atom values are no numbers of shape
        (n_atoms,), or facts are not JSON.
    """
    for name, values in finding.per_atom.items():
        array = values if type(values) is np.ndarray else np.asarray(values)
        if (n_atoms is not None and array.shape != (n_atoms,)) or array.dtype.kind not in "fiub":
            raise ValueError(
                f"per-atom values {name!r} of shape {array.shape}; numbers of shape "
                f"({n_atoms},) are needed"
            )
    for name, row in finding.series.items():
        if any(type(value) is not float and not isinstance(value, _NUMBER) for value in row):
            raise TypeError(f"the series {name!r} holds something that is no number")
    for name, risk in finding.risks.items():
        if not isinstance(risk, (str, *_NUMBER)):
            raise TypeError(f"the risk {name!r} is {risk!r}; a number or text is needed")
    if with_facts:
        _require_json(finding.facts)
    for value in finding.scalars.values():
        if type(value) is not float or not math.isfinite(value):
            break
    else:
        return finding
    scalars = {name: float(value) for name, value in finding.scalars.items()}
    return replace(finding, scalars={k: v for k, v in scalars.items() if math.isfinite(v)})


def _require_json(value: Any) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"facts have the key {key!r}; text is needed")
            _require_json(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _require_json(item)
    elif not isinstance(value, (str, int, float, np.number, np.bool_, np.ndarray, type(None))):
        raise TypeError(f"facts hold {value!r}, which is not JSON")
