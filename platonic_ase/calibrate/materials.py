"""Crystals by formula and prototype, with their true phonon spectra where they are known."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.build import bulk

from platonic_ase.errors import SpaceFileError
from platonic_ase.outputs import require_plain_name
from platonic_ase.phonons.spectrum import LEVELS
from platonic_ase.space.json_text import parse_json

if TYPE_CHECKING:
    from ase import Atoms

_CUBE = ((-2, 2, 2), (2, -2, 2), (2, 2, -2))
SUPERCELLS: Mapping[str, Sequence[Any]] = {
    "rocksalt": _CUBE,
    "zincblende": _CUBE,
    "wurtzite": (3, 3, 2),
    "cesiumchloride": (3, 3, 3),
}
"""Supercells by prototype: 64, 64, 72 and 54 atoms."""


@dataclass(frozen=True)
class Material:
    """A crystal, and its true spectrum where one is known.

    Attributes
    ----------
    formula, prototype : str
        A binary, and one of :data:`SUPERCELLS`.
    truth : tuple of float, length 17, or None
        Quantiles of the true spectrum, THz, at equally spaced levels from 0 to 1.
    source : str
        Whose truth it is.
    """

    formula: str
    prototype: str
    truth: tuple[float, ...] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.prototype not in SUPERCELLS:
            raise SpaceFileError(
                f"{self.formula}: prototype {self.prototype!r}; one of {', '.join(SUPERCELLS)} is "
                "needed"
            )
        if self.truth is not None and len(self.truth) != len(LEVELS):
            raise SpaceFileError(
                f"{self.formula}: {len(self.truth)} quantiles; {len(LEVELS)} are needed"
            )
        if self.truth is not None and not (
            np.isfinite(self.truth).all()
            and np.all(np.diff(self.truth) >= 0)
            and self.truth[-1] > 0
        ):
            raise SpaceFileError(
                f"{self.formula}: quantiles of frequencies have to be finite, ascending and not "
                f"all zero or imaginary; got {self.truth[0]:g} to {self.truth[-1]:g} THz"
            )

    @property
    def key(self) -> str:
        """Formula and prototype, such as ``"NaCl_rocksalt"``."""
        return f"{self.formula}_{self.prototype}"


def read_materials(path: str | os.PathLike[str]) -> list[Material]:
    """Read DFT spectra: JSON with ``materials``, each a formula, a prototype and quantiles.

    Raises
    ------
    SpaceFileError
        If the file is no JSON, or lacks a key.
    """
    try:
        stored = parse_json(Path(path).read_bytes())
        source = f"DFT: {stored.get('source', Path(path).name)}"
        return [
            Material(
                require_plain_name(each["formula"], "the formula"),
                require_plain_name(each["prototype"], "the prototype"),
                tuple(float(q) for q in each["dft_frequency_quantiles_THz"]),
                source,
            )
            for each in stored["materials"]
        ]
    except OSError as error:
        raise SpaceFileError(f"no phonon spectra at {path} ({error.strerror})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SpaceFileError(f"{path} holds no phonon spectra ({error!r})") from error


def bulk_cell(material: Material, bond: float) -> Atoms:
    """The ideal primitive cell with a nearest-neighbour distance of ``bond`` Å."""
    edge = {
        "rocksalt": 2 * bond,
        "zincblende": 4 * bond / np.sqrt(3),
        "cesiumchloride": 2 * bond / np.sqrt(3),
        "wurtzite": bond * np.sqrt(8 / 3),
    }[material.prototype]
    if material.prototype == "wurtzite":
        return bulk(material.formula, "wurtzite", a=edge, c=edge * np.sqrt(8 / 3))
    return bulk(material.formula, material.prototype, a=edge)
