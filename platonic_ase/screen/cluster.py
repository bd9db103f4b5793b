"""Structures over the workers of a Dask cluster, on this machine or many."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Self

from distributed import Client, LocalCluster, WorkerPlugin, as_completed, get_worker
from distributed.scheduler import KilledWorker

from platonic_ase._version import __version__
from platonic_ase.errors import PlatonicError, ScreenError
from platonic_ase.screen.evaluate import Evaluator
from platonic_ase.screen.loop import parcels
from platonic_ase.screen.rows import failed_row
from platonic_ase.screen.settings import ScreenSettings
from platonic_ase.screen.sources import Entry

logger = logging.getLogger("platonic_ase")

TRIES = 3
"""Workers that may die over one structure before it is listed with its error."""
_PLUGIN = "platonic-ase"
_AHEAD = 2  # parcels per thread that are out at a time


class ModelOnWorker(WorkerPlugin):
    """Loads the model once per worker, at the first structure.

    Parameters
    ----------
    settings : ScreenSettings
    """

    name = _PLUGIN

    def __init__(self, settings: ScreenSettings) -> None:
        self.settings = settings
        self._evaluator: Evaluator | None = None
        self._lock: Any = None

    def setup(self, worker: Any) -> None:
        """Make ready; loading here would block what the worker has to answer meanwhile."""
        self._lock = Lock()

    def evaluator(self) -> Evaluator:
        """The model, loaded by now."""
        with self._lock:
            if self._evaluator is None:
                self._evaluator = Evaluator(self.settings)
            return self._evaluator


def compute(parcel: Sequence[Entry]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Rows of a parcel, on a worker, and what the worker computes with.

    Parameters
    ----------
    parcel : sequence of Entry
    """
    evaluator = get_worker().plugins[_PLUGIN].evaluator()
    return evaluator.facts, [*evaluator.rows(parcel)]


@dataclass
class _Parcel:
    entries: Sequence[Entry]
    tries: int = 0


