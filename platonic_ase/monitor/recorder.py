"""The recorder: what of each diagnosis goes into the run log."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from time import strftime
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.monitor.diagnosis import Diagnosis
from platonic_ase.monitor.log import TIME_FORMAT, RunLog, header_record, structure_record

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.space.anchors import AnchorSet
    from platonic_ase.space.reference import ReferenceManifold

_MAP_POINTS = 1500
_PER_ATOM_LIMIT = 2000


def principal_plane(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and first two principal directions of a cloud.

    Parameters
    ----------
    points : ndarray, shape (n, K)

    Returns
    -------
    mean : ndarray, shape (K,)
    directions : ndarray, shape (K, 2)
        Orthonormal; signs fixed so that the largest component is positive.
    """
    mean = points.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov((points - mean).T))
    plane = directions[:, [-1, -2]]
    signs = np.sign(plane[np.abs(plane).argmax(axis=0), [0, 1]])
    return mean, np.asarray(plane * signs)


def element_means(points: np.ndarray, atoms: Atoms) -> dict[str, np.ndarray]:
    """Mean point of the atoms of each element.

    Parameters
    ----------
    points : ndarray, shape (n_atoms, 2)
    atoms : Atoms

    Returns
    -------
    dict of str to ndarray, shape (2,)
        By chemical symbol.
    """
    numbers = atoms.numbers
    return {chemical_symbols[z]: points[numbers == z].mean(axis=0) for z in np.unique(numbers)}


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
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        anchors: AnchorSet,
        reference: ReferenceManifold | None,
    ) -> None:
        self.log = RunLog(path)
        self._anchors, self._reference = anchors, reference
        self._plane: tuple[np.ndarray, np.ndarray] | None = None
        self._newest: dict[int, int] = {}  # geometry by track
        self._last: tuple[Atoms, Diagnosis, int | None] | None = None

    def record(
        self,
        atoms: Atoms,
        platonic: np.ndarray,
        results: Mapping[str, Any],
        diagnosis: Diagnosis,
        step: int | None,
    ) -> None:
        """Write one diagnosed geometry, unless it is an older one that is seen again.

        Parameters
        ----------
        atoms : Atoms
        platonic : ndarray, shape (n_atoms, K)
        results : mapping
        diagnosis : Diagnosis
        step : int, optional
            Step of the dynamics or optimiser that is attached.
        """
        first = diagnosis.track not in self._newest
        if not first and not diagnosis.events and diagnosis.index <= self._newest[diagnosis.track]:
            return
        self._newest[diagnosis.track] = max(diagnosis.index, self._newest.get(diagnosis.track, 0))
        mean, directions = self._begin()
        entry: dict[str, Any] = {
            "index": diagnosis.index,
            "track": diagnosis.track,
            "step": step,
            "energy": results.get("energy"),
            "volume": abs(atoms.cell.volume) if atoms.cell.rank == 3 else None,
            "scalars": diagnosis.scalars,
            "series": diagnosis.series,
            "risks": diagnosis.risks,
            "map": element_means((platonic - mean) @ directions, atoms),
            "events": [event.to_dict() for event in diagnosis.events],
        }
        if atoms.has("momenta"):
            entry["temperature"] = atoms.get_temperature()
        if len(atoms) <= _PER_ATOM_LIMIT:
            entry["per_atom"] = {k: np.round(v, 5) for k, v in diagnosis.per_atom.items()}
        self.log.write("geometry", entry)
        self._last = (atoms, diagnosis, step)
        if first or diagnosis.events:
            self._write_structure(with_facts=first)

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
        if self._plane is not None:
            self.log.write("summary", {"ended": strftime(TIME_FORMAT), **summary})
        self.log.close()

    def _write_structure(self, with_facts: bool = False) -> None:
        """Write the latest structure with its per-atom values, once."""
        if self._last is None:
            return
        atoms, diagnosis, step = self._last
        self._last = None
        entry = {
            "index": diagnosis.index,
            "track": diagnosis.track,
            "step": step,
            "atoms": structure_record(atoms),
            "per_atom": diagnosis.per_atom,
            "flagged": sorted({a for signal in diagnosis.alarms for a in signal.atoms}),
        }
        if with_facts:
            entry["facts"] = diagnosis.facts
        self.log.write("structure", entry)

    def _begin(self) -> tuple[np.ndarray, np.ndarray]:
        """Plane of the map; the header is written first, at the first record of the run."""
        if self._plane is None:
            self._plane = self._write_header()
        return self._plane

    def _write_header(self) -> tuple[np.ndarray, np.ndarray]:
        anchors = self._anchors.project(self._anchors.embeddings)
        cloud, numbers = anchors, self._anchors.numbers
        if self._reference is not None:
            cloud, numbers = self._reference.platonic, self._reference.numbers
        mean, directions = principal_plane(cloud.astype(float))
        every = max(1, len(cloud) // _MAP_POINTS)
        self.log.write(
            "header",
            header_record(
                model=self._anchors.identity.to_dict(),
                versions={"python": python_version(), **_versions("ase", "numpy", "torch")},
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
