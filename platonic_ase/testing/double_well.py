r"""A crystal whose symmetry breaks, or does not, as it was told.

Rocksalt of cations and anions. With :math:`w_j` the displacement of anion j from the centre of its
six neighbours,

.. math:: E = \sum_j \left( -\tfrac{b}{2} \|w_j\|^2 + \tfrac{c}{4} \sum_\alpha w_{j\alpha}^4 \right)
    + \tfrac{k}{2} \sum_{\langle ij \rangle} \|u_i - u_j\|^2

where the second sum runs over neighbours of one kind. For b > 0 the ground state has
:math:`w_{j\alpha} = \pm\sqrt{b/c}`, the same for all anions: R3m (160) in one of eight domains. For
b < 0 it keeps Fm-3m (225).
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.neighborlist import neighbor_list

from platonic_ase.testing.springs import SpringCrystal


class DoubleWellCrystal(SpringCrystal):
    r"""Rocksalt with anions in double wells about the centres of their neighbours.

    Parameters
    ----------
    depth : float
        b in eV/Å²; positive to break the symmetry.
    width : float
        :math:`\sqrt{|b|/c}` in Å: how far the anions move where the symmetry is broken.
    k : float
        Springs between neighbours of one kind, eV/Å².
    a : float
        Cubic lattice parameter, Å.
    """

    def __init__(
        self, depth: float = 2.0, width: float = 0.3, k: float = 1.0, a: float = 5.6
    ) -> None:
        super().__init__(a, k)
        self.depth, self.width = depth, width
        self._known: tuple[np.ndarray, ...] | None = None

    @property
    def constants(self) -> tuple[float, ...]:
        """What tells one crystal from another."""
        return self.a, self.k, self.depth, self.width

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute energy (eV) and forces (eV/Å)."""
        super(SpringCrystal, self).calculate(atoms, properties, system_changes)
        if self._known is None or len(self._known[0]) != len(self.atoms):
            self._known = self._neighbours(self.atoms)
        sites, anions, around, first, second = self._known
        u = self.atoms.positions - sites
        w = u[anions] - u[around].mean(axis=1)
        b, c = self.depth, abs(self.depth) / self.width**2
        pull = b * w - c * w**3
        stretch = u[first] - u[second]
        forces = np.zeros_like(u)
        forces[anions] += pull
        np.add.at(forces, around, -pull[:, None] / around.shape[1])
        np.add.at(forces, first, -self.k * stretch)
        energy = (-0.5 * b * w**2 + 0.25 * c * w**4).sum() + 0.25 * self.k * (stretch**2).sum()
        self.results = {"energy": float(energy), "forces": forces}

    def _neighbours(self, atoms: Atoms) -> tuple[np.ndarray, ...]:
        step = self.a / 2
        ideal = atoms.copy()
        ideal.positions = np.rint(atoms.positions / step) * step
        anions = np.flatnonzero(np.rint(atoms.positions / step).astype(int).sum(axis=1) % 2)
        near, far = neighbor_list("ij", ideal, 1.1 * step)
        around = np.array([far[near == j] for j in anions])
        first, second, apart = neighbor_list("ijd", ideal, 1.5 * step)
        alike = apart > 1.1 * step
        return ideal.positions, anions, around, first[alike], second[alike]
