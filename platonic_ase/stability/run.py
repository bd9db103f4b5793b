"""Will a symmetric structure break? A forecast from a few displaced supercells."""

from __future__ import annotations

import json as jsonlib
import logging
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase._version import __version__
from platonic_ase.errors import OutputError, RecordingWarning, StructureError
from platonic_ase.monitor.diagnosis import Event
from platonic_ase.monitor.symmetry.orbits import symmetry_dataset
from platonic_ase.outputs import keep_previous, write_atomically
from platonic_ase.phonons.breaking import SymmetryRisk, find_symmetry_risk
from platonic_ase.phonons.crystal import crystal_key
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.phonons.forces import ForceStore, evaluate_supercells
from platonic_ase.phonons.instability import (
    AMPLITUDE,
    follow_soft_modes,
    full_force_constants,
    judge,
)
from platonic_ase.phonons.layers import open_directions
from platonic_ase.phonons.structure import Relaxation, relax_crystal, to_ase
from platonic_ase.phonons.wave_vectors import unheld_points
from platonic_ase.report.display import RunDisplay
from platonic_ase.stability.forecast import SymmetryForecast, forecast_signal
from platonic_ase.structures import check_structure

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator

logger = logging.getLogger("platonic_ase")

MAX_ATOMS = 100
_SYMPREC = 1e-3


@dataclass(frozen=True)
class ForecastResult:
    """A forecast and what it rests on.

    Attributes
    ----------
    atoms : Atoms
        The symmetric structure, relaxed where that was asked for.
    supercell : Atoms
        In which atoms were displaced.
    forecast : SymmetryForecast
    risk : SymmetryRisk or None
        The calibration, the model's own or the universal one; None where no file can be read.
    force_constants : ndarray, shape (n_atoms, n_atoms, 3, 3)
        Of the supercell, eV/Å².
    features : DisplacementFeatures or None
        What the embeddings say of the displaced supercells; no part of the forecast.
    relaxation : Relaxation
    events : tuple of Event
    settings : mapping
    files : mapping of str to Path
        Written, by role.
    """

    atoms: Atoms
    supercell: Atoms
    forecast: SymmetryForecast
    risk: SymmetryRisk | None
    force_constants: np.ndarray
    features: DisplacementFeatures | None
    relaxation: Relaxation
    events: tuple[Event, ...]
    settings: dict[str, Any]
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def formula(self) -> str:
        """Of the symmetric structure."""
        return str(self.atoms.get_chemical_formula("metal", empirical=True))

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return {
            "formula": self.formula,
            **self.forecast.to_dict(),
            "features": None if self.features is None else self.features.to_dict(),
            "relaxation": self.relaxation.to_dict(),
            "settings": self.settings,
            "events": [event.to_dict() for event in self.events],
        }