class Cluster:
    """An :class:`~platonic_ase.screen.loop.Engine` over Dask workers; a context.

    Parameters
    ----------
    settings : ScreenSettings
    scheduler : str, optional
        Address of a running scheduler; without one, and without a file, workers are started here.
    scheduler_file : path-like, optional
        JSON file that a scheduler wrote.
    workers : int, optional
        How many processes to start here, with one thread each; one a core by default.
    wait : float
        Seconds until the scheduler has to have a worker.

    Raises
    ------
    ScreenError
        If no scheduler answers, no worker comes, or the workers differ from this process or from
        each other.
    """

    def __init__(
        self,
        settings: ScreenSettings,
        *,
        scheduler: str | None = None,
        scheduler_file: str | os.PathLike[str] | None = None,
        workers: int | None = None,
        wait: float = 300.0,
    ) -> None:
        self._settings = settings
        self._local: LocalCluster | None = None
        self._facts: dict[str, str] | None = None
        if scheduler is None and scheduler_file is None:
            self._local = _start(workers or len(os.sched_getaffinity(0)))
            self._client = Client(self._local)
        else:
            self._client = _connect(scheduler, scheduler_file)
        try:
            self._prepare(wait)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the scheduler, and end the workers that were started here."""
        self._client.close()
        if self._local is not None:
            self._local.close()

    @property
    def facts(self) -> dict[str, str]:
        """What all workers agree on."""
        assert self._facts is not None
        return self._facts

    def rows(self, entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
        """Rows in the order in which they are finished.

        A structure over which a worker dies is tried again when all others are done, alone.
        """
        suspects: list[_Parcel] = []
        waiting = map(_Parcel, parcels(entries, self._settings.task))
        yield from self._run(waiting, suspects, _AHEAD)
        while suspects:
            again, suspects = suspects, []
            for parcel in again:
                yield from self._run(iter([parcel]), suspects, 1)

    def _run(
        self, waiting: Iterator[_Parcel], suspects: list[_Parcel], ahead: int
    ) -> Iterator[dict[str, Any]]:
        out: dict[str, _Parcel] = {}
        done = as_completed()
        self._send(waiting, out, done, ahead)
        for future in done:
            parcel = out.pop(future.key)
            try:
                facts, rows = future.result()
            except KilledWorker as error:
                yield from _blame(parcel, error, suspects)
            except PlatonicError:
                raise
            except Exception as error:
                if future.cancelled() or self._client.status != "running":
                    raise ScreenError(
                        "the scheduler went away. What is written is kept; give the same command "
                        "again."
                    ) from error
                raise
            else:
                self._agree(facts, "a worker")
                yield from rows
            self._send(waiting, out, done, ahead)

    def _send(
        self, waiting: Iterator[_Parcel], out: dict[str, _Parcel], done: Any, ahead: int
    ) -> None:
        while len(out) < ahead * max(sum(self._client.nthreads().values()), 1):
            parcel = next(waiting, None)
            if parcel is None:
                return
            future = self._client.submit(compute, parcel.entries, pure=False)
            out[future.key] = parcel
            done.add(future)

    def _prepare(self, wait: float) -> None:
        try:
            self._client.wait_for_workers(1, timeout=wait)
        except TimeoutError as error:
            raise ScreenError(
                f"the scheduler at {self._client.scheduler.address} has no worker after {wait:g} s;"
                " start some (dask worker ADDRESS --nthreads 1), or wait longer for them"
            ) from error
        try:
            self._client.register_plugin(ModelOnWorker(self._settings), name=_PLUGIN)
        except ImportError as error:
            raise ScreenError(
                f"a worker cannot import what it needs ({error}); install platonic_ase "
                f"{__version__} and the potential's package in its environment"
            ) from error
        futures = {
            address: self._client.submit(compute, (), workers=[address], pure=False)
            for address in self._client.nthreads()
        }
        for address, future in futures.items():
            facts, _ = future.result()
            self._agree(facts, f"the worker at {address}")

    def _agree(self, facts: dict[str, str], who: str) -> None:
        if facts["platonic_ase"] != __version__:
            raise ScreenError(
                f"{who} has platonic_ase {facts['platonic_ase']}, this process {__version__}; "
                "install the same version in both environments"
            )
        if self._facts is None:
            self._facts = facts
        if facts != self._facts:
            differ = "; ".join(
                f"{key} {facts[key]!r} there, {value!r} elsewhere"
                for key, value in self._facts.items()
                if facts[key] != value
            )
            raise ScreenError(
                f"{who} computes with something else: {differ}. Give all workers the same weights."
            )


def _blame(
    parcel: _Parcel, error: KilledWorker, suspects: list[_Parcel]
) -> Iterator[dict[str, Any]]:
    """Part a parcel over which a worker died; give up on a structure that did it too often."""
    if len(parcel.entries) > 1:
        suspects.extend(_Parcel((entry,)) for entry in parcel.entries)
        return
    parcel.tries += 1
    (entry,) = parcel.entries
    if parcel.tries < TRIES:
        logger.warning("a worker died over %s; it is tried again", entry.name)
        suspects.append(parcel)
        return
    yield failed_row(entry, f"{parcel.tries} workers died over it: {error}")


def _start(workers: int) -> LocalCluster:
    import dask

    # the first death is told at once, and the structure tried again where nothing else can suffer
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=0,
            silence_logs=logging.ERROR,
        )


def _connect(scheduler: str | None, file: str | os.PathLike[str] | None) -> Client:
    where = scheduler if file is None else os.fspath(file)
    try:
        if file is not None:
            return Client(scheduler_file=os.fspath(file), timeout=10)
        return Client(scheduler, timeout=10)
    except (OSError, TimeoutError, ValueError) as error:
        raise ScreenError(
            f"no scheduler answers at {where} ({type(error).__name__}: {error}); start one with "
            "'dask scheduler', or leave the option out to use this machine"
        ) from error
