"""What a phonon calculation leaves behind, and its JSON form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.monitor.diagnosis import UNCALIBRATED, Event
from platonic_ase.monitor.history import RunSummary
from platonic_ase.monitor.log import to_json
from platonic_ase.phonons.corrected import CorrectedPhonons
from platonic_ase.phonons.estimate import PhononRiskEstimate
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.phonons.instability import Judgement
from platonic_ase.phonons.sites import SiteResponse
from platonic_ase.phonons.spectrum import Spectrum
from platonic_ase.phonons.structure import Relaxation
from platonic_ase.report.html import plural

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
    judgement : Judgement or None
        What the imaginary modes mean, as :mod:`~platonic_ase.phonons.instability` judges; None
        where there are none, or the supercell has no symmetry.
    probability_spurious : float or None
        That the imaginary modes are the model's own; None where there are none, or nobody says.
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
    judgement: Judgement | None
    probability_spurious: float | None
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
        spectrum = self.spectrum
        supercells = plural(self.steps, "displaced supercell")
        lines = [f"{self.formula}, {supercells} of {len(self.phonon.supercell)} atoms"]
        if spectrum is None:
            lines[0] += f": no phonons, {self.ended}."
        else:
            lines[0] += (
                f": {spectrum.lowest:.2f} to {spectrum.quantiles[-1]:.2f} THz, mean "
                f"{spectrum.mean:.2f} THz."
            )
            if spectrum.imaginary:
                worst = min(spectrum.modes, key=lambda mode: mode.frequency)
                share = f"{100 * spectrum.imaginary_share:.1f} % of the mesh imaginary"
                lines.append(f"Worst mode: {worst}; {share}.")
            elif any(event.kind == "imaginary_modes" for event in self.events):
                lines.append("No imaginary modes, although they were thought likely beforehand.")
            else:
                lines.append("No imaginary modes.")
        lines.append(f"Risk: {self._risk()}.")
        if self.corrected is not None:
            lines.append(self.corrected.describe())
        warned = Counter(event.kind.replace("_", " ") for event in self.events)
        if warned:
            kinds = (f"{kind}{f' ×{n}' if n > 1 else ''}" for kind, n in warned.items())
            lines.append(f"Warnings: {', '.join(kinds)}.")
        return "\n".join([*lines, *self.remarks])

    def _risk(self) -> str:
        risk = self.risk
        if risk.relative_error is None:
            return risk.calibration
        said = (
            f"an error of {100 * risk.relative_error:.0f} % of the mean frequency"
            f"{_between(risk.interval)}, above 15 % with probability "
            f"{_said(risk.probability_above_15_percent)}, above 25 % with "
            f"{_said(risk.probability_above_25_percent)}"
        )
        if risk.probability_imaginary is not None and self.spectrum is None:
            said += f"; spurious imaginary modes with {risk.probability_imaginary:.2f}"
        return f"{said} ({risk.calibration})"

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
            "judgement": None if self.judgement is None else self.judgement.to_dict(),
            "probability_spurious": self.probability_spurious,
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
