"""What a calculator watches unless told otherwise."""

from __future__ import annotations

from collections.abc import Collection

from platonic_ase.errors import SettingError
from platonic_ase.monitor import (
    Diagnostic,
    ForceBoundModel,
    ForceErrorBound,
    ManifoldDistance,
    OrbitSplitting,
    PhysicalCompanions,
)
from platonic_ase.phonons.estimate import PhononRiskModel
from platonic_ase.phonons.response import DisplacementResponse


def default_diagnostics(
    phonon_risk: PhononRiskModel | None = None,
    force_bound: ForceBoundModel | None = None,
    without: Collection[str] = (),
) -> tuple[Diagnostic, ...]:
    """Make the default diagnostics.

    Parameters
    ----------
    phonon_risk : PhononRiskModel, optional
        Calibration of the model in use, for displaced supercells.
    force_bound : ForceBoundModel, optional
        Calibration of the model in use, for force errors.
    without : collection of str
        Names of those that are left out.

    Raises
    ------
    SettingError
        For a name that no diagnostic has.
    """
    every: tuple[Diagnostic, ...] = (
        ManifoldDistance(warn=force_bound is None),
        ForceErrorBound(force_bound),
        OrbitSplitting(),
        PhysicalCompanions(),
        DisplacementResponse(phonon_risk),
    )
    if unknown := sorted(set(without) - {each.name for each in every}):
        raise SettingError(
            f"without = {', '.join(map(repr, unknown))}; the diagnostics are "
            + ", ".join(repr(each.name) for each in every)
        )
    return tuple(each for each in every if each.name not in without)
