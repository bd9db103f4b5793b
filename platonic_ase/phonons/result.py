"""What a phonon calculation leaves behind, and its JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.monitor.diagnosis import UNCALIBRATED, Event
from platonic_ase.monitor.log import to_json
from platonic_ase.monitor.watch import RunSummary
from platonic_ase.phonons.corrected import CorrectedPhonons
from platonic_ase.phonons.estimate import PhononRiskEstimate
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.phonons.sites import SiteResponse
from platonic_ase.phonons.spectrum import Spectrum
from platonic_ase.phonons.structure import Relaxation

if TYPE_CHECKING:
    from ase import Atoms

SCHEMA = 1


@dataclass(frozen=True)
class PhononResult:
    """A phonon calculation under watch.

    Attributes
    ----------
    atoms : Atoms
        The crystal, relaxed.
    phonon : phonopy.Phonopy
        With displacements, and as far as the run came with forces and force constants.
    risk : PhononRiskEstimate
        Predicted before the dynamical matrices were diagonalised.
    features : DisplacementFeatures or None
        What the prediction rests on; None where the displacements allowed none.
    responses : tuple of SiteResponse
        Per atom and direction.
    relaxation : Relaxation or None
        None where the structure was given with its supercell.
    residual_force : float
        Largest force in the supercell at rest, eV/Å; NaN where the run did not come that far.
    spectrum : Spectrum or None
        None where the run ended before.
    corrected : CorrectedPhonons or None
        What the calibration makes of it, beside the spectrum; None where there is no spectrum.
    force_constant_errors : mapping of str to float
        See :func:`~platonic_ase.phonons.spectrum.force_constant_errors`.
    events : tuple of Event
        Alarms of all diagnostics during the run.
    remarks : tuple of str
        What limits the worth of the result.
    settings : mapping
        Supercell, displacement, relaxation, mesh, versions.
    summary : RunSummary
    ended : str
        ``"finished"``, ``"interrupted"``, or the event that stopped it.
    resumed : int
        Supercells taken over from an earlier, interrupted run.
    files : mapping of str to Path
        Files written, by role.
    """

    atoms: Atoms
    phonon: Any
    risk: PhononRiskEstimate
    features: DisplacementFeatures | None
    responses: tuple[SiteResponse, ...]
    relaxation: Relaxation | None
    residual_force: float
    spectrum: Spectrum | None
    corrected: CorrectedPhonons | None
    force_constant_errors: Mapping[str, float]
    events: tuple[Event, ...]
    remarks: tuple[str, ...]
    settings: Mapping[str, Any]
    summary: RunSummary
    ended: str
    resumed: int = 0
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Number of displaced supercells."""
        return len(self.phonon.displacements)

    @property
    def formula(self) -> str:
        """Reduced chemical formula."""
        return str(self.atoms.get_chemical_formula("metal", empirical=True))

    def describe(self) -> str:
        """A few lines for the terminal."""
        risk, spectrum = self.risk, self.spectrum
        lines = [f"{self.formula}: phonon risk {risk.calibration}"]
        if risk.relative_error is not None:
            lines[0] = (
                f"{self.formula}: predicted error {100 * risk.relative_error:.0f} % of the mean "
                f"frequency{_between(risk.interval)}; probability above 15 %: "
                f"{_said(risk.probability_above_15_percent)}, above 25 %: "
                f"{_said(risk.probability_above_25_percent)}"
            )
        if risk.probability_imaginary is not None:
            lines[0] += (
                f"; probability of spurious imaginary modes: {risk.probability_imaginary:.2f}"
            )
        if risk.calibration != UNCALIBRATED:
            lines.append(f"calibration: {risk.calibration}")
        if spectrum is not None:
            lines.append(
                f"frequencies {spectrum.lowest:.2f} to {spectrum.quantiles[-1]:.2f} THz, mean "
                f"{spectrum.mean:.2f} THz; "
                + (
                    f"{100 * spectrum.imaginary_share:.1f} % imaginary"
                    if spectrum.imaginary
                    else "no imaginary modes"
                )
            )
            lines += [f"  {mode}" for mode in spectrum.modes[:3]]
        if self.corrected is not None:
            lines.append(self.corrected.describe())
        return "\n".join([*lines, *self.remarks])

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary; see the keys of the ``phonon`` command's ``--json``."""
        spectrum = self.spectrum
        values: dict[str, Any] = {
            "schema": SCHEMA,
            "formula": self.formula,
            "ended": self.ended,
            "risk": self.risk.to_dict(),
            "features": None if self.features is None else self.features.to_dict(),
            "responses": [asdict(each) for each in self.responses],
            "frequency_quantiles_THz": None if spectrum is None else spectrum.quantiles,
            "mean_frequency_THz": None if spectrum is None else spectrum.mean,
            "lowest_frequency_THz": None if spectrum is None else spectrum.lowest,
            "imaginary": None if spectrum is None else spectrum.imaginary,
            "imaginary_share": None if spectrum is None else spectrum.imaginary_share,
            "imaginary_modes": (
                [] if spectrum is None else [mode.to_dict() for mode in spectrum.modes]
            ),
            "thermal": None if spectrum is None else _thermal(spectrum),
            "corrected": None if self.corrected is None else self.corrected.to_dict(),
            "force_constant_errors": dict(self.force_constant_errors),
            "residual_force_eV_A": self.residual_force,
            "events": [event.to_dict() for event in self.events],
            "remarks": list(self.remarks),
            "settings": dict(self.settings),
        }
        safe: dict[str, Any] = to_json(values)
        return safe


def _between(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return ""
    return f" (90 %: {100 * interval[0]:.0f} to {100 * interval[1]:.0f} %)"


def _said(probability: float | None) -> str:
    return UNCALIBRATED if probability is None else f"{probability:.2f}"


def _thermal(spectrum: Spectrum) -> dict[str, np.ndarray]:
    return {
        "temperature_K": spectrum.temperatures,
        "free_energy_kJ_mol": spectrum.free_energy,
        "entropy_J_K_mol": spectrum.entropy,
        "heat_capacity_J_K_mol": spectrum.heat_capacity,
    }
