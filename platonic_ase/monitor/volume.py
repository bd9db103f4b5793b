"""The volume of a cell, for the watch: needed at each geometry."""

from __future__ import annotations

import numpy as np


def volume_of(cell: np.ndarray) -> float:
    """Volume of a cell, Å³, from its vectors in rows, shape (3, 3); zero where they are flat."""
    (a, b, c), (d, e, f), (g, h, i) = cell.tolist()
    volume: float = abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))
    return volume
