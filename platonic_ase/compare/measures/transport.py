"""Optimal transport between two clouds of atoms, and how much of it lands where it should.

All functions take NumPy arrays or torch tensors (both of one kind, on one device) and compute
with POT's backend for them. `x` has shape (n, d), `y` shape (m, d) in the same space, such as
Platonic coordinates with the same anchors; weights are uniform.

References
----------
R. Flamary et al., POT: Python Optimal Transport, J. Mach. Learn. Res. 22, 1 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from platonic_ase.space._checks import as_points, chunks

_ROWS = 1024


@dataclass(frozen=True)
class Transport:
    """A transport plan and its cost.

    Attributes
    ----------
    plan
        Shape (n, m), sums to 1. Entry (i, j) is the mass that goes from atom i to atom j.
    cost
        `Σ_ij P_ij C_ij`, in units of the cost `C`.
    """

    plan: Any
    cost: float


def exact_transport(x: Any, y: Any) -> Transport:
    """Return the plan of least `Σ P_ij |x_i - y_j|²`, by network simplex: O(n³), n to about 10⁴.

    References
    ----------
    N. Bonneel et al., ACM Trans. Graph. 30, 158 (2011), doi:10.1145/2070781.2024192.
    """
    import ot

    x, y = _pair(x, y)
    cost = ot.dist(x, y)
    plan = ot.emd([], [], cost, numItermax=10_000_000)
    return Transport(plan, float((plan * cost).sum()))


def wasserstein(x: Any, y: Any) -> float:
    """Return the 2-Wasserstein distance `√(min_P Σ P_ij |x_i - y_j|²)`, in units of x."""
    return float(np.sqrt(max(exact_transport(x, y).cost, 0.0)))


def entropic_transport(
    x: Any,
    y: Any,
    *,
    regularisation: float = 0.05,
    tolerance: float = 1e-4,
    max_iterations: int = 2000,
) -> Transport:
    """Return the plan of least `Σ P_ij C_ij + ε Σ P_ij log P_ij`, `C_ij = |x_i - y_j|²`.

    POT's Sinkhorn iterations in the logarithmic domain, in the precision of the input. Several
    n × m arrays are held at a time.

    Parameters
    ----------
    x, y
        Shapes (n, d) and (m, d).
    regularisation
        ε in units of the mean of C. Smaller is sharper and slower.
    tolerance
        Largest error of a marginal (its Euclidean norm), of a mass of 1.
    max_iterations
        Limit after which a plan that has not converged is an error.

    References
    ----------
    M. Cuturi, NeurIPS 2013, arXiv:1306.0895; J. Feydy et al., AISTATS 2019, arXiv:1810.08278.
    """
    import ot

    x, y = _pair(x, y)
    if not regularisation > 0:
        raise ValueError(
            f"regularisation is {regularisation}; it must be positive: use exact_transport for none"
        )
    cost = ot.dist(x, y)
    epsilon = regularisation * float(cost.mean())
    if epsilon == 0:
        raise ValueError("all points are equal; there is nothing to transport")
    with np.errstate(over="ignore"):  # of entries that POT's solver never uses
        plan, log = ot.sinkhorn(
            [],
            [],
            cost,
            epsilon,
            method="sinkhorn_log",
            numItermax=max_iterations,
            stopThr=tolerance,
            warn=False,
            log=True,
        )
    error = float(log["err"][-1])
    if not error < tolerance:
        raise RuntimeError(
            f"Sinkhorn's iterations left a marginal error of {error:.1e} after {max_iterations} "
            f"(tolerance {tolerance:.1e}); raise regularisation, tolerance or max_iterations"
        )
    return Transport(plan, float((plan * cost).sum()))


def gromov_wasserstein(x: Any, y: Any, *, regularisation: float | None = None) -> Transport:
    """Return the transport that keeps distances, for spaces without common anchors.

    `min_P Σ_ijkl P_ij P_kl (D_ik - D'_jl)²` with the Euclidean distances `D` within x and `D'`
    within y, each divided by its root mean square, so that the units of neither matter. The better
    of two local minima, from the uniform plan and from the plan of Mémoli's third lower bound,
    which matches points by how far all others are from them; O(n³) each iteration, n to a few
    thousand.

    Parameters
    ----------
    x, y
        Shapes (n, d_x) and (m, d_y).
    regularisation
        Entropic regularisation of the dimensionless problem; none by default.

    References
    ----------
    F. Mémoli, Found. Comput. Math. 11, 417 (2011), doi:10.1007/s10208-011-9093-5; G. Peyré,
    M. Cuturi and J. Solomon, Proc. ICML 2016.
    """
    x, y = _pair(x, y, same_space=False)
    return match_distances(
        relative_distances(x), relative_distances(y), regularisation=regularisation
    )


def relative_distances(points: Any) -> Any:
    """Return Euclidean distances over their root mean square, shape (n, n)."""
    import ot

    distances = ot.dist(points, points, metric="euclidean")
    size = (distances**2).mean() ** 0.5
    if size == 0:
        raise ValueError("all points of one cloud are equal; there are no distances to keep")
    return distances / size


def match_distances(first: Any, second: Any, *, regularisation: float | None = None) -> Transport:
    """Return the plan of `gromov_wasserstein` for matrices of distances."""
    import ot

    found = []
    for start in (None, _by_distances(first, second)):
        if regularisation is None:
            plan, log = ot.gromov.gromov_wasserstein(first, second, G0=start, log=True)
        else:
            plan, log = ot.gromov.entropic_gromov_wasserstein(
                first, second, epsilon=regularisation, G0=start, log=True, numItermax=10_000
            )
        found.append(Transport(plan, float(log["gw_dist"])))
    return min(found, key=lambda transport: transport.cost)


def _by_distances(first: Any, second: Any) -> Any:
    """Plan that matches points whose distances to all others have the same distribution."""
    import ot

    nx = ot.backend.get_backend(first, second)
    levels = np.linspace(0, 1, min(len(first), len(second)))
    quantiles = [np.quantile(nx.to_numpy(d), levels, axis=1).T for d in (first, second)]
    plan = ot.emd([], [], ot.dist(*(np.ascontiguousarray(q) for q in quantiles)))
    return nx.from_numpy(plan, type_as=first)


def label_accuracy(plan: Any, x_labels: ArrayLike, y_labels: ArrayLike) -> float:
    """Return the share of the mass of a plan that goes to an atom with the same label.

    Parameters
    ----------
    plan
        `Transport.plan`, shape (n, m).
    x_labels, y_labels
        Shapes (n,) and (m,): the atom's index, its element, its orbit, ...
    """
    import ot

    x_codes, y_codes = _codes(x_labels, y_labels)
    if (len(x_codes), len(y_codes)) != tuple(plan.shape):
        raise ValueError(
            f"a plan of shape {tuple(plan.shape)} came with {len(x_codes)} and {len(y_codes)} "
            "labels; give one label per row and one per column"
        )
    matched = total = 0.0
    for rows in chunks(len(x_codes), _ROWS):
        block = plan[rows]
        block = ot.backend.get_backend(block).to_numpy(block)
        total += float(block.sum(dtype=np.float64))
        matched += float(block[x_codes[rows, None] == y_codes].sum(dtype=np.float64))
    return matched / total


def chance_accuracy(x_labels: ArrayLike, y_labels: ArrayLike) -> float:
    """Return the `label_accuracy` of the plan that sends every atom everywhere."""
    x_codes, y_codes = _codes(x_labels, y_labels)
    n_labels = max(x_codes.max(), y_codes.max()) + 1
    shares = [np.bincount(codes, minlength=n_labels) / len(codes) for codes in (x_codes, y_codes)]
    return float(shares[0] @ shares[1])


def _pair(x: Any, y: Any, *, same_space: bool = True) -> tuple[Any, Any]:
    """Check two clouds; torch tensors stay tensors, without their graph."""
    tensors = [hasattr(points, "detach") for points in (x, y)]
    if any(tensors) and not all(tensors):
        raise ValueError("x and y are a torch tensor and an array; convert one to the other's kind")
    if all(tensors):
        x, y = x.detach(), y.detach()
        for name, points in (("x", x), ("y", y)):
            as_points(points.cpu().numpy(), name)
    else:
        x, y = as_points(x, "x"), as_points(y, "y")
    if same_space and x.shape[1] != y.shape[1]:
        raise ValueError(
            f"x has {x.shape[1]} columns and y has {y.shape[1]}; project both onto the same "
            "anchors, or use gromov_wasserstein"
        )
    return x, y


def _codes(x_labels: ArrayLike, y_labels: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    x, y = np.asarray(x_labels), np.asarray(y_labels)
    codes = np.unique(np.concatenate([x, y]), return_inverse=True)[1]
    return codes[: len(x)], codes[len(x) :]
