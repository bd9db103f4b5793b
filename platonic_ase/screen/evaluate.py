"""One structure, one row: the same numbers in whichever process and order it is computed."""

from __future__ import annotations

import logging
import os
import re
import socket
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.outputs import all_outputs

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.models.embed import batches_of
from platonic_ase.runs.placement import facts_of, open_model
from platonic_ase.screen.rows import describe, failed_row, json_safe, structure_of
from platonic_ase.screen.tasks import TASK_FUNCTIONS, Outcome, single_point_diagnostics
from platonic_ase.structures import require_computable

if TYPE_CHECKING:
    from platonic_ase.screen.settings import ScreenSettings
    from platonic_ase.screen.sources import Entry

logger = logging.getLogger("platonic_ase")


class Evaluator:
    """A model that is loaded once, and puts each structure under a watch of its own.

    Each structure gets a calculator with no history, and the model's own calculator forgets what
    it remembers: nothing that was computed before can change a row.

    Parameters
    ----------
    settings : ScreenSettings

    Attributes
    ----------
    outcome : Outcome or None
        Of the structure that was computed last: what a row does not hold, such as all forces.
    """

    def __init__(self, settings: ScreenSettings) -> None:
        import torch

        torch.set_num_threads(settings.threads)
        self.settings = settings
        self.outcome: Outcome | None = None
        self._first = PlatonicCalculator(
            open_model(settings.calculator, settings.device),
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
        return {**facts_of(self._first.encoder), "anchors": self._first.anchors.digest}

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
        return self._timed(entry, partial(self._row, entry))

    def rows(self, entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
        """Compute structures, in batches where the settings say so and the encoder can.

        Parameters
        ----------
        entries : sequence of Entry

        Yields
        ------
        dict
            In their order; see :meth:`row`.
        """
        most = self.settings.batch
        if most is None or not self._can_batch():
            yield from map(self.row, entries)
            return
        for batch in batches_of([len(e.atoms or ()) for e in entries], most):
            yield from self._batch([entries[index] for index in batch])

    def _can_batch(self) -> bool:
        encoder = self._first.encoder
        # an encoder inside a sum knows a part of the energy only
        return encoder.evaluates_batches and encoder.calculator is self._first.calculator

    def _batch(self, entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
        """Rows of one batch; where it fails, each structure by itself."""
        encoder = self._first.encoder
        structures = [entry.atoms for entry in entries if entry.atoms is not None]
        started = time.perf_counter()
        try:
            if len(structures) < max(2, len(entries)):
                raise ValueError("nothing to batch")
            for atoms in structures:
                require_computable(atoms, encoder.elements)
            with encoder.capture() as capture, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results = encoder.evaluate_batch(structures)
            captured = capture.take(sum(map(len, structures)))
            if not all(np.isfinite(each["forces"]).all() for each in results):
                raise ValueError("forces are not finite")
        except Exception as error:
            logger.debug("%d structures go one by one: %s", len(entries), error)
            yield from map(self.row, entries)
            return
        share = (time.perf_counter() - started) / len(entries)
        start = 0
        for entry, found in zip(entries, results, strict=True):
            assert entry.atoms is not None
            rows = captured[start : start + len(entry.atoms)]
            start += len(entry.atoms)
            yield self._timed(entry, partial(self._given, entry, rows, found), share)

    def _given(self, entry: Entry, captured: Any, results: dict[str, Any]) -> dict[str, Any]:
        """Row of a structure whose results and embeddings are there."""
        assert entry.atoms is not None
        atoms, calculator = entry.atoms.copy(), self._watched(entry)
        session = calculator.session
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                session.open()
                session.watch.evaluated += 1
                known = {name: value for name, value in results.items() if name in all_outputs}
                session.observe(atoms, atoms.copy(), captured, known)
            finally:
                calculator.close()
        outcome = Outcome(atoms, "finished", 0, float(results["energy"]), results["forces"])
        return self._filled(entry, calculator, outcome)

    def _timed(
        self, entry: Entry, compute: Callable[[], dict[str, Any]], before: float = 0.0
    ) -> dict[str, Any]:
        started = time.perf_counter() - before
        self.outcome = None
        try:
            row = compute()
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
        self.outcome = outcome
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
