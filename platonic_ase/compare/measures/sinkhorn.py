"""Sinkhorn's iterations with one kernel matrix in memory, stabilised by absorption."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from platonic_ase.space._checks import chunks

_ROWS = 1024
_LOG_RANGE = 20.0  # e^±20 leaves room for sums and products in float32
_LOG_SMALLEST = -70.0  # nothing beside 1, and not yet subnormal, which is slow


def potentials(
    cost: Callable[[slice], Any],
    x_like: Any,
    y_like: Any,
    epsilon: float,
    tolerance: float,
    max_iterations: int,
) -> tuple[Any, Any]:
    """Return f (n,) and g (m,) of the plan `P_ij = exp((f_i + g_j - C_ij) / ε) / √(n m)`.

    POT's lazy solver computes the costs again in every iteration and its dense ones hold several
    n × m arrays; this holds one, and scales it by vectors until they would overflow.

    Parameters
    ----------
    cost
        Returns `C[rows]`, shape (rows, m).
    x_like, y_like
        Any arrays of shapes (n,) and (m,), for the kind, precision and device.
    epsilon
        ε, in units of the cost.
    tolerance
        Largest summed error of the marginals.
    max_iterations
        Limit after which RuntimeError is raised.

    References
    ----------
    B. Schmitzer, SIAM J. Sci. Comput. 41, A1443 (2019), doi:10.1137/16M1106018.
    """
    import ot

    nx = ot.backend.get_backend(x_like, y_like)
    n, m = len(x_like), len(y_like)
    blocks = chunks(n, _ROWS)
    # A start that leaves an entry of 1 in each row and each column, so that none underflows.
    f = nx.concatenate([nx.min(cost(rows), axis=1) for rows in blocks])
    g = cost(slice(0, 1))[0] - f[0]
    for rows in blocks:
        g = nx.minimum(g, nx.min(cost(rows) - f[rows, None], axis=0))
    kernel = nx.zeros((n, m), type_as=x_like)
    u, v = 0 * x_like + 1, 0 * y_like + 1
    row_mass, column_mass = (m / n) ** 0.5, (n / m) ** 0.5  # with these u and v stay around 1
    error, stale = np.inf, True
    for _ in range(max_iterations):
        if stale:
            for rows in blocks:
                exponent = (f[rows, None] + g - cost(rows)) / epsilon
                kernel[rows] = nx.exp(nx.clip(exponent, _LOG_SMALLEST, None))
            u, v, stale = 0 * u + 1, 0 * v + 1, False
        reached = kernel @ v
        error = float(nx.sum(nx.abs(u * reached - row_mass))) / (n * m) ** 0.5
        if error < tolerance:
            return f + epsilon * nx.log(u), g + epsilon * nx.log(v)
        u = row_mass / reached
        v = column_mass / (u @ kernel)
        if max(float(nx.max(nx.abs(nx.log(scaling)))) for scaling in (u, v)) > _LOG_RANGE:
            f, g, stale = f + epsilon * nx.log(u), g + epsilon * nx.log(v), True
    raise RuntimeError(
        f"Sinkhorn's iterations left a marginal error of {error:.1e} after {max_iterations} "
        f"(tolerance {tolerance:.1e}); raise regularisation, tolerance or max_iterations"
    )
