"""Phonons under watch: forces and embeddings from the same passes, the risk before the result."""

from __future__ import annotations

import json as jsonlib
import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase._version import __version__
from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.diagnostics.base import Event, Signal
from platonic_ase.diagnostics.displacement import DisplacementFeatures, SiteResponse
from platonic_ase.diagnostics.phonons import (
    CALIBRATED_DISPLACEMENTS,
    PhononRiskEstimate,
    estimate,
    phonon_signals,
)
from platonic_ase.diagnostics.supercells import DisplacedCrystal
from platonic_ase.errors import PhononWarning, RecordingWarning, WarningRaised
from platonic_ase.structures import check_structure
from platonic_ase.workflows.outputs import keep_previous
from platonic_ase.workflows.phonon_forces import ForceStore, evaluate_supercells
from platonic_ase.workflows.phonon_result import PhononResult
from platonic_ase.workflows.phonon_spectrum import (
    Spectrum,
    choose_mesh,
    compute_spectrum,
    force_constant_errors,
)
from platonic_ase.workflows.phonon_structure import (
    Relaxation,
    choose_supercell,
    face_distances,
    relax_crystal,
)

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger("platonic_ase")

PathLike = str | os.PathLike[str]

LOOSE = 0.05
"""Residual force, as a share of the smallest restoring force, above which a relaxation is loose."""
_PRESSURE = 0.5  # GPa: said in a remark


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
    store: PathLike | None = None,
    progress: bool = True,
) -> PhononResult:
    """Harmonic phonons of a crystal by finite displacements.

    The cell and the positions are relaxed with the space group kept, phonopy chooses the
    displacements, and each supercell is one forward pass that gives forces and embeddings. The
    risk that the phonons are wrong is known, and a warning raised through the calculator's
    policy, before anything is diagonalised.

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
    store : path-like, optional
        Folder for finished supercells: an interrupted run is resumed from it, a finished one
        removes it.
    progress : bool
        Whether to show progress bars.

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
    kept = ForceStore(store, calculator)
    atoms = atoms.copy()
    atoms.pbc = True
    relaxation: Relaxation | None = None
    with calculator.policy.listening() as events:
        ended = "finished"
        try:
            relaxation = _relaxed(atoms, calculator, kept, relax, fmax, steps, progress)
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
        phonon.generate_displacements(distance=displacement)
        outputs = _Outputs(json, report, params)
        return _phonons(
            atoms, phonon, calculator, relaxation, mesh, kept, outputs, events, progress, ended
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
    mesh, json, report, params, store, progress
        See :func:`run_phonon`.

    Returns
    -------
    PhononResult
        The risk is uncalibrated where several atoms move at a time.
    """
    if phonon.dataset is None:
        phonon.generate_displacements(distance=displacement)
    with calculator.policy.listening() as events:
        return _phonons(
            to_ase(phonon.unitcell),
            phonon,
            calculator,
            None,
            mesh,
            ForceStore(store, calculator),
            _Outputs(json, report, params),
            events,
            progress,
        )


def to_ase(cell: Any) -> Atoms:
    """ASE structure of a phonopy cell."""
    from ase import Atoms

    return Atoms(
        numbers=cell.numbers,
        positions=cell.positions,
        cell=cell.cell,
        masses=cell.masses,
        pbc=True,
    )


class _Outputs:
    """Where to write."""

    def __init__(
        self, json: PathLike | None, report: PathLike | None, params: PathLike | None
    ) -> None:
        self.json, self.report, self.params = json, report, params

    def write(self, result: PhononResult) -> dict[str, Path]:
        """Write all that was asked for; a file that cannot be written loses nothing else."""
        files: dict[str, Path] = {}
        for role, path, write in (
            ("json", self.json, _write_json),
            ("phonopy", self.params, _write_params),
            ("report", self.report, _write_report),
        ):
            if path is None or (role == "phonopy" and result.spectrum is None):
                continue
            try:
                files[role] = keep_previous(path)
                write(result, files[role])
            except OSError as error:
                files.pop(role, None)
                message = f"{path} cannot be written: {error}"
                logger.warning(message)
                warnings.warn(message, RecordingWarning, stacklevel=2)
        return files


