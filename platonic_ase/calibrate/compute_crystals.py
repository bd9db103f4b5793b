"""Phonons of crystals by one model, one file a crystal, so that an interrupted run goes on."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import covalent_radii

from platonic_ase.calibrate.materials import SUPERCELLS, Material, bulk_cell
from platonic_ase.outputs import write_atomically
from platonic_ase.phonons import run_phonon
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.runs.placement import HERE, Lost, Parcel, Placement, facts_of
from platonic_ase.space.json_text import parse_json

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator

logger = logging.getLogger("platonic_ase")

DISPLACEMENT, MESH, FMAX = 0.03, (9, 9, 9), 1e-3
"""Å, points along each axis, and eV/Å after relaxation."""
SETTINGS = {"displacement_A": DISPLACEMENT, "mesh": [*MESH], "fmax_eV_A": FMAX}


@dataclass(frozen=True)
class ComputedCrystal:
    """What a model says of one crystal.

    Attributes
    ----------
    formula, prototype : str
    supercell_atoms : int
    quantiles : tuple of float, length 17
        Of its spectrum, THz.
    mean, lowest : float
        THz, on the mesh.
    features : DisplacementFeatures
    """

    formula: str
    prototype: str
    supercell_atoms: int
    quantiles: tuple[float, ...]
    mean: float
    lowest: float
    features: DisplacementFeatures


def compute_crystals(
    calculator: PlatonicCalculator,
    materials: Iterable[Material],
    folder: str | os.PathLike[str],
    *,
    placement: Placement = HERE,
    progress: bool = True,
) -> dict[str, ComputedCrystal]:
    """Phonons of crystals, each at the model's own minimum; an interrupted run goes on.

    Parameters
    ----------
    calculator : PlatonicCalculator
        With a policy that does not end runs, such as ``on_warning="ignore"``.
    materials : iterable of Material
    folder : path-like
        One JSON file a crystal; what another model or other settings wrote is computed anew. A
        crystal that failed is not tried again before its file is removed.
    placement : Placement
        Where the phonons are computed: in this process by default, or over Dask.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    dict of str to ComputedCrystal
        By the key of the material, without those that failed.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C; what is finished is kept, and taken over by the next run.
    """
    from tqdm.auto import tqdm

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    materials = list(materials)
    stored = {
        each.key: read_crystal(folder / f"{each.key}.json", _made(calculator, each))
        for each in materials
    }
    missing = [
        Parcel((each,), number) for number, each in enumerate(materials) if stored[each.key] is None
    ]
    work = CrystalWork(calculator)
    with (
        placement.engine(work, CrystalWorker(calculator, folder)) as engine,
        tqdm(total=len(materials), desc="crystals", disable=not progress) as bar,
    ):
        bar.update(len(materials) - len(missing))
        for parcel, result in engine.results(missing):
            (material,) = parcel.items
            made = {"failed": result.error} if isinstance(result, Lost) else result
            record = {**_made(calculator, material), **made}
            write_crystal(folder / f"{material.key}.json", record)
            stored[material.key] = record
            bar.update()
    found: dict[str, ComputedCrystal] = {}
    for key, known in stored.items():
        assert known is not None
        if "failed" in known:
            logger.warning("%s is left out: %s", key, known["failed"])
        else:
            found[key] = _crystal(known["crystal"])
    return found


@dataclass(frozen=True)
class CrystalWork:
    """See :class:`~platonic_ase.runs.placement.Work`.

    Parameters
    ----------
    calculator : PlatonicCalculator
    """

    calculator: PlatonicCalculator

    def open(self) -> CrystalWorker:
        """Use the calculator, which was pickled."""
        return CrystalWorker(self.calculator)

    def name(self, item: Material) -> str:
        """Formula and prototype."""
        return item.key


class CrystalWorker:
    """See :class:`~platonic_ase.runs.placement.Worker`.

    Parameters
    ----------
    calculator : PlatonicCalculator
    folder : Path, optional
        Where parts of an unfinished crystal are kept.
    """

    def __init__(self, calculator: PlatonicCalculator, folder: Path | None = None) -> None:
        self._calculator, self._folder = calculator, folder

    @property
    def facts(self) -> Mapping[str, str]:
        """Versions, fingerprint, anchors."""
        anchors = self._calculator.anchors.digest
        return {**facts_of(self._calculator.encoder), "anchors": anchors}

    def do(self, items: Sequence[Material]) -> dict[str, Any]:
        """What is stored of one crystal."""
        (material,) = items
        try:
            return {"crystal": _compute(self._calculator, material, self._folder)}
        except (ArithmeticError, RuntimeError, ValueError) as error:
            return {"failed": str(error)}


def _made(calculator: PlatonicCalculator, material: Material) -> dict[str, Any]:
    """What a stored crystal has to be of, to be taken over."""
    supercell = np.array(SUPERCELLS[material.prototype]).tolist()
    return {
        "identity": calculator.encoder.identity.to_dict(),
        "settings": {**SETTINGS, "supercell": supercell},
    }


def start(calculator: PlatonicCalculator, material: Material) -> Atoms:
    """The ideal cell at the lowest energy minimum over the bond length.

    The bond is scanned from 0.8 to 1.26 times the sum of the covalent radii.

    Raises
    ------
    RuntimeError
        If there is no minimum.
    """
    radii = covalent_radii[np.unique(bulk_cell(material, 2.0).numbers)].sum()
    bonds = radii * np.arange(0.80, 1.2601, 0.02)
    energies = []
    for bond in bonds:
        atoms = bulk_cell(material, bond)
        atoms.calc = calculator.calculator  # the bare model: nothing of this is a run
        energies.append(atoms.get_potential_energy())
    inside = range(1, len(bonds) - 1)
    minima = [i for i in inside if energies[i] <= min(energies[i - 1], energies[i + 1])]
    if not minima:
        raise RuntimeError(
            f"no energy minimum between bonds of {bonds[0]:.2f} and {bonds[-1]:.2f} Å"
        )
    return bulk_cell(material, bonds[min(minima, key=lambda i: energies[i])])


def _compute(
    calculator: PlatonicCalculator, material: Material, folder: Path | None
) -> dict[str, Any]:
    result = run_phonon(
        start(calculator, material),
        calculator,
        supercell=SUPERCELLS[material.prototype],
        displacement=DISPLACEMENT,
        mesh=MESH,
        fmax=FMAX,
        store=None if folder is None else folder / f"{material.key}.parts",
        progress=False,
    )
    if result.ended == "interrupted":
        raise KeyboardInterrupt
    spectrum, relaxation = result.spectrum, result.relaxation
    if spectrum is None or result.features is None:
        raise RuntimeError(f"the run ended early: {result.ended}")
    if relaxation is None or not relaxation.converged:
        raise RuntimeError("the relaxation did not converge")
    features = result.features.to_dict()
    return {
        "formula": material.formula,
        "prototype": material.prototype,
        "supercell_atoms": len(result.phonon.supercell),
        "quantiles": spectrum.quantiles.tolist(),
        "mean": spectrum.mean,
        "lowest": float(spectrum.frequencies.min()),
        "features": {k: v for k, v in features.items() if np.isfinite(v)},
    }


def _crystal(stored: Mapping[str, Any]) -> ComputedCrystal:
    names = DisplacementFeatures.__dataclass_fields__
    features = {name: stored["features"].get(name, np.nan) for name in names}
    return ComputedCrystal(
        **{
            **stored,
            "quantiles": tuple(stored["quantiles"]),
            "features": DisplacementFeatures(**features),
        }
    )


def read_crystal(path: Path, made: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an earlier run of the same model and settings left, or None."""
    try:
        stored: dict[str, Any] = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    same = all(stored.get(name) == json.loads(json.dumps(value)) for name, value in made.items())
    return stored if same and ("crystal" in stored or "failed" in stored) else None


def write_crystal(path: Path, stored: Mapping[str, Any]) -> None:
    """Write a crystal's file, whole or not at all."""
    write_atomically(path, json.dumps(stored, indent=1) + "\n")