def run_forecast(
    atoms: Atoms,
    calculator: PlatonicCalculator,
    *,
    supercell: Sequence[int] | None = None,
    displacement: float = 0.03,
    relax: bool = True,
    fmax: float = 2e-3,
    steps: int = 300,
    json: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> ForecastResult:
    """Forecast whether a structure loses its symmetry under this model.

    The structure is relaxed with its space group kept; phonopy chooses single-atom displacements
    in a supercell, one forward pass each gives forces and embeddings; the force constants give the
    softest collective modes, and each of these is followed in one more pass to where an atom has
    moved by 0.1 Å. Some ten passes in all. Instabilities of the cell alone (elastic ones) and of
    wave vectors that the supercell does not hold are not seen.

    Parameters
    ----------
    atoms : Atoms
        The symmetric structure; left as it is.
    calculator : PlatonicCalculator
    supercell : 3 int, optional
        Multiples of the cell; by default the primitive cell doubled along each axis, which holds
        the centre and the middles of the boundary of the Brillouin zone, with at most 100 atoms.
    displacement : float
        Of single atoms, Å.
    relax : bool
        Whether to relax first.
    fmax, steps : float, int
        Convergence (eV/Å) and length of the relaxation.
    json, report : path-like, optional
        Result and HTML report to write; files of earlier runs are kept aside.
    progress : bool
        Whether to show a live panel, or plain lines where there is no terminal.

    Returns
    -------
    ForecastResult
        Its probability is that of the model's own calibration, or of the universal one.

    Raises
    ------
    StructureError
        If the structure is no crystal with a symmetry, or cannot be computed.
    ValueError
        If the displacement is not positive.
    WarningRaised
        If the policy says so.
    """
    check_structure(atoms, calculator.encoder.elements)
    if atoms.cell.rank < 3:
        raise StructureError("a forecast needs a crystal: three cell vectors; set atoms.cell")
    if displacement <= 0:
        raise ValueError(f"displacement = {displacement} Å; a positive length is needed")
    require_symmetry(atoms)
    atoms = primitive(atoms) if supercell is None else atoms.copy()
    atoms.pbc = True
    multiples = doubled(atoms) if supercell is None else tuple(int(n) for n in supercell)
    display = RunDisplay(calculator, shown=progress)
    with calculator.policy.listening() as events, display:
        relaxation = relax_crystal(
            atoms, calculator, relax=relax, fmax=fmax, steps=steps, display=display
        )
        atoms.calc = None
        rest, constants, features = _force_constants(
            atoms, multiples, displacement, calculator, display
        )
        ways = follow_soft_modes(rest, constants, calculator, display)
        risk = find_symmetry_risk(calculator.encoder.identity)
        forecast = SymmetryForecast(
            relaxation.space_group,
            ways,
            judge(ways, risk),
            unheld_points(atoms, multiples),
        )
        if risk is not None:
            calculator.report(replace(forecast_signal(forecast), group=crystal_key(rest)))
    settings = {
        "model": calculator.encoder.identity.model,
        "supercell": list(multiples),
        "supercell_atoms": len(rest),
        "displacement_A": displacement,
        "amplitude_A": AMPLITUDE,
        "fmax_eV_per_A": fmax if relax else None,
        "platonic_ase": __version__,
    }
    result = ForecastResult(
        atoms, rest, forecast, risk, constants, features, relaxation, tuple(events), settings
    )
    calculator.record("forecast", result.to_dict())
    _write(result, json, report)
    return result


def require_symmetry(atoms: Atoms) -> None:
    """Refuse a structure that has no symmetry to lose.

    Raises
    ------
    StructureError
    """
    dataset = _symmetry(atoms)
    if dataset is None or dataset.number == 1:
        raise StructureError(
            f"{atoms.get_chemical_formula()} has space group P1 within {_SYMPREC} Å: there is no "
            "symmetry to lose. Give the symmetric structure, or make the symmetry exact with "
            "ase.spacegroup.symmetrize.refine_symmetry(atoms, symprec=0.1)"
        )


def _symmetry(atoms: Atoms) -> Any:
    return symmetry_dataset(
        (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), _SYMPREC
    )


def primitive(atoms: Atoms) -> Atoms:
    """The primitive cell, as it lies in space; the structure itself where spglib finds none."""
    from ase import Atoms

    dataset = _symmetry(atoms)
    if dataset is None:
        return atoms.copy()
    kept = np.unique(dataset.mapping_to_primitive, return_index=True)[1]
    return Atoms(
        atoms.numbers[kept],
        cell=dataset.primitive_lattice,
        positions=atoms.positions[kept],
        pbc=True,
    )


def doubled(atoms: Atoms, max_atoms: int = MAX_ATOMS) -> tuple[int, int, int]:
    """Multiples of a cell: two along each axis, one along the longest where that is too many.

    One along the normal of a layer, and across a chain.
    """
    multiples = [1 if alone else 2 for alone in open_directions(atoms)]
    for axis in np.argsort(-atoms.cell.lengths(), kind="stable"):
        if len(atoms) * int(np.prod(multiples)) <= max_atoms:
            break
        multiples[int(axis)] = 1
    return multiples[0], multiples[1], multiples[2]


def displaced_cells(atoms: Atoms, multiples: Sequence[int], displacement: float) -> Any:
    """A Phonopy object with displaced supercells of a primitive cell.

    Parameters
    ----------
    atoms : Atoms
    multiples : sequence of 3 int
    displacement : float
        Of single atoms, Å.
    """
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = PhonopyAtoms(
        numbers=atoms.numbers,
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(),
        masses=atoms.get_masses(),  # not used; phonopy knows those of fewer elements
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the supercell has lower symmetry
        phonon = Phonopy(cell, supercell_matrix=np.diag(multiples), primitive_matrix=np.eye(3))
    phonon.generate_displacements(distance=displacement)
    return phonon


def _force_constants(
    atoms: Atoms,
    multiples: Sequence[int],
    displacement: float,
    calculator: PlatonicCalculator,
    display: RunDisplay,
) -> tuple[Atoms, np.ndarray, DisplacementFeatures | None]:
    """Supercell at rest, its force constants (n, n, 3, 3), and what the embeddings say."""
    phonon = displaced_cells(atoms, multiples, displacement)
    rest = to_ase(phonon.supercell)
    residual, forces, crystal, _ = evaluate_supercells(
        rest,
        [to_ase(each) for each in phonon.supercells_with_displacements],
        calculator,
        ForceStore(None, calculator),
        display=display,
    )
    phonon.forces = forces - residual
    phonon.produce_force_constants(show_drift=False)
    phonon.symmetrize_force_constants(show_drift=False)
    features = None if crystal is None else crystal.features(calculator.reference)
    return rest, full_force_constants(phonon), features


def _write(
    result: ForecastResult,
    json: str | os.PathLike[str] | None,
    report: str | os.PathLike[str] | None,
) -> None:
    """Write what was asked for; a file that cannot be written loses nothing else."""
    from platonic_ase.stability.report import render_forecast

    for role, path in (("json", json), ("report", report)):
        if path is None:
            continue
        try:
            kept = keep_previous(path)
            if role == "json":
                text = jsonlib.dumps(result.to_dict(), indent=1) + "\n"
            else:
                text = render_forecast(
                    result.to_dict(),
                    result.risk,
                    result.supercell,
                    [way.displacements for way in result.forecast.directions],
                )
            write_atomically(kept, text)
            result.files[role] = kept
        except (OSError, OutputError) as error:
            message = f"{path} cannot be written: {error}"
            logger.warning(message)
            warnings.warn(message, RecordingWarning, stacklevel=3)
