"""Where work over many structures is done: in this process, or on the workers of a Dask cluster.

Work is cut into parcels. A plain loop and a cluster give the same results of them; only the order
differs. What is kept of the results, so that an interrupted run goes on, is the caller's:
:mod:`platonic_ase.runs.shards` and :mod:`platonic_ase.screen.store`.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from platonic_ase._version import __version__
from platonic_ase.errors import MissingExtraError, SettingError


@dataclass
class Parcel:
    """Items that go out together.

    Attributes
    ----------
    items : sequence
    key : int
        For the caller, to know it again.
    start : int
        How many items of the same key come before these: a parcel may come back in pieces.
    tries : int
        Workers that died over it alone.
    """

    items: Sequence[Any]
    key: int = 0
    start: int = 0
    tries: int = 0


class Worker(Protocol):
    """A loaded model that does the work."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What has to be the same wherever the work is done: versions, fingerprint, settings."""

    def do(self, items: Sequence[Any]) -> Any:
        """The result of a parcel; where it is an iterator, a loop takes it as it comes."""


class Work(Protocol):
    """What a worker needs to know; it is pickled."""

    def open(self) -> Worker:
        """Load the model."""

    def name(self, item: Any) -> str:
        """What an item is called in messages."""


@dataclass(frozen=True)
class Lost:
    """In the place of a result: an item over which too many workers died.

    Attributes
    ----------
    error : str
    """

    error: str


class Engine(Protocol):
    """Does work, somewhere."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What all workers agree on."""

    def results(self, parcels: Iterable[Parcel]) -> Iterator[tuple[Parcel, Any]]:
        """Parcels with their results, or :class:`Lost`, in any order and maybe in pieces."""


class Loop:
    """The plain loop, an :class:`Engine`.

    Parameters
    ----------
    worker : Worker
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @property
    def facts(self) -> Mapping[str, str]:
        """See :class:`Engine`."""
        return self._worker.facts

    def results(self, parcels: Iterable[Parcel]) -> Iterator[tuple[Parcel, Any]]:
        """See :class:`Engine`."""
        for parcel in parcels:
            yield parcel, self._worker.do(parcel.items)


@dataclass(frozen=True)
class Placement:
    """Where work is done; in this process by default.

    Attributes
    ----------
    scheduler : str or None
        Address of a running Dask scheduler.
    scheduler_file : path-like or None
        File that a running scheduler wrote.
    workers : int or None
        Without a scheduler: processes to start here, with one thread each; 0 for a plain loop in
        this one, None for one a core.
    wait : float
        Seconds until the scheduler has to have a worker.
    """

    scheduler: str | None = None
    scheduler_file: str | os.PathLike[str] | None = None
    workers: int | None = 0
    wait: float = 300.0

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 0:
            raise SettingError(
                f"workers = {self.workers}; 0 for a plain loop, or a positive number"
            )

    @property
    def here(self) -> bool:
        """Whether it is this process."""
        return self.workers == 0 and self.scheduler is None and self.scheduler_file is None

    def engine(self, work: Work, worker: Worker | None = None) -> AbstractContextManager[Engine]:
        """Context of an engine that does the work.

        Parameters
        ----------
        work : Work
        worker : Worker, optional
            One that is open in this process: it does the work itself if that is where it is done,
            and the workers of a cluster have to agree with it.

        Raises
        ------
        ClusterError
            If the scheduler or its workers will not do.
        MissingExtraError
            If Dask is needed and missing.
        """
        if self.here:
            return nullcontext(Loop(work.open() if worker is None else worker))
        if importlib.util.find_spec("distributed") is None:
            raise MissingExtraError(
                "several processes need Dask: pip install 'platonic_ase[screen]'; workers=0 does "
                "without"
            )
        from platonic_ase.runs.cluster import Cluster

        return Cluster(work, self, None if worker is None else worker.facts)


HERE = Placement()


def open_model(calculator: Any, device: str | None = None) -> Any:
    """A calculator from what stands for one.

    Parameters
    ----------
    calculator : str, callable or ase calculator
        A name of ``platonic-ase models``; ``"module:function"`` or a function without arguments
        that makes a calculator; or a calculator.
    device : str, optional
        For a name.

    Raises
    ------
    ModelNotFoundError, MissingExtraError
        If there is none of that name, or its package is missing.
    SettingError
        If the function that makes it cannot be found.
    """
    if isinstance(calculator, str):
        if ":" in calculator and "." in calculator.partition(":")[0]:
            return _find(calculator)()
        from platonic_ase.models import load_calculator

        return load_calculator(calculator, device=device)
    return calculator if hasattr(calculator, "calculate") else calculator()


def facts_of(encoder: Any) -> dict[str, str]:
    """Version of this package, and model, fingerprint, layer and dtype of an encoder."""
    identity = encoder.identity
    return {
        "platonic_ase": __version__,
        "model": identity.model,
        "fingerprint": identity.fingerprint,
        "layer": identity.layer,
        "dtype": identity.dtype,
    }


def _find(path: str) -> Any:
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SettingError(
            f"calculator = {path!r}: no such function ({error}); 'module:function' is needed, in a "
            "module that every worker can import"
        ) from error
