"""Work over the workers of a Dask cluster, on this machine or many."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, Self
from uuid import uuid4

from distributed import Client, LocalCluster, WorkerPlugin, as_completed, get_worker
from distributed.scheduler import KilledWorker

from platonic_ase._version import __version__
from platonic_ase.errors import ClusterError, PlatonicError
from platonic_ase.runs.placement import Lost, Parcel, Placement, Work, Worker

logger = logging.getLogger("platonic_ase")

TRIES = 3
"""Workers that may die over one item before it is given up."""
_AHEAD = 2  # parcels per thread that are out at a time


class ModelOnWorker(WorkerPlugin):
    """Loads the model once per worker, at the first parcel.

    Parameters
    ----------
    work : Work
    name : str
        Of this client's plug-in: others may use the same workers for something else.
    """

    def __init__(self, work: Work, name: str) -> None:
        self.work, self.name = work, name
        self._worker: Worker | None = None
        self._lock: Any = None

    def setup(self, worker: Any) -> None:
        """Make ready; loading here would block what the worker has to answer meanwhile."""
        self._lock = Lock()

    def opened(self) -> Worker:
        """The model, loaded by now."""
        with self._lock:
            if self._worker is None:
                self._worker = self.work.open()
            return self._worker


def compute(plugin: str, items: Sequence[Any]) -> tuple[dict[str, str], Any]:
    """Result of a parcel, on a worker, and what the worker computes with.

    Parameters
    ----------
    plugin : str
        Name of the client's.
    items : sequence
        None for the facts alone.
    """
    worker = get_worker().plugins[plugin].opened()
    if not items:
        return dict(worker.facts), None
    result = worker.do(items)
    return dict(worker.facts), [*result] if isinstance(result, Iterator) else result


class Cluster:
    """An :class:`~platonic_ase.runs.placement.Engine` over Dask workers; a context.

    Parameters
    ----------
    work : Work
    placement : Placement
        Without a scheduler, workers are started here.
    expected : mapping, optional
        What the workers have to compute with.

    Raises
    ------
    ClusterError
        If no scheduler answers, no worker comes, or the workers differ from this process or from
        each other.
    """

    def __init__(
        self, work: Work, placement: Placement, expected: Mapping[str, str] | None = None
    ) -> None:
        self._work = work
        self._plugin = f"platonic-ase-{uuid4().hex}"
        self._local: LocalCluster | None = None
        self._facts = None if expected is None else dict(expected)
        if placement.scheduler is None and placement.scheduler_file is None:
            self._local = start_workers(placement.workers or len(os.sched_getaffinity(0)))
            self._client = Client(self._local)
        else:
            self._client = _connect(placement.scheduler, placement.scheduler_file)
        try:
            self._prepare(placement.wait)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the scheduler, and end the workers that were started here."""
        if self._local is None and self._client.status == "running":
            with suppress(Exception):  # a scheduler that went away keeps nothing of this
                self._client.unregister_worker_plugin(self._plugin)
        self._client.close()
        if self._local is not None:
            self._local.close()

    @property
    def facts(self) -> Mapping[str, str]:
        """What all workers agree on."""
        assert self._facts is not None
        return self._facts

    def results(self, parcels: Iterable[Parcel]) -> Iterator[tuple[Parcel, Any]]:
        """Results in the order in which they are finished.

        An item over which a worker dies is tried again when all others are done, alone.
        """
        suspects: list[Parcel] = []
        yield from self._run(iter(parcels), suspects, _AHEAD)
        while suspects:
            again, suspects = suspects, []
            for parcel in again:
                yield from self._run(iter([parcel]), suspects, 1)

    def _run(
        self, waiting: Iterator[Parcel], suspects: list[Parcel], ahead: int
    ) -> Iterator[tuple[Parcel, Any]]:
        out: dict[str, Parcel] = {}
        done = as_completed()
        self._send(waiting, out, done, ahead)
        for future in done:
            parcel = out.pop(future.key)
            try:
                facts, result = future.result()
            except KilledWorker as error:
                yield from self._blame(parcel, error, suspects)
            except PlatonicError:
                raise
            except Exception as error:
                if future.cancelled() or self._client.status != "running":
                    raise ClusterError(
                        "the scheduler went away. What is written is kept; give the same command "
                        "again."
                    ) from error
                raise
            else:
                self._agree(facts, "a worker")
                yield parcel, result
            self._send(waiting, out, done, ahead)

    def _send(
        self, waiting: Iterator[Parcel], out: dict[str, Parcel], done: Any, ahead: int
    ) -> None:
        while len(out) < ahead * max(sum(self._client.nthreads().values()), 1):
            parcel = next(waiting, None)
            if parcel is None:
                return
            future = self._client.submit(compute, self._plugin, parcel.items, pure=False)
            out[future.key] = parcel
            done.add(future)

    def _blame(
        self, parcel: Parcel, error: KilledWorker, suspects: list[Parcel]
    ) -> Iterator[tuple[Parcel, Any]]:
        """Part a parcel over which a worker died; give up an item that did it too often."""
        if len(parcel.items) > 1:
            suspects.extend(
                Parcel((item,), parcel.key, parcel.start + place)
                for place, item in enumerate(parcel.items)
            )
            return
        parcel.tries += 1
        (item,) = parcel.items
        if parcel.tries < TRIES:
            logger.warning("a worker died over %s; it is tried again", self._work.name(item))
            suspects.append(parcel)
            return
        yield parcel, Lost(f"{parcel.tries} workers died over it: {error}")

    def _prepare(self, wait: float) -> None:
        try:
            self._client.wait_for_workers(1, timeout=wait)
        except TimeoutError as error:
            raise ClusterError(
                f"the scheduler at {self._client.scheduler.address} has no worker after {wait:g} s;"
                " start some (dask worker ADDRESS --nthreads 1), or wait longer for them"
            ) from error
        try:
            self._client.register_plugin(ModelOnWorker(self._work, self._plugin), name=self._plugin)
        except ImportError as error:
            raise ClusterError(
                f"a worker cannot import what it needs ({error}); install platonic_ase "
                f"{__version__} and the potential's package in its environment"
            ) from error
        futures = {
            address: self._client.submit(compute, self._plugin, (), workers=[address], pure=False)
            for address in self._client.nthreads()
        }
        for address, future in futures.items():
            facts, _ = future.result()
            self._agree(facts, f"the worker at {address}")

    def _agree(self, facts: dict[str, str], who: str) -> None:
        if facts["platonic_ase"] != __version__:
            raise ClusterError(
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
            raise ClusterError(
                f"{who} computes with something else: {differ}. Give all workers the same weights."
            )


_SETTINGS = {
    # the first death is told at once, and the structure tried again where nothing else can suffer
    "distributed.scheduler.allowed-failures": 0,
    # a profile of each worker, every 10 ms, which nobody looks at
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
}


def start_workers(workers: int) -> LocalCluster:
    """Processes on this machine with one thread each."""
    import dask

    with dask.config.set(_SETTINGS):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=0,
            # a worker whose scheduler has left logs a traceback; what went wrong is raised here
            silence_logs=logging.CRITICAL,
        )


def _connect(scheduler: str | None, file: str | os.PathLike[str] | None) -> Client:
    where = scheduler if file is None else os.fspath(file)
    try:
        if file is not None:
            return Client(scheduler_file=os.fspath(file), timeout=10)
        return Client(scheduler, timeout=10)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"no scheduler answers at {where} ({type(error).__name__}: {error}); start one with "
            "'dask scheduler', or leave the option out to use this machine"
        ) from error
