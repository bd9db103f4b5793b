"""Fitting of a phonon pack to crystals whose phonon errors are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from platonic_ase.phonons.correction import fit_factor
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.phonons.linear import (
    feature_matrix,
    fit_logistic,
    fit_ridge,
    predict_left_out,
)
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.space.identity import ModelIdentity


def fit_phonon_risk(
    name: str,
    crystals: Sequence[DisplacementFeatures],
    relative_errors: Sequence[float],
    groups: Sequence[str],
    *,
    imaginary: Sequence[bool] | None = None,
    imaginary_crystals: Sequence[DisplacementFeatures] | None = None,
    log_factors: Sequence[float] | None = None,
    octet: bool = False,
    error_features: Sequence[str],
    imaginary_features: Sequence[str] = ("force_odds",),
    penalty: float = 3.0,
    identity: ModelIdentity | None = None,
    anchors_digest: str = "",
    provenance: Mapping[str, Any] | None = None,
) -> PhononRisk:
    """Calibrate the risk on crystals whose phonon errors are known.

    Parameters
    ----------
    name : str
        Of the pack.
    crystals : sequence of DisplacementFeatures, length n
    relative_errors : sequence of float, length n
        Wasserstein-1 distance over mean true frequency.
    groups : sequence of str, length n
        Crystals of one group (one anion, say) are left out together for ``sigma``.
    imaginary : sequence of bool, optional
        Whether the model's spectrum has a spurious imaginary mode.
    imaginary_crystals : sequence of DisplacementFeatures, optional
        The crystals of ``imaginary``, where they are others: imaginary modes are rare, and those of
        several models teach more.
    log_factors : sequence of float, length n, optional
        ln of the best factor of each crystal, NaN where none helps; with it the pack offers a
        correction.
    octet : bool
        Whether all crystals are octet binaries; see :class:`PhononRisk`.
    error_features, imaginary_features : sequence of str
        Which features each part uses.
    penalty : float
        Ridge penalty, in units of crystals.
    identity, anchors_digest, provenance
        See :class:`PhononRisk`.

    Raises
    ------
    ValueError
        With fewer than three groups, or lengths that differ.
    """
    n = len(crystals)
    if not n == len(relative_errors) == len(groups):
        raise ValueError(
            f"{n} crystals with {len(relative_errors)} errors and {len(groups)} groups: as many "
            "of each are needed"
        )
    unstable = crystals if imaginary_crystals is None else imaginary_crystals
    if imaginary is not None and len(imaginary) != len(unstable):
        raise ValueError(f"{len(imaginary)} labels of imaginary modes for {len(unstable)} crystals")
    labels = np.array(groups)
    x = feature_matrix(crystals, error_features)
    y = np.sqrt(np.asarray(relative_errors, dtype=float))
    left_out = predict_left_out(error_features, x, y, labels, penalty)
    error = fit_ridge(error_features, x, y, penalty)
    modes = None
    if imaginary is not None and 0 < sum(imaginary) < len(imaginary):
        modes = fit_logistic(
            imaginary_features,
            feature_matrix(unstable, imaginary_features),
            np.array(imaginary, dtype=bool),
        )
    factor = None
    if log_factors is not None:
        logs = np.asarray(log_factors, dtype=float)
        kept = np.isfinite(logs)
        factor = fit_factor(error_features, x[kept], logs[kept], labels[kept], penalty)
    return PhononRisk(
        name=name,
        error=error,
        sigma=max(float(np.sqrt(((y - left_out) ** 2).mean())), 1e-3),
        imaginary=modes,
        factor=factor,
        worst_third=float(np.quantile(relative_errors, 2 / 3)),
        identity=identity,
        anchors_digest=anchors_digest,
        octet=octet,
        element_counts=tuple(sorted({round(crystal.n_elements) for crystal in crystals})),
        provenance={"crystals": n, "groups": len(set(groups)), **(provenance or {})},
    )
