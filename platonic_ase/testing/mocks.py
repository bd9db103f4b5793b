"""Torch potentials with known energies and planted defects, to test what watches them."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from torch import Tensor

from platonic_ase.models.encoder import Encoder, Receiver
from platonic_ase.models.hooks import output_of
from platonic_ase.space.anchors import AnchorSet

CUTOFF = 5.0
"""Range of the mock potential, Å."""
DEPTH = 0.5625
"""Value of q at the minimum of the pair energy, see :func:`pair_energy`."""
WIDTH = 8
"""Length of a mock embedding."""


def pair_energy(distance: float) -> float:
    r"""Energy of a pair of atoms of the mock potential, in eV.

    .. math:: \phi(r) = q^2 - 2 q_0 q, \quad q = (1 - r^2 / r_c^2)^2

    with :math:`r_c` = 5 Å and :math:`q_0` = 0.5625: smooth at the cutoff, with its minimum of
    :math:`-q_0^2` at r = 2.5 Å.

    Parameters
    ----------
    distance : float
        In Å.
    """
    q = max(0.0, 1 - (distance / CUTOFF) ** 2) ** 2
    return q * q - 2 * DEPTH * q


class MockPotential(torch.nn.Module):
    """A pair potential with invariant embeddings, and optionally a planted symmetry error.

    Parameters
    ----------
    symmetry_error : float
        Size of the planted error: the atoms of one element are told apart, alternating, so that
        an orbit of an even number of them splits by this much (rms difference of cosines) on the
        axes of :func:`mock_anchors`, to first order.
    seed : int
        Of the weights of the embedding.
    """

    def __init__(self, symmetry_error: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.embed = torch.nn.Linear(5, WIDTH - 1, dtype=torch.float64)
        with torch.no_grad():
            for parameter in self.embed.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        self.plant = _Plant(symmetry_error)
        self.observable = True
        self.forwards = 0

    def forward(self, positions: Tensor, cell: Tensor, numbers: Tensor, images: Tensor) -> Tensor:
        """Energy of each atom, shape (n_atoms,), in eV.

        Parameters
        ----------
        positions : Tensor, shape (n_atoms, 3)
        cell : Tensor, shape (3, 3)
        numbers : Tensor of int, shape (n_atoms,)
        images : Tensor, shape (n_images, 3)
            Lattice points within reach; the first is the origin.
        """
        self.forwards += 1
        # (n_images, n_atoms, n_atoms, 3)
        separation = (
            (images @ cell)[:, None, None] + positions[None, None] - positions[None, :, None]
        )
        squared = (separation**2).sum(dim=-1)
        q = (1 - squared / CUTOFF**2).clamp_min(0.0) ** 2
        itself = torch.zeros_like(q)
        itself[0].fill_diagonal_(1.0)
        q = q * (1 - itself)
        kinds = numbers.to(q.dtype) / 50
        sums = torch.stack(
            [
                q.sum(dim=(0, 2)),
                (q**2).sum(dim=(0, 2)),
                (q**4).sum(dim=(0, 2)),
                (q * kinds).sum(dim=(0, 2)),
                kinds,
            ],
            dim=1,
        )
        features = torch.tanh(self._call(self.embed, sums / sums.new_tensor([6, 4, 2, 4, 1])))
        self._call(self.plant, features, numbers)
        return 0.5 * (sums[:, 1] - 2 * DEPTH * sums[:, 0])

    def _call(self, module: torch.nn.Module, *args: Tensor) -> Tensor:
        # what a compiled model does: its modules run, but their hooks do not
        output: Tensor = module(*args) if self.observable else module.forward(*args)
        return output


class _Plant(torch.nn.Module):
    """Turn features to unit vectors with the planted error along an axis of its own."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = size

    def forward(self, features: Tensor, numbers: Tensor) -> Tensor:
        units = features / features.norm(dim=1, keepdim=True)
        same = numbers[:, None] == numbers[None, :]
        earlier = torch.tril(same, diagonal=-1).sum(dim=1)
        sign = 1.0 - 2.0 * (earlier % 2)
        return torch.cat([units, (math.sqrt(WIDTH) * self.size * sign)[:, None]], dim=1)


