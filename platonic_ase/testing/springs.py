r"""A crystal of springs with phonons known in closed form.

Rocksalt with isotropic springs between nearest neighbours,
:math:`E = \tfrac{k}{2} \sum_{\langle ij \rangle} \|u_i - u_j\|^2`: each Cartesian direction is a
diatomic lattice of its own, with

.. math::

    \omega^2_\pm(q) = 3k \left[ \frac{1}{m_1} + \frac{1}{m_2}
    \pm \sqrt{\left(\frac{1}{m_1} - \frac{1}{m_2}\right)^2
    + \frac{4 c^2}{9\, m_1 m_2}} \right], \qquad c = \sum_{x,y,z} \cos(q_x a / 2)
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list

from platonic_ase.testing.geometric import GeometricEncoder

TO_THZ = 15.633302
"""THz for the square root of eV/Å²/u."""


class SpringCrystal(Calculator):
    """Rocksalt held together by nearest-neighbour springs about its ideal sites.

    Parameters
    ----------
    a : float
        Cubic lattice parameter, Å; sites are at multiples of a/2.
    k : float
        Spring constant, eV/Å²; a negative one makes every optical mode imaginary.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, a: float = 5.6, k: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.a, self.k = a, k

    @property
    def constants(self) -> tuple[float, ...]:
        """What tells one crystal of springs from another."""
        return self.a, self.k

    def structure(self, symbols: str = "NaCl") -> Atoms:
        """The primitive cell at rest."""
        return bulk(symbols, "rocksalt", a=self.a)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute energy (eV) and forces (eV/Å)."""
        super().calculate(atoms, properties, system_changes)
        step = self.a / 2
        ideal = self.atoms.copy()
        ideal.positions = np.rint(self.atoms.positions / step) * step
        shift = self.atoms.positions - ideal.positions
        first, second = neighbor_list("ij", ideal, 1.1 * step)
        stretch = shift[first] - shift[second]
        forces = np.zeros_like(shift)
        np.add.at(forces, first, -self.k * stretch)
        self.results = {"energy": 0.25 * self.k * float((stretch**2).sum()), "forces": forces}


def spring_frequencies(calculator: SpringCrystal, atoms: Atoms, q: np.ndarray) -> np.ndarray:
    """Exact frequencies of a spring crystal.

    Parameters
    ----------
    calculator : SpringCrystal
    atoms : Atoms
        Primitive cell of two atoms.
    q : ndarray, shape (n, 3)
        Wave vectors in reciprocal vectors of that cell.

    Returns
    -------
    ndarray, shape (n, 6)
        THz, ascending; imaginary ones negative.
    """
    cartesian = 2 * np.pi * q @ atoms.cell.reciprocal().array
    c = np.cos(cartesian * calculator.a / 2).sum(axis=1)
    m, n = atoms.get_masses()
    root = np.sqrt((1 / m - 1 / n) ** 2 + 4 * c**2 / (9 * m * n))
    squares = 3 * calculator.k * np.stack([1 / m + 1 / n - root, 1 / m + 1 / n + root], axis=1)
    frequencies = np.sign(squares) * np.sqrt(np.abs(squares)) * TO_THZ
    return np.sort(np.repeat(frequencies, 3, axis=1), axis=1)


class SpringEncoder(GeometricEncoder):
    """Radial features of the structure as the embeddings of a spring crystal."""

    name = "springs"
    package = "platonic_ase"

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is a spring crystal."""
        return isinstance(calculator, SpringCrystal)

    @property
    def model_name(self) -> str:
        """Name of the potential."""
        return "springs"

    @property
    def fingerprint(self) -> str:
        """Hash of the parameters."""
        described = " ".join(map(repr, self.calculator.constants))
        return hashlib.sha256(described.encode()).hexdigest()[:32]

    @property
    def elements(self) -> None:  # type: ignore[override]
        """Any element will do."""
        return None
