"""Crystals with known phonon errors, and packs fitted to them.

A table is a JSON file with ``columns`` and, by model, ``rows``: one crystal each, as
:class:`PhononRow` describes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from ase.symbols import string2symbols

from platonic_ase.errors import SpaceFileError
from platonic_ase.phonons.chemistry import is_octet
from platonic_ase.phonons.features import FEATURES, DisplacementFeatures
from platonic_ase.phonons.fit import fit_phonon_risk
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.phonons.spectra import log_frequency
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.json_text import parse_json

ERROR_FEATURES = (
    "stiffness_excess", "log_coordination", "bond_polarity", "log_valence", "log_bond",
    "mean_radius", "log_stretch", "neighbour_share",
)  # fmt: skip
"""Features of the packs that this package ships."""
IMAGINARY_FEATURES = ("force_odds",)
_BASELINE = "baseline_"


@dataclass(frozen=True)
class PhononRow:
    """One crystal.

    Attributes
    ----------
    formula, prototype : str
    anion : str
        Its more electronegative element: crystals of one anion are left out together.
    supercell_atoms : int
    relative_error : float
        Wasserstein-1 distance of the model's spectrum to the true one over the mean true frequency.
    log_factor : float
        ln of the factor that brings the model's spectrum closest to the true one; NaN where none
        does.
    imaginary : bool
        Whether the model has an imaginary mode that the truth has not.
    mean, lowest : float
        Frequencies of the model itself, THz.
    quantiles : tuple of float, length 17
        Of its spectrum, THz.
    features : DisplacementFeatures
        NaN where the table has no such column; the root-mean-square frequency then follows from
        the quantiles.
    baselines : mapping of str to float
        Other scores that might foretell the error; NaN where they were not computed.
    displacement : float
        Å, of spectrum and features.
    """

    formula: str
    prototype: str
    anion: str
    supercell_atoms: int
    relative_error: float
    log_factor: float
    imaginary: bool
    mean: float
    lowest: float
    quantiles: tuple[float, ...]
    features: DisplacementFeatures
    baselines: Mapping[str, float] = field(default_factory=dict)
    displacement: float = 0.03

    @property
    def key(self) -> str:
        """Formula and prototype, such as ``"NaCl rocksalt"``."""
        return f"{self.formula} {self.prototype}"

    @property
    def numbers(self) -> np.ndarray:
        """Atomic numbers of one formula unit."""
        return np.array([atomic_numbers[symbol] for symbol in string2symbols(self.formula)])

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe, one key a column; features that are NaN are left out, baselines None."""
        features = {k: float(v) for k, v in self.features.to_dict().items() if np.isfinite(v)}
        return {
            "formula": self.formula,
            "prototype": self.prototype,
            "anion": self.anion,
            "supercell_atoms": int(self.supercell_atoms),
            "relative_error": float(self.relative_error),
            "log_factor": float(self.log_factor) if np.isfinite(self.log_factor) else None,
            "imaginary": bool(self.imaginary),
            "mean": float(self.mean),
            "lowest": float(self.lowest),
            "quantiles": [float(q) for q in self.quantiles],
            "displacement": float(self.displacement),
            **features,
            **{
                _BASELINE + name: float(value) if np.isfinite(value) else None
                for name, value in self.baselines.items()
            },
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PhononRow:
        """Inverse of :meth:`to_dict`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If a value is missing or of the wrong kind.
        """
        quantiles = tuple(float(q) for q in values["quantiles"])
        features = {name: _number(values.get(name)) for name in FEATURES}
        if not np.isfinite(features["log_frequency"]):  # a table of before that feature
            features["log_frequency"] = log_frequency(np.array(quantiles))
        return cls(
            formula=str(values["formula"]),
            prototype=str(values["prototype"]),
            anion=str(values["anion"]),
            supercell_atoms=int(values["supercell_atoms"]),
            relative_error=float(values["relative_error"]),
            log_factor=_number(values["log_factor"]),
            imaginary=bool(values["imaginary"]),
            mean=float(values["mean"]),
            lowest=float(values["lowest"]),
            quantiles=quantiles,
            features=DisplacementFeatures(**features),
            baselines={
                name.removeprefix(_BASELINE): _number(value)
                for name, value in values.items()
                if name.startswith(_BASELINE)
            },
            displacement=float(values.get("displacement", 0.03)),
        )


@dataclass(frozen=True)
class PhononTable:
    """Phonon errors of one model.

    Attributes
    ----------
    model : str
        As :func:`~platonic_ase.models.load_calculator` knows it.
    title : str
        For people.
    rows : tuple of PhononRow, length n
    fingerprint : str
        Of the model's parameters, where the table holds it.
    """

    model: str
    title: str
    rows: tuple[PhononRow, ...]
    fingerprint: str = ""

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> np.ndarray:
        """One attribute of all crystals, shape (n, ...)."""
        return np.array([getattr(row, name) for row in self.rows])

    def feature(self, name: str) -> np.ndarray:
        """One feature of all crystals, shape (n,)."""
        return np.array([getattr(row.features, name) for row in self.rows])

    @property
    def relative_errors(self) -> np.ndarray:
        """Shape (n,)."""
        return self.column("relative_error")

    def where(self, wanted: Callable[[PhononRow], bool]) -> PhononTable:
        """The rows that are wanted."""
        return replace(self, rows=tuple(row for row in self.rows if wanted(row)))


def read_phonon_table(path: str | os.PathLike[str]) -> dict[str, PhononTable]:
    """Read a table, by model.

    Raises
    ------
    SpaceFileError
        If the file is no JSON, or lacks a column.
    """
    try:
        stored = parse_json(Path(path).read_bytes())
        columns = stored["columns"]
        return {
            model: PhononTable(
                model,
                each["title"],
                tuple(
                    PhononRow.from_dict(dict(zip(columns, row, strict=True)))
                    for row in each["rows"]
                ),
                each.get("fingerprint", ""),
            )
            for model, each in stored["models"].items()
        }
    except OSError as error:
        raise SpaceFileError(f"no phonon table at {path} ({error.strerror})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise SpaceFileError(f"{path} is no table of phonon errors ({error!r})") from error


def merge(tables: Sequence[PhononTable]) -> PhononTable:
    """The crystals of several models, one after the other."""
    return PhononTable(
        "+".join(table.model for table in tables),
        ", ".join(table.title for table in tables),
        tuple(row for table in tables for row in table.rows),
    )


def fit_table(
    table: PhononTable,
    name: str,
    *,
    modes: PhononTable | None = None,
    error_features: Sequence[str] = ERROR_FEATURES,
    identity: ModelIdentity | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> PhononRisk:
    """Fit a pack to all crystals of a table, anions being the groups.

    Parameters
    ----------
    table : PhononTable
    modes : PhononTable, optional
        From which imaginary modes are learnt, such as the crystals of several models; ``table``
        itself by default.
    name, error_features, identity, provenance
        See :func:`~platonic_ase.phonons.fit.fit_phonon_risk`.

    Raises
    ------
    ValueError
        With fewer than three anions.
    """
    rows, unstable = table.rows, (modes or table).rows
    return fit_phonon_risk(
        name,
        [row.features for row in rows],
        [row.relative_error for row in rows],
        [row.anion for row in rows],
        imaginary=[row.imaginary for row in unstable],
        imaginary_crystals=[row.features for row in unstable],
        log_factors=[row.log_factor for row in rows],
        octet=all(is_octet(row.numbers) for row in rows),
        error_features=error_features,
        imaginary_features=IMAGINARY_FEATURES,
        identity=identity,
        provenance=provenance,
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
