"""Phonons under watch: forces and embeddings from the same passes, the risk before the result."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import StructureError, WarningRaised
from platonic_ase.monitor.diagnosis import Event
from platonic_ase.phonons.checks import loose_relaxation, remarks, settings
from platonic_ase.phonons.corrected import (
    CorrectedPhonons,
    correct_phonons,
    estimate_correction,
)
from platonic_ase.phonons.crystal import DisplacedCrystal
from platonic_ase.phonons.estimate import (
    PhononRiskEstimate,
    estimate,
    estimate_spurious,
    phonon_signals,
)
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.phonons.forces import ForceStore, evaluate_supercells
from platonic_ase.phonons.instability import Judgement, judge_phonons
from platonic_ase.phonons.layers import centre_layer, open_directions, open_vectors
from platonic_ase.phonons.outputs import PathLike, PhononOutputs
from platonic_ase.phonons.result import PhononResult
from platonic_ase.phonons.sites import SiteResponse
from platonic_ase.phonons.spectrum import (
    Spectrum,
    choose_mesh,
    compute_spectrum,
    force_constant_errors,
    require_mesh,
)
from platonic_ase.phonons.structure import (
    Relaxation,
    choose_supercell,
    read_born,
    relax_crystal,
    to_ase,
)
from platonic_ase.report.display import RunDisplay
from platonic_ase.structures import check_structure

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator


def run_phonon(
    atoms: Atoms,
    calculator: PlatonicCalculator,
    *,
    supercell: Sequence[int] | Sequence[Sequence[int]] | None = None,
    displacement: float = 0.03,
    mesh: Sequence[int] | None = None,
    relax: bool = True,
    fmax: float = 1e-3,
    steps: int = 500,
    json: PathLike | None = None,
    report: PathLike | None = None,
    params: PathLike | None = None,
    corrected_params: PathLike | None = None,
    store: PathLike | None = None,
    born: PathLike | None = None,
    progress: bool = True,
) -> PhononResult:
    """Harmonic phonons of a crystal by finite displacements.

    The cell and the positions are relaxed with the space group kept, phonopy chooses the
    displacements, and each supercell is one forward pass that gives forces and embeddings. The
    risk that the phonons are wrong is known, and a warning raised through the calculator's
    policy, before anything is diagonalised. Where the calibration offers a correction, it stands
    beside the result, which it leaves as it is. Where the cell does not go on along a vector (not
    periodic, or with vacuum), wave vectors and path are those of a layer or a chain.

    Parameters
    ----------
    atoms : Atoms
        Unit cell; left as it is.
    calculator : PlatonicCalculator
    supercell : 3 int, or 3 by 3 int, optional
        Multiples of the cell, or phonopy's supercell matrix; the smallest supercell at least
        10 Å wide, with at most 200 atoms, by default.
    displacement : float
        Å.
    mesh : 3 int, optional
        Of wave vectors, centred on Γ; by default at least 9 along each axis.
    relax : bool
        Whether to relax first.
    fmax, steps : float, int
        Convergence (eV/Å) and length of the relaxation.
    json, report, params : path-like, optional
        Result, HTML report, and ``phonopy_params.yaml`` to write; files of earlier runs are
        kept aside.
    corrected_params : path-like, optional
        The same with the corrected force constants, where the calibration offers a correction.
    store : path-like, optional
        Folder for finished supercells: an interrupted run is resumed from it, a finished one
        removes it.
    born : path-like, optional
        Born charges and dielectric constants, as phonopy's BORN file of the primitive cell, for
        the non-analytical term of polar crystals.
    progress : bool
        Whether to show a live panel, or plain lines where there is no terminal.

    Returns
    -------
    PhononResult
        On Ctrl-C, and when the policy ``"stop"`` ends the run, without a spectrum.

    Raises
    ------
    StructureError
        If the structure cannot be computed.
    ValueError
        If supercell, displacement or mesh make no sense.
    WarningRaised
        If the policy says so.
    """
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    check_structure(atoms, calculator.encoder.elements)
    if atoms.cell.rank < 3:
        raise ValueError("phonons need a crystal: three cell vectors; set atoms.cell")
    if displacement <= 0:
        raise ValueError(f"displacement = {displacement} Å; a positive length is needed")
    if born is not None and not Path(born).is_file():
        raise StructureError(f"no BORN file at {born}; leave it out, or give one of phonopy")
    kept = ForceStore(store, calculator)
    atoms = atoms.copy()
    centre_layer(atoms, ~atoms.pbc)
    relaxation: Relaxation | None = None
    display = RunDisplay(calculator, shown=progress)
    with calculator.policy.listening() as events, display:
        ended = "finished"
        try:
            relaxation = _relaxed(atoms, calculator, kept, relax, fmax, steps, display)
        except KeyboardInterrupt:
            ended = "interrupted"
        matrix = choose_supercell(atoms) if supercell is None else _matrix(supercell)
        unit_cell = PhonopyAtoms(
            numbers=atoms.numbers,
            cell=atoms.cell.array,
            scaled_positions=atoms.get_scaled_positions(),
            masses=atoms.get_masses(),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that "auto" means a primitive cell
            phonon = Phonopy(unit_cell, supercell_matrix=matrix, primitive_matrix="auto")
        if born is not None:
            phonon.nac_params = read_born(phonon, born)
        phonon.generate_displacements(distance=displacement)
        outputs = PhononOutputs(json, report, params, corrected_params)
        return _phonons(
            atoms, phonon, calculator, relaxation, mesh, kept, outputs, events, display, ended
        )


def assess_phonopy(
    phonon: Any,
    calculator: PlatonicCalculator,
    *,
    displacement: float = 0.03,
    mesh: Sequence[int] | None = None,
    json: PathLike | None = None,
    report: PathLike | None = None,
    params: PathLike | None = None,
    corrected_params: PathLike | None = None,
    store: PathLike | None = None,
    progress: bool = True,
) -> PhononResult:
    """Forces, risk and phonons for a Phonopy object of yours.

    Parameters
    ----------
    phonon : phonopy.Phonopy
        Its forces and force constants are set. Displacements that it has are kept.
    calculator : PlatonicCalculator
    displacement : float
        Å, where it has no displacements yet.
    mesh, json, report, params, corrected_params, store, progress
        See :func:`run_phonon`.

    Returns
    -------
    PhononResult
        The risk is uncalibrated where several atoms move at a time.
    """
    if phonon.dataset is None:
        phonon.generate_displacements(distance=displacement)
    display = RunDisplay(calculator, shown=progress)
    with calculator.policy.listening() as events, display:
        return _phonons(
            to_ase(phonon.unitcell),
            phonon,
            calculator,
            None,
            mesh,
            ForceStore(store, calculator),
            PhononOutputs(json, report, params, corrected_params),
            events,
            display,
        )


def _matrix(supercell: Sequence[int] | Sequence[Sequence[int]]) -> np.ndarray:
    matrix = np.array(supercell)
    if matrix.shape == (3,):
        matrix = np.diag(matrix)
    if matrix.shape != (3, 3) or round(abs(float(np.linalg.det(matrix)))) < 1:
        raise ValueError(f"supercell = {supercell!r}; 3 multiples or a 3 by 3 matrix is needed")
    return matrix


def _relaxed(
    atoms: Atoms,
    calculator: PlatonicCalculator,
    kept: ForceStore,
    relax: bool,
    fmax: float,
    steps: int,
    display: RunDisplay,
) -> Relaxation:
    settings = {"relax": relax, "fmax": fmax, "steps": steps}
    before = atoms.copy()
    relaxation = kept.load_relaxed(atoms, settings)
    if relaxation is None:
        relaxation = relax_crystal(
            atoms, calculator, relax=relax, fmax=fmax, steps=steps, display=display
        )
        atoms.calc = None
        kept.save_relaxed(before, atoms, relaxation, settings)
    return relaxation


def _phonons(
    atoms: Atoms,
    phonon: Any,
    calculator: PlatonicCalculator,
    relaxation: Relaxation | None,
    mesh: Sequence[int] | None,
    kept: ForceStore,
    outputs: PhononOutputs,
    events: list[Event],
    display: RunDisplay,
    ended: str = "finished",
) -> PhononResult:
    openly = open_vectors(phonon.primitive.cell, atoms, open_directions(atoms))
    if mesh is None:
        lengths = np.linalg.norm(phonon.primitive.cell, axis=1).tolist()
        mesh = choose_mesh(lengths, openly=openly.tolist())
    mesh = require_mesh(mesh)
    rest = to_ase(phonon.supercell, atoms.pbc)
    crystal: DisplacedCrystal | None = None
    residual: np.ndarray | None = None
    features: DisplacementFeatures | None = None
    responses: tuple[SiteResponse, ...] = ()
    risk = PhononRiskEstimate()
    spectrum: Spectrum | None = None
    corrected: CorrectedPhonons | None = None
    judgement: Judgement | None = None
    spurious: float | None = None
    errors: dict[str, float] = {}
    resumed = 0
    try:
        if ended == "finished":
            residual, forces, crystal, resumed = evaluate_supercells(
                rest,
                [to_ase(cell, atoms.pbc) for cell in phonon.supercells_with_displacements],
                calculator,
                kept,
                display=display,
            )
            if crystal is not None:
                features = crystal.features(calculator.reference)
                responses = crystal.responses()
                risk = estimate(crystal, features, calculator.phonon_risk)
                for signal in (
                    *phonon_signals(crystal, risk, calculator.phonon_risk),
                    loose_relaxation(crystal, residual),
                ):
                    calculator.report(signal)
            if calculator.stopped_by is not None:
                raise WarningRaised(calculator.stopped_by)
            phonon.forces = forces - residual
            spectrum, errors = _solve(phonon, mesh, openly)
            if spectrum.imaginary:
                judgement = judge_phonons(phonon, rest, calculator, display)
                spurious = estimate_spurious(
                    crystal, features, calculator.phonon_risk, spectrum.lowest
                )
            correction = estimate_correction(crystal, features, calculator.phonon_risk)
            corrected = correct_phonons(phonon, correction, mesh, openly)
            kept.clear()
    except KeyboardInterrupt:
        ended = "interrupted"
    except WarningRaised as error:
        if calculator.policy.name == "raise":
            raise
        ended = str(error.event)
    result = PhononResult(
        atoms=atoms,
        phonon=phonon,
        risk=risk,
        features=features,
        responses=responses,
        relaxation=relaxation,
        residual_force=_largest(residual),
        spectrum=spectrum,
        corrected=corrected,
        judgement=judgement,
        probability_spurious=spurious,
        force_constant_errors=errors,
        events=tuple(events),
        remarks=remarks(atoms, phonon, relaxation, crystal, risk, spectrum, judgement, spurious),
        settings=settings(phonon, rest, calculator, relaxation, mesh),
        summary=calculator.summary(),
        ended=ended,
        resumed=resumed,
    )
    files = outputs.write(result)
    if calculator.log_path is not None:
        files["log"] = calculator.log_path
    object.__setattr__(result, "files", files)
    return result


def _solve(
    phonon: Any, mesh: Sequence[int], openly: np.ndarray
) -> tuple[Spectrum, dict[str, float]]:
    # the finite-difference solver needs one atom moved at a time
    solver = "symfc" if "displacements" in phonon.dataset else None
    phonon.produce_force_constants(fc_calculator=solver, show_drift=False)
    errors = force_constant_errors(phonon.force_constants)
    phonon.symmetrize_force_constants(show_drift=False)
    return compute_spectrum(phonon, mesh, openly), errors


def _largest(forces: np.ndarray | None) -> float:
    return float("nan") if forces is None else float(np.linalg.norm(forces, axis=1).max())
