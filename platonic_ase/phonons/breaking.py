r"""Symmetry risk: from the lowest curvature along the soft modes to the probability of breaking.

.. math:: P = \frac{1}{1 + e^{-(c_0 + c\, \mathrm{arsinh}(\kappa / \kappa_0))}},
    \qquad \kappa_0 = 0.2\ \mathrm{eV/Å^2}

fitted to crystals of which it is known whether they keep their space group when rattled and
relaxed with the same model. The labels stay in the file, so that a reader can check the fit.

A model without a calibration of its own gets the universal one, fitted to those of several models.
Its :math:`c_0` is not that of the model in question but drawn from a normal distribution around
theirs, with standard deviation :math:`s`; averaged over it, the log-odds shrink by
:math:`\sqrt{1 + \pi s^2 / 8}` (MacKay, Neural Comput. 4, 720 (1992)), so that probabilities are
wider.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.errors import SpaceFileError
from platonic_ase.outputs import write_atomically
from platonic_ase.phonons.linear import LinearPart, fit_logistic
from platonic_ase.space.folders import file_stem, pack_folders
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.json_text import parse_json
from platonic_ase.space.schema import PackSchema, boolean, list_of, mapping, number, text

logger = logging.getLogger("platonic_ase")

KIND, VERSION, SUFFIX = "symmetry_risk", 1, ".symmetry.json"
SCHEMA = PackSchema(
    header={
        "name": text,
        "package": text,
        "model": text,
        "fingerprint": text,
        "settings": mapping,
        "intercept": number(-1e6, 1e6),
        "slope": number(-1e6, 0),
        "spread": number(0, 1e3),
        "threshold": number(0, 1, above=True),
        "curvatures": list_of(number(-1e6, 1e6)),
        "broke": list_of(boolean),
        "provenance": mapping,
    }
)
SCALE = 0.2
"""κ_0, eV/Å²: what forces of a potential cannot be trusted to tell from zero."""
UNIVERSAL = "any"
"""Package, model and fingerprint of the calibration for models that have none of their own."""


@dataclass(frozen=True)
class SymmetryRisk:
    """A calibration of symmetry forecasts for one model.

    Attributes
    ----------
    name : str
        Shown wherever a probability is; says which model and which labels.
    package, model, fingerprint : str
        Of the model, as in :class:`~platonic_ase.space.identity.ModelIdentity`;
        :data:`UNIVERSAL` for all others.
    settings : mapping
        Of the model.
    intercept, slope : float
        c_0 and c; the slope is negative.
    spread : float
        Standard deviation of c_0 between models; zero for a model's own.
    threshold : float
        Probability from which on a warning is raised.
    curvatures, broke : tuple of float, tuple of bool
        Of the crystals of the fit, for figures.
    provenance : mapping
        Labels, their number, scores on what was left out; JSON-safe.
    """

    name: str
    package: str
    model: str
    fingerprint: str
    settings: Mapping[str, Any]
    intercept: float
    slope: float
    spread: float = 0.0
    threshold: float = 0.5
    curvatures: tuple[float, ...] = ()
    broke: tuple[bool, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.intercept) and math.isfinite(self.slope) and self.slope < 0):
            raise SpaceFileError(
                f"intercept {self.intercept} and slope {self.slope}; finite numbers and a "
                "negative slope are needed"
            )
        if len(self.curvatures) != len(self.broke):
            raise SpaceFileError(
                f"{len(self.curvatures)} curvatures for {len(self.broke)} crystals; one each is "
                "needed"
            )
        if not 0 <= self.spread < math.inf:
            raise SpaceFileError(f"spread = {self.spread}; zero or more is needed")
        if not 0 < self.threshold < 1:
            raise SpaceFileError(f"threshold = {self.threshold}; a probability is needed")

    def probability(self, curvature: float) -> float:
        """Probability that the symmetry breaks, for the lowest curvature in eV/Å²."""
        odds = self.intercept + self.slope * math.asinh(curvature / SCALE)
        odds /= math.sqrt(1 + math.pi / 8 * self.spread**2)
        return 0.5 * (1 + math.tanh(0.5 * odds))

    @property
    def universal(self) -> bool:
        """Whether it is for models that have none of their own."""
        return self.package == UNIVERSAL

    def fits(self, identity: ModelIdentity) -> bool:
        """Whether it was made for this model."""
        mine = (self.package, self.fingerprint, dict(self.settings))
        return mine == (identity.package, identity.fingerprint, dict(identity.settings))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write as JSON."""
        text = json.dumps({"kind": KIND, "version": VERSION, **asdict(self)}, indent=1)
        return write_atomically(path, text + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SymmetryRisk:
        """Read what :meth:`save` wrote.

        Raises
        ------
        SpaceFileError
            If it is no such file, or broken.
        """
        try:
            values = parse_json(Path(path).read_bytes())
            kind, version = values.pop("kind"), values.pop("version")
            if (kind, version) != (KIND, VERSION):
                raise SpaceFileError(
                    f"{path} is {kind!r}, version {version!r}; {KIND!r}, version {VERSION} is "
                    "needed"
                )
            if (problem := SCHEMA.problem({}, values)) is not None:
                raise SpaceFileError(f"{path} makes no sense: {problem}; make it anew")
            for name in ("curvatures", "broke"):
                values[name] = tuple(values[name])
            return cls(**values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, SpaceFileError):
                raise
            raise SpaceFileError(f"{path} is no symmetry calibration: {error}") from error


def fit_symmetry_risk(curvatures: Sequence[float], broke: Sequence[bool]) -> tuple[float, float]:
    """Fit intercept and slope of the log-odds by logistic regression with the default penalty.

    Parameters
    ----------
    curvatures : sequence of float
        Lowest curvature of each crystal, eV/Å².
    broke : sequence of bool
        Whether it lost its symmetry; both kinds are needed.

    Raises
    ------
    ValueError
        If all crystals are of one kind.
    """
    y = np.asarray(broke, dtype=bool)
    if y.all() or not y.any():
        raise ValueError(
            f"{int(y.sum())} of {len(y)} crystals break; crystals of both kinds are needed"
        )
    x = np.arcsinh(np.asarray(curvatures, dtype=float) / SCALE)
    part: LinearPart = fit_logistic(["arsinh"], x[:, None], y)
    slope = float(part.coefficients[0] / part.scale[0])
    return float(part.intercept - slope * part.mean[0]), slope


def intercepts_by_model(
    intercept: float,
    slope: float,
    curvatures: Sequence[float],
    broke: Sequence[bool],
    models: Sequence[str],
) -> dict[str, float]:
    """The c_0 that suits each model best, all with one slope.

    Parameters
    ----------
    intercept, slope : float
        Fitted to all.
    curvatures, broke : sequence
        As for :func:`fit_symmetry_risk`.
    models : sequence of str
        Of each row; those whose crystals all break, or all stay, are left out.
    """
    from scipy.optimize import brentq

    x, y = np.arcsinh(np.asarray(curvatures, dtype=float) / SCALE), np.asarray(broke, dtype=bool)
    found = {}
    for model in sorted(set(models)):
        mine = np.asarray(models) == model
        if y[mine].all() or not y[mine].any():
            continue
        share = float(y[mine].mean())
        found[model] = float(
            brentq(_excess, intercept - 50, intercept + 50, args=(slope * x[mine], share))
        )
    return found


def _excess(intercept: float, odds: np.ndarray, share: float) -> float:
    """Mean probability less the share that breaks."""
    return float(0.5 * (1 + np.tanh(0.5 * (intercept + odds))).mean() - share)


def find_symmetry_risk(identity: ModelIdentity) -> SymmetryRisk | None:
    """The calibration of a model, packaged or in the user's cache, or else the universal one.

    Parameters
    ----------
    identity : ModelIdentity

    Returns
    -------
    SymmetryRisk or None
        None where no file can be read.
    """
    universal = None
    for folder in pack_folders():
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                risk = SymmetryRisk.load(path)
            except SpaceFileError as error:
                logger.warning("a stored symmetry calibration is not used: %s", error)
                continue
            if risk.fits(identity):
                return risk
            if risk.universal and universal is None:
                universal = risk
    return universal


def risk_path(folder: Path, identity: ModelIdentity) -> Path:
    """Where the calibration of a model is kept in a folder."""
    return folder / f"{file_stem(identity)}{SUFFIX}"