def _write_json(result: PhononResult, path: Path) -> None:
    path.write_text(jsonlib.dumps(result.to_dict(), indent=1) + "\n", encoding="utf-8")


def _write_params(result: PhononResult, path: Path) -> None:
    result.phonon.save(str(path), settings={"force_constants": True})


def _write_report(result: PhononResult, path: Path) -> None:
    from platonic_ase.workflows.phonon_report import render_phonons

    path.write_text(render_phonons(result), encoding="utf-8")


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
    progress: bool,
) -> Relaxation:
    settings = {"relax": relax, "fmax": fmax, "steps": steps}
    before = atoms.copy()
    relaxation = kept.load_relaxed(atoms, settings)
    if relaxation is None:
        relaxation = relax_crystal(
            atoms, calculator, relax=relax, fmax=fmax, steps=steps, progress=progress
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
    outputs: _Outputs,
    events: list[Event],
    progress: bool,
    ended: str = "finished",
) -> PhononResult:
    if mesh is None:
        mesh = choose_mesh(np.linalg.norm(phonon.primitive.cell, axis=1).tolist())
    mesh = [int(n) for n in mesh]
    if len(mesh) != 3 or min(mesh) < 1:
        raise ValueError(f"mesh = {mesh}; three positive numbers are needed")
    rest = to_ase(phonon.supercell)
    crystal: DisplacedCrystal | None = None
    residual: np.ndarray | None = None
    features: DisplacementFeatures | None = None
    responses: tuple[SiteResponse, ...] = ()
    risk = PhononRiskEstimate()
    spectrum: Spectrum | None = None
    errors: dict[str, float] = {}
    resumed = 0
    try:
        if ended == "finished":
            residual, forces, crystal, resumed = evaluate_supercells(
                rest,
                [to_ase(cell) for cell in phonon.supercells_with_displacements],
                calculator,
                kept,
                progress=progress,
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
            spectrum, errors = _solve(phonon, mesh)
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
        force_constant_errors=errors,
        events=tuple(events),
        remarks=tuple(_remarks(phonon, relaxation, crystal, risk, spectrum)),
        settings=_settings(phonon, rest, calculator, relaxation, mesh),
        summary=calculator.summary(),
        ended=ended,
        resumed=resumed,
    )
    files = outputs.write(result)
    if calculator.log_path is not None:
        files["log"] = calculator.log_path
    object.__setattr__(result, "files", files)
    return result


def loose_relaxation(crystal: DisplacedCrystal, residual: np.ndarray) -> Signal:
    """Compare the residual forces of the supercell at rest with the forces of the displacements.

    Parameters
    ----------
    crystal : DisplacedCrystal
    residual : ndarray, shape (n_atoms, 3)
        eV/Å.
    """
    restoring = min(
        float(np.linalg.norm(probe.forces[probe.atom] - residual[probe.atom]))
        for probe in crystal.probes
    )
    restoring = max(restoring, 0.02)  # soft modes and rounding
    lengths = np.linalg.norm(residual, axis=1)
    share = float(lengths.max()) / restoring
    worst = np.argsort(-lengths, kind="stable")
    return Signal(
        kind="loose_relaxation",
        level=share / LOOSE,
        value=share,
        threshold=LOOSE,
        unit="of the smallest restoring force",
        message=(
            f"the crystal is not at rest: residual forces of up to {lengths.max():.3g} eV/Å, "
            f"{100 * share:.0f} % of the smallest restoring force of a displaced atom."
        ),
        advice=(
            "Harmonic phonons need a stationary point: relax further (a smaller fmax, more "
            "steps), or relax with this very model."
        ),
        atoms=tuple(int(i) for i in worst[:8] if lengths[i] > LOOSE * restoring),
        category=PhononWarning,
    )


