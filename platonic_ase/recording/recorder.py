"""The recorder: what of each diagnosis goes into the run log."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.diagnostics.base import Diagnosis
from platonic_ase.recording.log import RunLog, header_record, structure_record

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
        self._first_of_track: set[int] = set()

    def record(
        self,
        atoms: Atoms,
        platonic: np.ndarray,
        results: Mapping[str, Any],
        diagnosis: Diagnosis,
        step: int | None,
    ) -> None:
        """Write one diagnosed geometry.

        Parameters
        ----------
        atoms : Atoms
        platonic : ndarray, shape (n_atoms, K)
        results : mapping
        diagnosis : Diagnosis
        step : int, optional
            Step of the dynamics or optimiser that is attached.
        """
        if self._plane is None:
            self._plane = self._write_header()
        mean, directions = self._plane
        entry: dict[str, Any] = {
            "index": diagnosis.index,
            "track": diagnosis.track,
            "step": step,
            "energy": results.get("energy"),
            "volume": abs(atoms.cell.volume) if atoms.cell.rank == 3 else None,
            "scalars": diagnosis.scalars,
            "series": diagnosis.series,
            "risks": diagnosis.risks,
            "map": (platonic.mean(axis=0) - mean) @ directions,
            "events": [event.to_dict() for event in diagnosis.events],
        }
        if atoms.has("momenta"):
            entry["temperature"] = atoms.get_temperature()
        if len(atoms) <= _PER_ATOM_LIMIT:
            entry["per_atom"] = {k: np.round(v, 5) for k, v in diagnosis.per_atom.items()}
        self.log.write("geometry", entry)
        first = diagnosis.track not in self._first_of_track
        self._first_of_track.add(diagnosis.track)
        if first or diagnosis.events:
            self.write_structure(atoms, diagnosis)

    def write_structure(self, atoms: Atoms, diagnosis: Diagnosis) -> None:
        """Write a structure with its per-atom values, for the report."""
        self.log.write(
            "structure",
            {
                "index": diagnosis.index,
                "track": diagnosis.track,
                "atoms": structure_record(atoms),
                "per_atom": dict(diagnosis.per_atom),
                "flagged": sorted({a for event in diagnosis.events for a in event.atoms}),
            },
        )

    def close(self, summary: Mapping[str, Any]) -> None:
        """Write the summary and close the log."""
        self.log.write("summary", summary)
        self.log.close()

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
                anchors=len(self._anchors),
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
