"""The screening itself: read, compute what is not there yet, write rows as they come."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platonic_ase.runs.placement import HERE, Engine, Lost, Placement
from platonic_ase.screen.keep import FOLDER, Keeper, parse
from platonic_ase.screen.rows import failed_row
from platonic_ase.screen.settings import ScreenSettings
from platonic_ase.screen.sources import Entry, read_entries
from platonic_ase.screen.store import ROWS, RowStore, latest_rows
from platonic_ase.screen.tasks import check_options
from platonic_ase.screen.work import ScreenWork, parcels


@dataclass(frozen=True)
class ScreenResult:
    """How a screening went.

    Attributes
    ----------
    folder : Path
        With ``rows.jsonl``.
    computed, failed, kept : int
        Structures computed now, of these or of those that could not be read the failed ones, and
        structures that had a row.
    ended : str
        ``"finished"`` or ``"interrupted"``.
    """

    folder: Path
    computed: int
    failed: int
    kept: int
    ended: str

    @property
    def rows(self) -> Path:
        """The rows, JSON Lines."""
        return self.folder / ROWS

    def __str__(self) -> str:
        text = f"{self.computed} structure{'' if self.computed == 1 else 's'} computed"
        if self.kept:
            text += f", {self.kept} were there"
        return f"{text}, {self.failed} failed; {self.ended}: {self.rows}"


def screen(
    structures: str | os.PathLike[str] | Iterable[Any],
    calculator: Any,
    *,
    output: str | os.PathLike[str],
    task: str = "singlepoint",
    options: Mapping[str, Any] | None = None,
    placement: Placement = HERE,
    keep: str | None = None,
    by: str = "risk",
    retry: bool = False,
    progress: bool = True,
    **settings: Any,
) -> ScreenResult:
    """Compute many structures under watch, one row each.

    Rows are written to ``OUTPUT/rows.jsonl`` as they are finished. The same call goes on where an
    earlier one was interrupted or killed. A row does not depend on where and in which order it was
    computed, except for its ``seconds`` and ``node``.

    Parameters
    ----------
    structures : path-like, or iterable of path-likes or Atoms
        See :func:`~platonic_ase.screen.sources.read_entries`; never all in memory.
    calculator : str, callable or ase calculator
        A name of ``platonic-ase models``; ``"module:function"`` or a function without arguments
        that makes a calculator; or a calculator.
    output : path-like
        Folder.
    task : {"singlepoint", "relax", "md", "phonon", "forecast", "audit"}
        What is done with each structure.
    options : mapping, optional
        For the task: arguments of the function that does it.
    placement : Placement
        Where it is computed: in this process by default, or over Dask.
    keep : {"all", "worst:N"}, optional
        Whose run log and trajectory stay in ``OUTPUT/runs``: all structures', or those of the N
        worst so far. On another machine that has to be the same file system.
    by : str
        What is worst: ``"risk"``, or a number of the rows.
    retry : bool
        Whether to compute structures again that failed in an earlier call.
    progress : bool
        Whether to show a live panel, or plain lines where there is no terminal.
    **settings
        More of :class:`~platonic_ase.screen.settings.ScreenSettings`: layer, anchors, ...

    Returns
    -------
    ScreenResult

    Raises
    ------
    ScreenError
        If the output holds another screening, is in use or cannot be written.
    ClusterError
        If the scheduler or its workers will not do.
    """
    folder = Path(output).absolute()
    chosen = ScreenSettings(
        calculator=calculator,
        task=task,
        options=dict(options or {}),
        keep=None if keep is None else str(folder / FOLDER),
        **settings,
    )
    check_options(task, chosen.options)
    if keep is not None:
        parse(keep)
    with RowStore(folder) as store:
        done = store.finished(retry=retry)
        with placement.engine(ScreenWork(chosen)) as engine:
            store.settle({**chosen.to_dict(), **engine.facts})
            keeper = None if keep is None else Keeper(folder, keep, by, latest_rows(folder))
            return _fill(store, engine, structures, task, done, progress, keeper)


def _fill(
    store: RowStore,
    engine: Engine,
    structures: str | os.PathLike[str] | Iterable[Any],
    task: str,
    done: Mapping[str, str | None],
    progress: bool,
    keeper: Keeper | None,
) -> ScreenResult:
    from platonic_ase.screen.display import ScreenDisplay

    computed = failed = kept = 0
    broken: list[Entry] = []
    ended = "finished"

    def missing() -> Iterator[Entry]:
        nonlocal kept
        for entry in read_entries(structures):
            if entry.name in done and done[entry.name] == entry.digest:
                kept += 1
            elif entry.atoms is None:
                broken.append(entry)
            else:
                yield entry

    def unreadable() -> int:
        count = len(broken)
        for entry in broken:
            store.add(failed_row(entry, entry.error or "no structure"))
        broken.clear()
        return count

    with ScreenDisplay(store.folder, shown=progress) as display:
        try:
            for parcel, found in engine.results(parcels(missing(), task)):
                lost = isinstance(found, Lost)
                for row in [failed_row(parcel.items[0], found.error)] if lost else found:
                    store.add(row)
                    if keeper is not None:
                        keeper.add(row)
                    computed += 1
                    failed += row["error"] is not None
                    display.kept = kept
                    display.add(row)
                failed += unreadable()
        except KeyboardInterrupt:
            ended = "interrupted"
        failed += unreadable()
    return ScreenResult(store.folder, computed, failed, kept, ended)
