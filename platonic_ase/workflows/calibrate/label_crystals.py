"""Labels for a phonon pack: the same crystals with a model, and with DFT or a better model.

::

    materials = read_materials("phonondb.json")                    # DFT spectra
    rows = label_crystals(calc, materials, "labels")               # resumable
    table = PhononTable("my-model", "My model", rows)
    pack = fit_table(table, "My model, 73 crystals", identity=calc.encoder.identity)

Where DFT is lacking, a better model is the teacher: its spectra stand for the truth.

    lessons = taught(better, [Material("NaBr", "rocksalt"), ...], "teacher")
    rows = label_crystals(calc, lessons, "labels")
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.build import bulk
from ase.data import chemical_symbols, covalent_radii

from platonic_ase.calibration.phonons.spectra import best_log_factor, relative_error
from platonic_ase.calibration.phonons.table import PhononRow
from platonic_ase.diagnostics.chemistry import ELECTRONEGATIVITY
from platonic_ase.diagnostics.displacement import DisplacementFeatures
from platonic_ase.errors import SpaceFileError
from platonic_ase.workflows.phonon import run_phonon
from platonic_ase.workflows.phonon.spectrum import IMAGINARY, LEVELS

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator

logger = logging.getLogger("platonic_ase")

PathLike = str | os.PathLike[str]

_CUBE = ((-2, 2, 2), (2, -2, 2), (2, 2, -2))
SUPERCELLS: Mapping[str, Sequence[Any]] = {
    "rocksalt": _CUBE,
    "zincblende": _CUBE,
    "wurtzite": (3, 3, 2),
    "cesiumchloride": (3, 3, 3),
}
"""Supercells by prototype: 64, 64, 72 and 54 atoms."""
DISPLACEMENT, MESH, FMAX = 0.03, (9, 9, 9), 1e-3
"""Å, points along each axis, and eV/Å after relaxation."""
SETTINGS = {"displacement_A": DISPLACEMENT, "mesh": [*MESH], "fmax_eV_A": FMAX}


@dataclass(frozen=True)
class Material:
    """A crystal, and its true spectrum where one is known.

    Attributes
    ----------
    formula, prototype : str
        A binary, and one of :data:`SUPERCELLS`.
    truth : tuple of float, length 17, or None
        Quantiles of the true spectrum, THz, at equally spaced levels from 0 to 1.
    source : str
        Whose truth it is.
    """

    formula: str
    prototype: str
    truth: tuple[float, ...] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.prototype not in SUPERCELLS:
            raise SpaceFileError(
                f"{self.formula}: prototype {self.prototype!r}; one of {', '.join(SUPERCELLS)} is "
                "needed"
            )
        if self.truth is not None and len(self.truth) != len(LEVELS):
            raise SpaceFileError(
                f"{self.formula}: {len(self.truth)} quantiles; {len(LEVELS)} are needed"
            )

    @property
    def key(self) -> str:
        """Formula and prototype, such as ``"NaCl_rocksalt"``."""
        return f"{self.formula}_{self.prototype}"


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


def read_materials(path: PathLike) -> list[Material]:
    """Read DFT spectra: JSON with ``materials``, each a formula, a prototype and quantiles.

    Raises
    ------
    SpaceFileError
        If the file is no JSON, or lacks a key.
    """
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
        source = f"DFT: {stored.get('source', Path(path).name)}"
        return [
            Material(
                each["formula"],
                each["prototype"],
                tuple(float(q) for q in each["dft_frequency_quantiles_THz"]),
                source,
            )
            for each in stored["materials"]
        ]
    except OSError as error:
        raise SpaceFileError(f"no phonon spectra at {path} ({error.strerror})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SpaceFileError(f"{path} holds no phonon spectra ({error!r})") from error


def label_crystals(
    calculator: PlatonicCalculator,
    materials: Iterable[Material],
    folder: PathLike,
    *,
    progress: bool = True,
) -> tuple[PhononRow, ...]:
    """Phonon errors of a model on crystals whose spectrum is known.

    Parameters
    ----------
    calculator : PlatonicCalculator
        With a policy that does not end runs, such as ``on_warning="ignore"``.
    materials : iterable of Material
        Those without a truth are left out.
    folder : path-like
        See :func:`compute_crystals`.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    tuple of PhononRow
        For :class:`~platonic_ase.calibration.phonons.table.PhononTable`, and with it
        :func:`~platonic_ase.calibration.phonons.table.fit_table`.
    """
    known = [material for material in materials if material.truth is not None]
    computed = compute_crystals(calculator, known, folder, progress=progress)
    return tuple(label(computed[each.key], each) for each in known if each.key in computed)


def taught(
    teacher: PlatonicCalculator,
    materials: Iterable[Material],
    folder: PathLike,
    *,
    progress: bool = True,
) -> list[Material]:
    """The same crystals with the spectra of a better model for the truth.

    Crystals that the teacher itself finds unstable are left out: they teach nothing.

    Parameters
    ----------
    teacher, materials, folder, progress
        See :func:`compute_crystals`.
    """
    materials = list(materials)
    computed = compute_crystals(teacher, materials, folder, progress=progress)
    source = f"teacher: {teacher.encoder.identity.model}"
    return [
        replace(each, truth=computed[each.key].quantiles, source=source)
        for each in materials
        if each.key in computed and computed[each.key].lowest >= IMAGINARY
    ]


def label(crystal: ComputedCrystal, material: Material) -> PhononRow:
    """Compare a computed spectrum with the true one.

    Raises
    ------
    ValueError
        If the material has no true spectrum.
    """
    if material.truth is None:
        raise ValueError(f"{material.key} has no true spectrum")
    truth, quantiles = np.array(material.truth), np.array(crystal.quantiles)
    symbols = {chemical_symbols[z] for z in bulk_cell(material, 2.0).numbers}
    return PhononRow(
        formula=crystal.formula,
        prototype=crystal.prototype,
        anion=max(symbols, key=lambda s: ELECTRONEGATIVITY[chemical_symbols.index(s)]),
        supercell_atoms=crystal.supercell_atoms,
        relative_error=relative_error(quantiles, truth),
        log_factor=best_log_factor(quantiles, truth),
        imaginary=crystal.lowest < IMAGINARY <= truth[0],
        mean=crystal.mean,
        lowest=crystal.lowest,
        quantiles=crystal.quantiles,
        features=crystal.features,
    )


def compute_crystals(
    calculator: PlatonicCalculator,
    materials: Iterable[Material],
    folder: PathLike,
    *,
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
    found: dict[str, ComputedCrystal] = {}
    for material in tqdm(list(materials), desc="crystals", disable=not progress):
        made = {
            "identity": calculator.encoder.identity.to_dict(),
            "settings": {
                **SETTINGS,
                "supercell": np.array(SUPERCELLS[material.prototype]).tolist(),
            },
        }
        path = folder / f"{material.key}.json"
        stored = _read(path, made)
        if stored is None:
            try:
                stored = {**made, "crystal": _compute(calculator, material, folder)}
            except (ArithmeticError, RuntimeError, ValueError) as error:
                stored = {**made, "failed": str(error)}
            _write(path, stored)
        if "failed" in stored:
            logger.warning("%s is left out: %s", material.key, stored["failed"])
        else:
            found[material.key] = _crystal(stored["crystal"])
    return found


def bulk_cell(material: Material, bond: float) -> Atoms:
    """The ideal primitive cell with a nearest-neighbour distance of ``bond`` Å."""
    edge = {
        "rocksalt": 2 * bond,
        "zincblende": 4 * bond / np.sqrt(3),
        "cesiumchloride": 2 * bond / np.sqrt(3),
        "wurtzite": bond * np.sqrt(8 / 3),
    }[material.prototype]
    if material.prototype == "wurtzite":
        return bulk(material.formula, "wurtzite", a=edge, c=edge * np.sqrt(8 / 3))
    return bulk(material.formula, material.prototype, a=edge)


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


def _compute(calculator: PlatonicCalculator, material: Material, folder: Path) -> dict[str, Any]:
    result = run_phonon(
        start(calculator, material),
        calculator,
        supercell=SUPERCELLS[material.prototype],
        displacement=DISPLACEMENT,
        mesh=MESH,
        fmax=FMAX,
        store=folder / f"{material.key}.parts",
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


def _read(path: Path, made: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an earlier run of the same model and settings left, or None."""
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = all(stored.get(name) == json.loads(json.dumps(value)) for name, value in made.items())
    return stored if same and ("crystal" in stored or "failed" in stored) else None


def _write(path: Path, stored: Mapping[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
