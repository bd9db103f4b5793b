"""Run logs in the browser as they grow: this machine only, a random address, read only."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
from markupsafe import Markup

from platonic_ase.errors import LogError
from platonic_ase.report.columns import RunColumns, follow
from platonic_ase.report.html import environment, page, source_of, table
from platonic_ase.report.reader import LogReader
from platonic_ase.report.report import page_of, scene_of
from platonic_ase.report.terminal import state_of
from platonic_ase.report.tracks import choose_tracks
from platonic_ase.report.verdict import verdict


class LogServer(ThreadingHTTPServer):
    """Serves the pages of some logs on the loopback interface.

    Parameters
    ----------
    logs : sequence of Path
        Of one run, or of many, which are then listed first.
    port : int
        Any free one by default.

    Attributes
    ----------
    address : str
        With the random token without which nothing is served.
    """

    daemon_threads = True

    def __init__(self, logs: Sequence[Path], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.followers = [follow(log) for log in logs]
        self.token = secrets.token_urlsafe(24)
        self.lock = threading.Lock()
        self.address = f"http://127.0.0.1:{self.server_address[1]}/{self.token}/"

    def answer(self, parts: list[str], query: str) -> tuple[str, bytes] | None:
        """Media type and content of an address below the token; None where there is nothing."""
        with self.lock:
            if parts == [""]:
                if len(self.followers) != 1:
                    return "text/html", self._list().encode("utf-8")
                parts = ["0", ""]
            if not parts[0].isdecimal() or int(parts[0]) >= len(self.followers):
                return None
            follower = self.followers[int(parts[0])]
            follower.poll()
            if parts[1:] == [""]:
                return "text/html", _live_page(follower, parts[0]).encode("utf-8")
            if parts[1:] == ["data"]:
                return "application/json", _news(follower, query)
            return None

    def _list(self) -> str:
        rows = []
        for k, follower in enumerate(self.followers):
            name, state, geometries, warnings = summary_of(follower)
            link = Markup('<a href="{}/">{}</a>').format(k, name)
            rows.append((link, Markup.escape(state), str(geometries), str(warnings)))
        columns = [("log", ""), ("state", ""), ("geometries", "n"), ("warnings", "n")]
        return page("platonic_ase: runs", ["<h1>Runs</h1>", table(columns, rows)])


def summary_of(follower: LogReader[RunColumns]) -> tuple[str, str, int, int]:
    """Name, state, geometries and warnings of the last run of a log."""
    try:
        follower.poll()
    except LogError as error:
        return follower.path.name, str(error), 0, 0
    run = follower.runs[-1] if follower.runs else None
    state = state_of(run, follower.path)
    if run is None:
        return follower.path.name, state, 0, 0
    return follower.path.name, state, run.geometries, len(run.events)


def _live_page(follower: LogReader[RunColumns], number: str) -> str:
    run = follower.runs[-1] if follower.runs else RunColumns({})
    return page_of(
        run,
        follower.path.name,
        (max(1, len(follower.runs)), max(1, len(follower.runs))),
        further=[source_of("live.js").replace("NUMBER", number)],
        connect_src="'self'",
    )


def _news(follower: LogReader[RunColumns], query: str) -> bytes:
    version = f"{follower.version}"
    run = follower.runs[-1] if follower.runs else RunColumns({})
    news: dict[str, Any] = {
        "version": version,
        "state": state_of(follower.runs[-1] if follower.runs else None, follower.path),
        "runs": len(follower.runs),
        "events": len(run.rows),
        "geometries": run.geometries,
    }
    if query != version:
        tracks, _ = choose_tracks(run.series())
        news["scene"] = scene_of(run, tracks)
        news["verdict"] = environment().get_template("verdict.html").render(verdict=verdict(run))
        news["kind"] = verdict(run).kind
    return orjson.dumps(news)


class _Handler(BaseHTTPRequestHandler):
    server: LogServer

    def do_GET(self) -> None:
        _, host_port = self.server.address.split("//")
        host = host_port.split("/")[0]
        path, _, query = self.path.partition("?")
        first, *rest = path.lstrip("/").split("/")
        known = secrets.compare_digest(first.encode(), self.server.token.encode())
        # a page elsewhere whose name points to this machine would send its own name
        if not known or self.headers.get("Host") != host:
            return self._send(404, "text/plain", b"not found")
        try:
            found = self.server.answer(rest or ["?"], query)
        except LogError as error:
            return self._send(500, "text/plain", str(error).encode("utf-8"))
        if found is None:
            return self._send(404, "text/plain", b"not found")
        return self._send(200, *found)

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the terminal belongs to the user."""


def serve(server: LogServer) -> None:
    """Serve until interrupted."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass
    finally:
        server.shutdown()
        server.server_close()