class MockCalculator(Calculator):
    """The mock potential as an ASE calculator; computes everything in one pass.

    Parameters
    ----------
    symmetry_error : float
        Planted in the embeddings, see :class:`MockPotential`.
    seed : int
        Of the weights of the embedding; energies do not depend on it.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012

    def __init__(self, symmetry_error: float = 0.0, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = MockPotential(symmetry_error, seed)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute energy (eV), forces (eV/Å) and stress (eV/Å³)."""
        super().calculate(atoms, properties, system_changes)
        self.results = self._evaluate(self.atoms)

    def _evaluate(self, atoms: Atoms) -> dict[str, Any]:
        cell = torch.as_tensor(atoms.cell.array)
        strain = torch.zeros((3, 3), dtype=torch.float64, requires_grad=True)
        positions = torch.as_tensor(atoms.positions).requires_grad_()
        deformation = torch.eye(3, dtype=torch.float64) + 0.5 * (strain + strain.T)
        energies = self.model(
            positions @ deformation,
            cell @ deformation,
            torch.as_tensor(atoms.numbers),
            torch.as_tensor(_images(atoms)),
        )
        energy = energies.sum()
        gradients = torch.autograd.grad(energy, (positions, strain))
        results = {
            "energy": energy.item(),
            "free_energy": energy.item(),
            "energies": energies.detach().numpy(),
            "forces": -gradients[0].numpy(),
        }
        if atoms.cell.rank == 3:
            virial = gradients[1].numpy() / atoms.get_volume()
            results["stress"] = virial.flat[[0, 4, 8, 5, 2, 1]]
        return results


def _images(atoms: Atoms) -> np.ndarray:
    """Lattice points, shape (n, 3), whose cells come within reach; the origin first."""
    reach = np.zeros(3, dtype=int)
    if atoms.pbc.any():
        heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.complete().array), axis=0)
        spread = np.ptp(atoms.cell.scaled_positions(atoms.positions), axis=0)
        reach = np.where(atoms.pbc, np.ceil(CUTOFF / heights + spread), 0).astype(int)
    points = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1)
    points = points.reshape(-1, 3).astype(float)
    return points[np.argsort((points**2).sum(axis=1), kind="stable")]


class LazyMock(MockCalculator):
    """Delivers only what is asked, as some calculators do."""

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute all, keep what was asked."""
        super().calculate(atoms, properties, system_changes)
        asked = set(properties or ["energy"])
        self.results = {name: v for name, v in self.results.items() if name in asked}


class TwoPassMock(MockCalculator):
    """Runs its model twice per geometry, as a calculator that averages does."""

    def _evaluate(self, atoms: Atoms) -> dict[str, Any]:
        super()._evaluate(atoms)
        return super()._evaluate(atoms)


class SilentMock(MockCalculator):
    """Its forward pass cannot be observed, like that of a compiled model."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model.observable = False


class ChargedMock(MockCalculator):
    """Its energy depends on ``atoms.info["charge"]``, by one eV per charge, and it keeps track."""

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Report a changed charge, too."""
        changes: list[str] = list(super().check_state(atoms, tol))
        if self.atoms is None or self.atoms.info.get("charge") != atoms.info.get("charge"):
            changes.append("charge")
        return changes

    def _evaluate(self, atoms: Atoms) -> dict[str, Any]:
        results = super()._evaluate(atoms)
        shift = float(atoms.info.get("charge", 0))
        for name in ("energy", "free_energy"):
            results[name] += shift
        return results


class DirectForceMock(MockCalculator):
    """Forces that are no gradient: ``push`` is added to the force on every atom.

    Parameters
    ----------
    push : sequence of 3 float
        In eV/Å; the net force per atom is its length.
    """

    def __init__(self, push: tuple[float, float, float] = (0.01, 0.0, 0.0), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.push = push

    def _evaluate(self, atoms: Atoms) -> dict[str, Any]:
        results = super()._evaluate(atoms)
        results["forces"] = results["forces"] + np.array(self.push)
        return results


class MockEncoder(Encoder):
    """Reads the embeddings of :class:`MockCalculator`; ``register_encoder`` makes it known."""

    name = "mock"
    package = "platonic_ase"
    layers = ("last",)

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is a mock."""
        return isinstance(calculator, MockCalculator)

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return WIDTH

    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        """Listen to the module that puts the embeddings together."""
        return output_of(self.calculator.model.plant, receive)


def mock_anchors(encoder: Encoder) -> AnchorSet:
    """Coordinate axes as anchors, so that Platonic coordinates are the unit embedding itself.

    Parameters
    ----------
    encoder : Encoder
        Of any model.
    """
    return AnchorSet(
        embeddings=np.eye(encoder.width),
        numbers=np.ones(encoder.width, dtype=int),
        identity=encoder.identity,
        provenance={"source": "coordinate axes"},
    )
