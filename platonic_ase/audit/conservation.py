"""Are forces the gradient of an energy? Force constants, and work around a closed loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

CONSERVATIVE = 1e-2
"""Relative asymmetry of force constants below which single precision and the step explain it."""
STEP, OTHER_STEPS = 0.01, (0.0025, 0.06)
"""Displacements, Å. Forces that are no gradient give the same asymmetry at each of them; what a
kink, a rough surface or rounding adds depends on the step."""
VARIES = 2.0
"""By this factor at least."""


@dataclass(frozen=True)
class ForceConstantAsymmetry:
    """Laws that force constants obey if forces are the gradient of an invariant energy.

    Attributes
    ----------
    relative : float
        ‖Φ − Φᵀ‖ / ‖Φ‖ over the displaced atoms (Frobenius norms): 0 for a gradient, at most 2.
    largest : float
        Largest element of Φ − Φᵀ, eV/Å².
    acoustic_sum : float
        Largest change of the total force with the displacement of one atom, eV/Å²: 0 if the
        energy is invariant under translations.
    norm : float
        ‖Φ‖ over the displaced atoms, eV/Å².
    step : float
        Displacement, Å.
    displaced : tuple of int
        Atoms that were displaced.
    """

    relative: float
    largest: float
    acoustic_sum: float
    norm: float
    step: float
    displaced: tuple[int, ...]

    @property
    def conservative(self) -> bool:
        """Whether the asymmetry is no more than single precision and the step explain."""
        return self.relative < CONSERVATIVE

    @property
    def size(self) -> float:
        """‖Φ − Φᵀ‖, eV/Å²."""
        return self.relative * self.norm

    @property
    def translation_invariant(self) -> bool:
        """Whether the acoustic sum is as small beside the rms stiffness of a displaced atom."""
        stiffness = self.norm / np.sqrt(3 * len(self.displaced))
        return bool(self.acoustic_sum < CONSERVATIVE * stiffness)


@dataclass(frozen=True)
class LoopWork:
    r"""Work around a closed loop, :math:`\oint F \cdot dx`: 0 if forces are a gradient.

    Attributes
    ----------
    work : float
        In eV.
    relative : float
        Its size over that of :math:`\oint |F \cdot dx|`.
    quadrature : float
        How much the work changes with half the points, eV; below it, work means nothing.
    radius : float
        Root-mean-square displacement of an atom on the loop, Å.
    points : int
        Geometries on the loop.
    """

    work: float
    relative: float
    quadrature: float
    radius: float
    points: int


def force_constant_asymmetry(
    calculator: Any,
    atoms: Atoms,
    *,
    displaced: Sequence[int] | None = None,
    step: float = STEP,
    done: Callable[[], object] = lambda: None,
) -> ForceConstantAsymmetry:
    r"""Force constants by central differences, and how far they are from symmetric.

    .. math:: \Phi_{i\alpha,j\beta} = -\frac{F_{j\beta}(u_{i\alpha} = h) -
              F_{j\beta}(u_{i\alpha} = -h)}{2h}

    Parameters
    ----------
    calculator : ase calculator
    atoms : Atoms
        Near equilibrium, best a supercell.
    displaced : sequence of int, optional
        Atoms to displace, six calculations each; the first four by default.
    step : float
        h in Å; smaller steps amplify rounding, larger ones anharmonicity.
    done : callable
        Called after every two calculations.
    """
    chosen = tuple(range(min(4, len(atoms)))) if displaced is None else tuple(displaced)
    rows = np.empty((len(chosen), 3, len(atoms), 3))
    moved = atoms.copy()
    for row, atom in enumerate(chosen):
        for axis in range(3):
            there, back = (
                _forces(calculator, moved, atoms.positions, atom, axis, h) for h in (step, -step)
            )
            rows[row, axis] = -(there - back) / (2 * step)
            done()
    block = rows[:, :, list(chosen)].reshape(3 * len(chosen), -1)
    asymmetry = block - block.T
    return ForceConstantAsymmetry(
        relative=float(np.linalg.norm(asymmetry) / np.linalg.norm(block)),
        largest=float(np.abs(asymmetry).max()),
        acoustic_sum=float(np.abs(rows.sum(axis=2)).max()),
        norm=float(np.linalg.norm(block)),
        step=step,
        displaced=chosen,
    )


def closed_loop_work(
    calculator: Any,
    atoms: Atoms,
    *,
    radius: float = 0.05,
    points: int = 16,
    seed: int = 0,
    done: Callable[[], object] = lambda: None,
) -> LoopWork:
    r"""Work of the forces around a circle in a random plane of the configuration space.

    The trapezoidal rule on a circle converges exponentially for smooth forces; the change with
    half the points says how far it has.

    Parameters
    ----------
    calculator : ase calculator
    atoms : Atoms
        Centre of the loop.
    radius : float
        Root-mean-square displacement of an atom, Å.
    points : int
        Geometries to calculate; an even number.
    seed : int
        Of the plane.
    done : callable
        Called after each calculation.
    """
    plane = np.random.default_rng(seed).normal(size=(3 * len(atoms), 2))
    first, second = np.linalg.qr(plane)[0].T.reshape(2, -1, 3) * radius * np.sqrt(len(atoms))
    moved = atoms.copy()
    powers = np.empty(points)
    angles = 2 * np.pi * np.arange(points) / points
    for k, angle in enumerate(angles):
        moved.positions = atoms.positions + np.cos(angle) * first + np.sin(angle) * second
        tangent = np.cos(angle) * second - np.sin(angle) * first
        powers[k] = np.sum(calculator.get_property("forces", moved) * tangent)
        done()
    work = 2 * np.pi * float(powers.mean())
    half = 2 * np.pi * float(powers[::2].mean())
    return LoopWork(
        work=work,
        relative=abs(work) / (2 * np.pi * float(np.abs(powers).mean())),
        quadrature=abs(work - half),
        radius=radius,
        points=points,
    )


def _forces(
    calculator: Any, moved: Atoms, start: np.ndarray, atom: int, axis: int, step: float
) -> np.ndarray:
    moved.positions = start
    moved.positions[atom, axis] += step
    return np.array(calculator.get_property("forces", moved), dtype=float)
