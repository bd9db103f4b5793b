"""The recorder: what of each diagnosis goes into the run log."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from time import strftime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from platonic_ase.monitor.diagnosis import Diagnosis
from platonic_ase.monitor.frame import EVERY, Once
from platonic_ase.monitor.log import TIME_FORMAT, RunLog, header_record, structure_record, to_json
from platonic_ase.monitor.plane import ElementMeans, principal_plane
from platonic_ase.monitor.symmetry.kinds import is_displaced_copy
from platonic_ase.monitor.volume import volume_of

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.space.anchors import AnchorSet
    from platonic_ase.space.reference import ReferenceManifold

_MAP_POINTS = 1500
_PER_ATOM_EVERY = 100
_LONGEST_SERIES = 24


def array_of(platonic: np.ndarray | Once) -> np.ndarray:
    """Platonic coordinates, worked out where they were not yet."""
    return platonic if isinstance(platonic, np.ndarray) else platonic()


def short(value: float) -> float | None:
    """Seven significant digits; None where the number is not finite."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


def rounded(per_atom: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Per-atom values to five decimals, ready to be written."""
    return {name: np.round(np.asarray(v, dtype=float), 5) for name, v in per_atom.items()}


@cache
def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


class Recorder:
    """Writes the header, one record a geometry, structures at events, and the summary.

    Parameters
    ----------
    path : path-like
        Of the run log.
    anchors : AnchorSet
    reference : ReferenceManifold, optional
        Spans the map of the Platonic space together with the anchors.
    provenance : mapping, optional
        Where the run comes from; JSON-safe.

    Attributes
    ----------
    run_id : str
        Stands in each record.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        anchors: AnchorSet,
        reference: ReferenceManifold | None,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        self.run_id = uuid4().hex[:12]
        self.log = RunLog(path, self.run_id)
        self._anchors, self._reference = anchors, reference
        self._provenance = dict(provenance or {})
        self._means: ElementMeans | None = None
        self._layouts: dict[tuple[Any, ...], int] = {}
        self._newest: dict[int, int] = {}  # geometry by track
        self._last: tuple[Atoms, Diagnosis, int | None, np.ndarray | Once] | None = None
        self._written: tuple[Atoms, Diagnosis] | None = None  # the latest structure

    def record(
        self,
        atoms: Atoms,
        platonic: np.ndarray | Once,
        results: Mapping[str, Any],
        diagnosis: Diagnosis,
        step: int | None,
    ) -> None:
        """Write one diagnosed geometry, unless it is an older one that is seen again.

        What was left for later is not written, see :mod:`~platonic_ase.monitor.frame`.

        Parameters
        ----------
        atoms : Atoms
        platonic : ndarray, shape (n_atoms, K), or Once
            Places on the map are written only where it is known already.
        results : mapping
        diagnosis : Diagnosis
        step : int, optional
            Step of the dynamics or optimiser that is attached.
        """
        first = diagnosis.track not in self._newest
        if not first and not diagnosis.events and diagnosis.index <= self._newest[diagnosis.track]:
            return
        self._newest[diagnosis.track] = max(diagnosis.index, self._newest.get(diagnosis.track, 0))
        if self._means is None:
            self._provenance.setdefault("formula", str(atoms.symbols))
        means = self._begin()
        volume = volume_of(atoms.cell.array) or None  # no volume in fewer dimensions
        energy = results.get("energy")
        scalars, risks = diagnosis.scalars, diagnosis.risks
        temperature = scalars.get("temperature")
        if temperature is None and "momenta" in atoms.arrays:
            temperature = atoms.get_temperature()
        series = {name: row[:_LONGEST_SERIES] for name, row in diagnosis.series.items()}
        values: list[float | None] = [
            None if energy is None else round(float(energy), 6),
            None if volume is None else round(volume, 3),
            None if temperature is None else round(temperature, 2),
            *map(short, scalars.values()),
            *[float(format(v, ".4g")) for row in series.values() for v in row],
        ]
        symbols: tuple[str, ...] = ()
        if isinstance(platonic, np.ndarray) or platonic.known:
            values += means(array_of(platonic), atoms.numbers)
            symbols = means.symbols
        said = {name: value for name, value in risks.items() if isinstance(value, str)}
        layout = self._layout(
            tuple(scalars),
            tuple((name, len(row)) for name, row in series.items()),
            symbols,
            tuple(said.items()),
        )
        entry: dict[str, Any] = {
            "at": [diagnosis.index, diagnosis.track, step, layout],
            "values": values,
        }
        if len(said) < len(risks):
            entry["risks"] = {k: short(v) for k, v in risks.items() if not isinstance(v, str)}
        if diagnosis.events:
            entry["events"] = to_json([event.to_dict() for event in diagnosis.events])
        # a log of many atoms is not to be larger for it
        every = max(_PER_ATOM_EVERY, len(atoms) // (10 * EVERY) * EVERY)
        if diagnosis.index and diagnosis.index % every == 0:
            entry["per_atom"] = rounded(diagnosis.per_atom)
        self.log.write_clean("geometry", entry)
        self._last = (atoms, diagnosis, step, platonic)
        if diagnosis.events or (first and not self._write_copy(atoms, diagnosis)):
            self._write_structure(with_facts=first)

    def add_provenance(self, provenance: Mapping[str, Any]) -> None:
        """Say more of where the run comes from; in a record of its own once it has begun."""
        self._provenance.update(provenance)
        if self._means is not None:
            self.log.write("provenance", {"provenance": provenance})

    def _layout(
        self,
        scalars: tuple[str, ...],
        series: tuple[tuple[str, int], ...],
        symbols: tuple[str, ...],
        risks: tuple[tuple[str, str], ...],
    ) -> int:
        """Number of the list of names; written where it is new."""
        key = (scalars, series, symbols, risks)
        number = self._layouts.get(key)
        if number is None:
            number = self._layouts[key] = len(self._layouts)
            self.log.write(
                "layout",
                {
                    "layout": number,
                    "scalars": scalars,
                    "series": dict(series),
                    "map": symbols,
                    "risks": dict(risks),
                },
            )
        return number

    def note(self, kind: str, record: Mapping[str, Any]) -> None:
        """Write a record that belongs to the run rather than to one geometry.

        Parameters
        ----------
        kind : str
            Such as ``"event"`` or ``"audit"``.
        record : mapping
        """
        self._begin()
        self.log.write(kind, record)

    def close(self, summary: Mapping[str, Any]) -> None:
        """Write the last structure and the summary, if there was a run, and close the log."""
        self._write_structure()
        if self._means is not None:
            self.log.write("summary", {"ended": strftime(TIME_FORMAT), **summary})
        self.log.close()

    def _write_structure(self, with_facts: bool = False) -> None:
        """Write the latest structure with its per-atom values and places on the map, once."""
        if self._last is None:
            return
        atoms, diagnosis, step, platonic = self._last
        self._last = None
        diagnosis = diagnosis.whole
        entry = {
            "index": diagnosis.index,
            "track": diagnosis.track,
            "step": step,
            "atoms": structure_record(atoms),
            "per_atom": rounded({**diagnosis.per_atom, **self._begin().atoms(array_of(platonic))}),
            "flagged": sorted({int(a) for signal in diagnosis.alarms for a in signal.atoms}),
        }
        if with_facts:
            entry["facts"] = to_json(diagnosis.facts)
        self.log.write_clean("structure", entry)
        self._written = (atoms, diagnosis)

    def _write_copy(self, atoms: Atoms, diagnosis: Diagnosis) -> bool:
        """Write how a displaced copy differs from the latest structure; False if it is none."""
        if self._written is None or not is_displaced_copy(atoms, self._written[0]):
            return False
        known, before = self._written
        moved = np.flatnonzero((atoms.positions != known.positions).any(axis=1))
        entry = {
            "index": diagnosis.index,
            "track": diagnosis.track,
            "of": before.track,
            "moved": moved,
            "positions": np.round(atoms.positions[moved], 6),
        }
        if diagnosis.facts != before.facts:
            entry["facts"] = to_json(diagnosis.facts)
        self.log.write_clean("copy", entry)
        return True

    def _begin(self) -> ElementMeans:
        """What makes the map; the header is written first, at the first record of the run."""
        if self._means is None:
            self._means = ElementMeans(*self._write_header())
        return self._means

    def _write_header(self) -> tuple[np.ndarray, np.ndarray]:
        anchors = self._anchors.project(self._anchors.embeddings)
        cloud, numbers = anchors, self._anchors.numbers
        if self._reference is not None:
            cloud, numbers = self._reference.platonic, self._reference.numbers
        mean, directions = principal_plane(cloud)
        every = max(1, len(cloud) // _MAP_POINTS)
        self.log.write(
            "header",
            header_record(
                model=self._anchors.identity.to_dict(),
                versions={"python": python_version(), **_versions("ase", "numpy", "torch")},
                provenance=self._provenance,
                anchors=len(self._anchors),
                anchors_digest=self._anchors.digest,
                centred=self._anchors.centre is not None,
                reference=None if self._reference is None else len(self._reference),
                calibration=(
                    "uncalibrated"
                    if self._reference is None
                    else {
                        "level": self._reference.level,
                        "alarm_level": self._reference.alarm_level,
                        "alarm": self._reference.alarm,
                    }
                ),
                map={
                    "anchors": np.round((anchors - mean) @ directions, 4),
                    "reference": np.round((cloud[::every] - mean) @ directions, 4),
                    "reference_numbers": numbers[::every],
                },
            ),
        )
        return mean, directions
