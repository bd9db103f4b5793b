"""Looking at runs while they run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer


def watch(
    path: Annotated[Path, typer.Argument(help="Run log that is being written, or a folder.")],
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Show it in a browser on this machine, at a random address."),
    ] = False,
    port: Annotated[int, typer.Option(help="For --serve; any free one by default.")] = 0,
    once: Annotated[bool, typer.Option("--once", help="Show the state of now and end.")] = False,
) -> None:
    """Follow a run that another process writes.

    Of a folder, the runs are listed.
    """
    from platonic_ase.errors import LogError

    logs = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    if not logs or (once and not logs[0].exists()):
        raise LogError(f"{path} holds no run log: there is no file {path}, or no *.jsonl in it")
    if serve:
        from platonic_ase.report.serve import LogServer
        from platonic_ase.report.serve import serve as run_server

        server = LogServer(logs, port)
        typer.echo(f"open {server.address}  (Ctrl-C ends it; the run goes on)")
        run_server(server)
    elif path.is_dir():
        _list(path, logs)
    else:
        _follow(path, once)


def _list(folder: Path, logs: list[Path]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from platonic_ase.report.columns import follow
    from platonic_ase.report.serve import summary_of

    table = Table("log", "state", "geometries", "warnings", box=None)
    for log in logs:
        _, state, geometries, warnings = summary_of(follow(log))
        cells = (str(log.relative_to(folder)), state, f"{geometries:,d}", f"{warnings:,d}")
        table.add_row(*map(Text, cells))
    Console().print(table)


def _follow(path: Path, once: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    from platonic_ase.report.columns import follow
    from platonic_ase.report.terminal import panel

    console, follower = Console(), follow(path)

    follower.poll()
    if once or not console.is_terminal:
        console.print(panel(follower.runs[-1] if follower.runs else None, path))
        return
    try:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                run = follower.runs[-1] if follower.runs else None
                live.update(panel(run, path), refresh=True)
                if run is not None and run.summary is not None:
                    return
                time.sleep(0.5)
                follower.poll()
    except KeyboardInterrupt:
        return
