"""Files of a phonon calculation: JSON, report, parameters for phonopy."""

from __future__ import annotations

import json as jsonlib
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path

from platonic_ase.errors import OutputError, RecordingWarning
from platonic_ase.outputs import keep_previous, write_atomically
from platonic_ase.phonons.corrected import WHAT, corrected_phonopy
from platonic_ase.phonons.result import PhononResult

logger = logging.getLogger("platonic_ase")

PathLike = str | os.PathLike[str]


def _write_json(result: PhononResult, path: Path) -> None:
    write_atomically(path, jsonlib.dumps(result.to_dict(), indent=1) + "\n")


def _write_params(result: PhononResult, path: Path) -> None:
    result.phonon.save(str(path), settings={"force_constants": True})


def _write_corrected(result: PhononResult, path: Path) -> None:
    assert result.corrected is not None
    factor = result.corrected.estimate.factor
    assert factor is not None
    corrected_phonopy(result.phonon, factor).save(str(path), settings={"force_constants": True})
    text = path.read_text(encoding="utf-8")
    write_atomically(path, f"# {WHAT}: frequencies times {factor:.4f}\n{text}")


_NEEDS: dict[str, Callable[[PhononResult], bool]] = {
    "phonopy": lambda result: result.spectrum is not None,
    "corrected": lambda result: result.corrected is not None and bool(result.corrected.spectra),
}


def _write_report(result: PhononResult, path: Path) -> None:
    from platonic_ase.phonons.report import render_phonons

    write_atomically(path, render_phonons(result))


class PhononOutputs:
    """Where to write; None writes nothing.

    Parameters
    ----------
    json, report, params, corrected_params : path-like or None
        Result, HTML report, ``phonopy_params.yaml``, and the same with corrected force constants.
    """

    def __init__(
        self,
        json: PathLike | None,
        report: PathLike | None,
        params: PathLike | None,
        corrected_params: PathLike | None,
    ) -> None:
        self.json, self.report, self.params = json, report, params
        self.corrected_params = corrected_params

    def write(self, result: PhononResult) -> dict[str, Path]:
        """Write all that was asked for; a file that cannot be written loses nothing else."""
        files: dict[str, Path] = {}
        for role, path, write in (
            ("json", self.json, _write_json),
            ("phonopy", self.params, _write_params),
            ("corrected", self.corrected_params, _write_corrected),
            ("report", self.report, _write_report),
        ):
            if path is None or (role in _NEEDS and not _NEEDS[role](result)):
                continue
            try:
                files[role] = keep_previous(path)
                write(result, files[role])
            except (OSError, OutputError) as error:
                files.pop(role, None)
                message = f"{path} cannot be written: {error}"
                logger.warning(message)
                warnings.warn(message, RecordingWarning, stacklevel=2)
        return files
