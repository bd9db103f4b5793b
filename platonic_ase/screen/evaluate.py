"""One structure, one row: the same numbers in whichever process and order it is computed."""

from __future__ import annotations

import os
import re
import socket
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase._version import __version__
from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.screen.rows import describe, failed_row, json_safe, structure_of
from platonic_ase.screen.tasks import TASK_FUNCTIONS, Outcome, single_point_diagnostics

if TYPE_CHECKING:
    from platonic_ase.screen.settings import ScreenSettings
    from platonic_ase.screen.sources import Entry


class Evaluator:
    """A model that is loaded once, and puts each structure under a watch of its own.

    Each structure gets a calculator with no history, and the model's own calculator forgets what
    it remembers: nothing that was computed before can change a row.

    Parameters
    ----------
    settings : ScreenSettings
    """

    def __init__(self, settings: ScreenSettings) -> None:
        import torch

        torch.set_num_threads(settings.threads)
        self.settings = settings
        self._first = PlatonicCalculator(
            settings.open_calculator(),
            layer=settings.layer,
            anchors=settings.anchors,
            reference=settings.reference,
            calibration=settings.calibration,
            phonon_risk=settings.phonon_risk,
            force_bound=settings.force_bound,
            on_warning="ignore",
            progress=False,
        )

    @property
    def facts(self) -> dict[str, str]:
        """What all workers have to agree on."""
        identity = self._first.encoder.identity
        return {
            "platonic_ase": __version__,
            "model": identity.model,
            "fingerprint": identity.fingerprint,
            "layer": identity.layer,
            "dtype": identity.dtype,
            "anchors": self._first.anchors.digest,
        }

    def row(self, entry: Entry) -> dict[str, Any]:
        """Compute one structure.

        Parameters
        ----------
        entry : Entry

        Returns
        -------
        dict
            JSON-safe. A structure that cannot be computed has its error in it.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C: there is no row then.
        """
        started = time.perf_counter()
        try:
            row = self._row(entry)
        except Exception as error:
            row = failed_row(entry, f"{type(error).__name__}: {error}")
        row["seconds"] = round(time.perf_counter() - started, 4)
        row["node"] = socket.gethostname()
        return row

    def _row(self, entry: Entry) -> dict[str, Any]:
        if entry.atoms is None:
            return failed_row(entry, entry.error or "no structure")
        atoms = entry.atoms.copy()
        calculator = self._watched(entry)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                outcome = TASK_FUNCTIONS[self.settings.task](
                    atoms, calculator, dict(self.settings.options), self._trajectory(entry)
                )
            finally:
                calculator.close()
        if outcome.ended == "interrupted":
            raise KeyboardInterrupt
        return self._filled(entry, calculator, outcome)

    def _watched(self, entry: Entry) -> PlatonicCalculator:
        first = self._first
        if hasattr(first.calculator, "reset"):
            first.calculator.reset()
        single = self.settings.task == "singlepoint"
        log = None if self.settings.keep is None else self._path(entry, "jsonl")
        return PlatonicCalculator(
            first.calculator,
            encoder=first.encoder,
            anchors=first.anchors,
            reference=first.reference,
            phonon_risk=first.phonon_risk,
            force_bound=first.force_bound,
            diagnostics=single_point_diagnostics(first.force_bound) if single else "default",
            on_warning="ignore",
            log=log,
        )

    def _path(self, entry: Entry, suffix: str) -> Path:
        assert self.settings.keep is not None
        return run_file(self.settings.keep, entry.index, entry.name, suffix)

    def _trajectory(self, entry: Entry) -> Path | None:
        return None if self.settings.keep is None else self._path(entry, "traj")

    def _filled(
        self, entry: Entry, calculator: PlatonicCalculator, outcome: Outcome
    ) -> dict[str, Any]:
        assert entry.atoms is not None
        row = describe(entry, calculator, outcome)
        if entry.forces is not None and outcome.forces is not None and outcome.steps == 0:
            error = np.linalg.norm(outcome.forces - entry.forces, axis=1)
            row["label_force_error"] = {
                "largest": float(error.max()),
                "rms": float(np.sqrt((error**2).mean())),
            }
        row["structure"] = structure_of(outcome.atoms)
        safe: dict[str, Any] = json_safe(row)
        return safe


def run_file(folder: str | os.PathLike[str], index: int, name: str, suffix: str) -> Path:
    """Where the log or the trajectory of a structure lies.

    Parameters
    ----------
    folder : path-like
    index, name
        Of the structure.
    suffix : str
    """
    safe = re.sub(r"[^\w.+-]+", "_", name)[:80]
    return Path(folder) / f"{index:07d}-{safe}.{suffix}"
