"""What limits a phonon calculation: residual forces, narrow supercells, pressure, extrapolation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase._version import __version__
from platonic_ase.errors import PhononWarning
from platonic_ase.monitor.diagnosis import UNCALIBRATED, Signal
from platonic_ase.phonons.chemistry import is_polar
from platonic_ase.phonons.crystal import DisplacedCrystal
from platonic_ase.phonons.estimate import (
    CALIBRATED_DISPLACEMENTS,
    PhononRiskEstimate,
)
from platonic_ase.phonons.instability import Judgement
from platonic_ase.phonons.layers import describe_openness, open_directions
from platonic_ase.phonons.spectrum import Spectrum
from platonic_ase.phonons.structure import Relaxation, face_distances
from platonic_ase.phonons.wave_vectors import finest_fractions, holding

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator

LOOSE = 0.05
"""Residual force, as a share of the smallest restoring force, above which a relaxation is loose."""
_PRESSURE = 0.5  # GPa: said in a remark


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
            f"the crystal is not at rest: forces of up to {lengths.max():.3g} eV/Å are left, "
            f"{100 * share:.0f} % of the smallest force on a displaced atom, where "
            f"{100 * LOOSE:g} % is tolerated."
        ),
        advice=(
            "Relax further with this very model (a smaller fmax, more steps), and compute the "
            "phonons again."
        ),
        atoms=tuple(int(i) for i in worst[:8] if lengths[i] > LOOSE * restoring),
        category=PhononWarning,
    )


def remarks(
    atoms: Atoms,
    phonon: Any,
    relaxation: Relaxation | None,
    crystal: DisplacedCrystal | None,
    risk: PhononRiskEstimate,
    spectrum: Spectrum | None,
    judgement: Judgement | None = None,
    spurious: float | None = None,
) -> tuple[str, ...]:
    """What limits the worth of a result, in sentences."""
    said = [] if not (flat := describe_openness(atoms)) else [flat]
    if risk.outside == ("displacement",):
        low, high = CALIBRATED_DISPLACEMENTS
        said.append(f"No risk is given: it is calibrated for displacements of {low} to {high} Å.")
    elif risk.outside and risk.calibration == UNCALIBRATED:
        said.append(
            f"No risk is given: the crystal is unlike all of the calibration in "
            f"{', '.join(risk.outside)}."
        )
    elif risk.outside:
        said.append(
            f"The crystal is unlike those of the calibration in {', '.join(risk.outside)}: the "
            "risk is wide, and close to what holds for any crystal."
        )
    width = float(face_distances(phonon.supercell.cell)[~open_directions(atoms)].min())
    if width < 8:
        said.append(f"The supercell is {width:.1f} Å wide: a displaced atom meets its images.")
    if relaxation is not None:
        if relaxation.converged is False:
            said.append(
                f"The relaxation did not converge in {relaxation.steps} steps (residual force "
                f"{relaxation.max_force:.2g} eV/Å)."
            )
        if relaxation.pressure is not None and abs(relaxation.pressure) > _PRESSURE:
            said.append(
                f"The model puts this cell under {relaxation.pressure:.1f} GPa: frequencies "
                "belong to that pressure."
            )
        if relaxation.space_group != relaxation.space_group_before:
            said.append(
                f"The space group changed from {relaxation.space_group_before} to "
                f"{relaxation.space_group} in the relaxation."
            )
    if spectrum is not None and crystal is None:
        said.append(
            "The displacements could not be assessed: several atoms move at a time, or the "
            "embeddings could not be read."
        )
    if spectrum is not None and spectrum.imaginary:
        if judgement is not None:
            said.append(f"{judgement}.")
        if spurious is not None:
            said.append(
                "That the imaginary modes are the model's own, and the crystal has none, has a "
                f"probability of {spurious:.2f}, by their depth and by how soft the model is."
            )
        if not any(mode.commensurate for mode in spectrum.modes):
            said.append(
                "Imaginary frequencies lie between the wave vectors that the supercell holds, so "
                "that no displacement was made along them, and they may be due to interpolation: "
                f"{_try_supercell(atoms, phonon, spectrum)}."
            )
        said.append("Thermal properties leave out the imaginary modes.")
    if phonon.nac_params is None and is_polar(phonon.unitcell.numbers):
        said.append(
            "By its oxidation states the crystal is polar: the long-range part of its forces, and "
            "with it the splitting of longitudinal and transverse modes, is missing. Give Born "
            "charges and dielectric constants (a BORN file of phonopy; --born FILE)."
        )
    return tuple(said)


def _try_supercell(atoms: Atoms, phonon: Any, spectrum: Spectrum) -> str:
    """Which supercell holds the wave vector of the worst mode, or one close to it."""
    worst = np.array(min(spectrum.modes, key=lambda mode: mode.frequency).q)
    q = np.linalg.solve(np.array(phonon.primitive_matrix).T, worst)  # of the unit cell
    finest = finest_fractions(q, within=0.5 / min(max(spectrum.mesh), 12))
    if finest is None:
        return "try a larger supercell"
    return f"try a supercell of {holding(atoms, finest)}, which holds the wave vector of the worst"


def settings(
    phonon: Any,
    rest: Atoms,
    calculator: PlatonicCalculator,
    relaxation: Relaxation | None,
    mesh: Sequence[int],
) -> dict[str, Any]:
    """Settings of a calculation, JSON-safe."""
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
        "born_charges": phonon.nac_params is not None,
        "mesh": list(mesh),
        "relaxation": None if relaxation is None else relaxation.to_dict(),
        "phonopy": phonopy.__version__,
        "platonic_ase": __version__,
    }
