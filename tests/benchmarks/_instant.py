"""A torch model whose forward takes microseconds, watched with the packs of CHGNet 0.3.0.

Each atom is bound to its own site by a spring. Its embedding is one of CHGNet's of an atom of its
element, moved along fixed directions in proportion to its displacement, by 2.4 per Å: in molecular
dynamics at 300 K it moves as far as those of NaCl in CHGNet. Where it is to be unfamiliar, it is
as short as a cosine, far from all that CHGNet knows, so that the alarm of the force error is up.
The encoder says that it is CHGNet, so that anchors, reference set, force bound and phonon risk are
those of a real model.
"""

from contextlib import AbstractContextManager

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from platonic_ase.models.encoder import Encoder, Receiver
from platonic_ase.models.hooks import output_of
from platonic_ase.monitor.force_bound import ForceBound
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.folders import packaged_folder
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.neighbours import nearest_distances
from platonic_ase.space.projection import unit_rows
from platonic_ase.space.reference import ReferenceManifold

SPRING = 5.0
"""eV/Å²"""
BULK_MODULUS = 0.5
"""eV/Å³"""


class Springs(torch.nn.Module):
    """Embeddings, shape (n_atoms, d), of displacements from the sites, shape (n_atoms, 3)."""

    def __init__(self, points: dict[int, np.ndarray], width: int, response: float) -> None:
        super().__init__()
        table = torch.zeros(120, width)
        for number, point in points.items():
            table[number] = torch.as_tensor(point)
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("table", table)
        self.register_buffer("directions", response * torch.randn(3, width, generator=generator))
        self.features = torch.nn.Identity()

    def forward(self, displacements: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.features(self.table[numbers] + displacements.abs() @ self.directions)
            return -SPRING * displacements


class InstantCalculator(Calculator):
    """Energy, forces and stress of atoms on springs; the sites follow the cell.

    The centre of mass is free, and the cell has a bulk modulus about the volume of the sites.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, sites: Atoms, *, familiar: bool = True) -> None:
        super().__init__()
        self.volume = sites.cell.volume
        self.fractional = np.linalg.solve(sites.cell.array.T, sites.positions.T).T
        anchors = AnchorSet.load(_pack("anchors"))
        reference = ReferenceManifold.load(_pack("reference"))
        back = np.linalg.pinv(unit_rows(anchors.embeddings.astype(float), anchors.centre)).T
        points = {}
        scale = ForceBound.load(_pack("forces")).scale
        for number in set(sites.numbers.tolist()):
            if familiar:
                known = scale.references[scale.reference_numbers == number]
                far = nearest_distances(known, known, min(4, len(known)))[0].mean(axis=1)
                points[number] = known[np.argsort(far)[len(far) // 2]]  # as usual as any
                continue
            first = int(np.flatnonzero(reference.numbers == number)[0])
            points[number] = reference.platonic[first].astype(float) @ back
            if anchors.centre is not None:
                points[number] = points[number] + anchors.centre
        self.identity = anchors.identity
        self.model = Springs(points, anchors.identity.width, 0.3 if familiar else 0.05)

    def calculate(self, atoms=None, properties=None, system_changes=all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        displacements = self.atoms.positions - self.fractional @ self.atoms.cell.array
        displacements -= displacements.mean(axis=0)
        strain = self.atoms.cell.volume / self.volume - 1
        forces = self.model(
            torch.as_tensor(displacements, dtype=torch.float32), torch.as_tensor(self.atoms.numbers)
        ).numpy()
        energy = 0.5 * SPRING * float(np.vdot(displacements, displacements))
        energy += 0.5 * BULK_MODULUS * self.volume * strain**2
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces,
            "stress": BULK_MODULUS * strain * np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
        }


class InstantEncoder(Encoder):
    """Reads the features; says that the model is CHGNet."""

    name = "instant"
    package = "chgnet"
    layers = ("penultimate",)

    @classmethod
    def recognises(cls, calculator) -> bool:
        return isinstance(calculator, InstantCalculator)

    @property
    def identity(self) -> ModelIdentity:  # type: ignore[override]
        return self.calculator.identity

    @property
    def width(self) -> int:
        return self.identity.width

    def listen(self, receive: Receiver) -> AbstractContextManager[None]:
        return output_of(self.calculator.model.features, receive)


def _pack(kind: str):
    return next(packaged_folder().glob(f"chgnet-0.3.0-*.{kind}.safetensors"))