def _solve(phonon: Any, mesh: Sequence[int]) -> tuple[Spectrum, dict[str, float]]:
    # the finite-difference solver needs one atom moved at a time
    solver = "symfc" if "displacements" in phonon.dataset else None
    phonon.produce_force_constants(fc_calculator=solver, show_drift=False)
    errors = force_constant_errors(phonon.force_constants)
    phonon.symmetrize_force_constants(show_drift=False)
    return compute_spectrum(phonon, mesh), errors


def _largest(forces: np.ndarray | None) -> float:
    return float("nan") if forces is None else float(np.linalg.norm(forces, axis=1).max())


def _remarks(
    phonon: Any,
    relaxation: Relaxation | None,
    crystal: DisplacedCrystal | None,
    risk: PhononRiskEstimate,
    spectrum: Spectrum | None,
) -> list[str]:
    remarks = []
    if risk.outside == ("displacement",):
        low, high = CALIBRATED_DISPLACEMENTS
        remarks.append(
            f"No risk is given: it is calibrated for displacements of {low} to {high} Å."
        )
    elif risk.outside:
        remarks.append(
            f"The crystal is unlike those of the calibration in {', '.join(risk.outside)}: the "
            "risk is an extrapolation."
        )
    width = float(face_distances(phonon.supercell.cell).min())
    if width < 8:
        remarks.append(f"The supercell is {width:.1f} Å wide: a displaced atom meets its images.")
    if relaxation is not None:
        if relaxation.converged is False:
            remarks.append(
                f"The relaxation did not converge in {relaxation.steps} steps (residual force "
                f"{relaxation.max_force:.2g} eV/Å)."
            )
        if relaxation.pressure is not None and abs(relaxation.pressure) > _PRESSURE:
            remarks.append(
                f"The model puts this cell under {relaxation.pressure:.1f} GPa: frequencies "
                "belong to that pressure."
            )
        if relaxation.space_group != relaxation.space_group_before:
            remarks.append(
                f"The space group changed from {relaxation.space_group_before} to "
                f"{relaxation.space_group} in the relaxation."
            )
    if spectrum is not None and crystal is None:
        remarks.append(
            "The displacements could not be assessed: several atoms move at a time, or the "
            "embeddings could not be read."
        )
    if spectrum is not None and spectrum.imaginary:
        if not any(mode.commensurate for mode in spectrum.modes):
            remarks.append(
                "Imaginary frequencies lie between the wave vectors that the supercell holds: "
                "they may be due to interpolation; try a larger supercell."
            )
        remarks.append("Thermal properties leave out the imaginary modes.")
    if len(set(phonon.unitcell.symbols)) > 1:
        remarks.append(
            "No non-analytical term: LO-TO splitting, if the crystal is polar, is missing."
        )
    return remarks


def _settings(
    phonon: Any,
    rest: Atoms,
    calculator: PlatonicCalculator,
    relaxation: Relaxation | None,
    mesh: Sequence[int],
) -> dict[str, Any]:
    import phonopy

    identity = calculator.anchors.identity
    atoms_moved = phonon.dataset.get("first_atoms")
    vectors = (
        phonon.displacements
        if atoms_moved is None
        else [each["displacement"] for each in atoms_moved]
    )
    return {
        "model": identity.model,
        "fingerprint": identity.fingerprint,
        "layer": identity.layer,
        "supercell": np.array(phonon.supercell_matrix).tolist(),
        "supercell_atoms": len(rest),
        "supercell_width_A": float(face_distances(rest.cell.array).min()),
        "primitive_atoms": len(phonon.primitive),
        "displacement_A": float(np.linalg.norm(vectors, axis=-1).max()),
        "displacements": len(phonon.displacements),
        "residual_forces_subtracted": True,
        "symmetrised": True,
        "mesh": list(mesh),
        "relaxation": None if relaxation is None else relaxation.to_dict(),
        "phonopy": phonopy.__version__,
        "platonic_ase": __version__,
    }
