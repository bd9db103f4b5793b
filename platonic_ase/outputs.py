"""Output files: one rule for all of them, and no way to lose what is there already.

An output is never one of the inputs, never a directory, a device or another special file, and never
something of another kind. A file of an earlier run is moved aside, and that is said. New files are
written beside their place under a name that nobody can foresee and then moved there, so that a full
disk leaves the old file whole and a symbolic link is never followed.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from platonic_ase.errors import KeptAsideWarning, OutputError, warn_outside

if TYPE_CHECKING:
    from ase import Atoms

PathLike = str | os.PathLike[str]

_HEAD = 512  # bytes that tell what a file holds
_KINDS: dict[str, re.Pattern[bytes]] = {
    "log": re.compile(rb'\s*\{"type":'),
    "report": re.compile(rb"\s*<!doctype html", re.IGNORECASE),
    "trajectory": re.compile(rb"- of UlmASE-Trajectory"),
    "h5md": re.compile(rb"\x89HDF"),
    "arrays": re.compile(rb".{8}\s*\{", re.DOTALL),
    "json": re.compile(rb"\s*\{"),
    "phonopy": re.compile(rb"\s*(#|phonopy:)"),
}
_NAMES = {
    "log": "a run log (JSON Lines)",
    "report": "an HTML report",
    "trajectory": "an ASE trajectory",
    "h5md": "an HDF5 file",
    "arrays": "a safetensors file",
    "json": "a JSON file",
    "phonopy": "parameters of phonopy (YAML)",
    "structure": "a structure",
}


def show_path(path: PathLike) -> str:
    """A path as text that can be printed, also where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def check_outputs(outputs: Mapping[str, PathLike | None], inputs: Iterable[PathLike] = ()) -> None:
    """Refuse outputs that would destroy something, before anything is computed.

    Parameters
    ----------
    outputs : mapping of str to path-like or None
        By kind: ``"log"``, ``"report"``, ``"trajectory"``, ``"h5md"``, ``"arrays"``, ``"json"``,
        ``"phonopy"``, ``"structure"`` or ``"folder"``; where a command has two of a kind, a name of
        its own after a colon, as in ``"phonopy:corrected"``. None is not written.
    inputs : iterable of path-like
        What is read.

    Raises
    ------
    OutputError
        If an output is an input or another output, a directory, a device, something of another
        kind, or in a place that cannot be written.
    """
    sources = [Path(path) for path in inputs]
    seen: dict[str, str] = {}
    for role, given in outputs.items():
        if given is None:
            continue
        path, kind = Path(given), role.partition(":")[0]
        for source in sources:
            if _is_same(path, source):
                raise OutputError(
                    f"{show_path(path)} is an input and cannot be the {role} as well; give another "
                    "name for the output"
                )
        place = os.path.realpath(path)
        if place in seen:
            raise OutputError(
                f"{show_path(path)} is to be both the {seen[place]} and the {role}; two names are "
                "needed"
            )
        seen[place] = role
        if kind == "folder":
            _require_folder(path)
        else:
            _require_file(path)
            _require_kind(path, kind)
        _require_writable(path)


def keep_previous(path: PathLike) -> Path:
    """Move a file of an earlier run aside, to ``name.1.ext``, ``name.2.ext``, ...

    Parameters
    ----------
    path : path-like
        Where a new file is about to be written; its folder is made.

    Returns
    -------
    Path
        The path, free to be written.

    Raises
    ------
    OutputError
        If a directory, a device or another special file is in the way.

    Warns
    -----
    KeptAsideWarning
        If there was one.
    """
    path = Path(path)
    _require_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or (path.exists() and path.stat().st_size):
        n = 1
        while os.path.lexists(aside := path.with_name(f"{path.stem}.{n}{path.suffix}")):
            n += 1
        path.replace(aside)
        warn_outside(
            f"{show_path(path)} existed and was kept as {show_path(aside.name)}", KeptAsideWarning
        )
    return path


def write_atomically(path: PathLike, content: str | bytes) -> Path:
    """Write a file as a whole or not at all; text as UTF-8.

    Parameters
    ----------
    path : path-like
        Replaced if it exists; its folder is made. A symbolic link is replaced, not followed.
    content : str or bytes
        Lone surrogates, as in names of files that are not UTF-8, are written as escapes.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    OutputError
        If a directory, a device or another special file is in the way.
    OSError
        If it cannot be written: a full disk, a folder without permission.
    """
    path = Path(path)
    _require_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    # made with O_EXCL under a random name: nothing planted can be there
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".platonic-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def require_writable_format(path: PathLike) -> None:
    """Refuse a file name from which no format can be told that ASE writes.

    Raises
    ------
    OutputError
    """
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    try:
        known = ioformats[filetype(os.fspath(path), read=False, guess=False)].can_write
    except (UnknownFileTypeError, KeyError):
        known = False
    if not known:
        raise OutputError(
            f"{show_path(path)}: no format to write structures in is known by this name; use .xyz, "
            ".cif, .traj or .vasp"
        )


def write_structure(path: PathLike, atoms: Atoms) -> None:
    """Write a structure in the format that its file name tells.

    Raises
    ------
    OutputError
        If the format cannot hold it.
    OSError
        If the file cannot be written.
    """
    import ase.io

    try:
        ase.io.write(path, atoms)
    except OSError:
        raise
    except Exception as error:  # writers of ASE raise whatever they run into
        raise OutputError(
            f"cannot write {show_path(path)}: ASE reported {type(error).__name__}: {error}. "
            "Use another format, such as .xyz"
        ) from error


def require_plain_name(name: str, what: str) -> str:
    """A name that is going to be part of a path, refused where it could lead elsewhere.

    Parameters
    ----------
    name : str
        Letters, digits, ``+ - . _ ( )``, not beginning with a dot.
    what : str
        What it is the name of, for the message.

    Raises
    ------
    OutputError
    """
    if not isinstance(name, str) or not re.fullmatch(
        r"[A-Za-z0-9_+()-][A-Za-z0-9_+().-]{0,99}", name
    ):
        raise OutputError(
            f"{what} {name!r} becomes part of a file name; at most 100 letters, digits and + - . _ "
            "( ) are allowed, not beginning with a dot"
        )
    return name


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _is_same(path: Path, source: Path) -> bool:
    try:
        return path.samefile(source)
    except OSError:  # one of them does not exist
        return os.path.realpath(path) == os.path.realpath(source)


def _mode(path: Path) -> int | None:
    """Type and permissions of what a path leads to, None where there is nothing."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # a file for a folder, a loop of links, a NUL
        raise OutputError(f"{show_path(path)} cannot be written: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _require_file(path: Path) -> None:
    mode = _mode(path)
    if mode is None or stat.S_ISREG(mode):
        return
    what = "a directory" if stat.S_ISDIR(mode) else "a device or another special file"
    raise OutputError(f"{show_path(path)} is {what}; the name of a file is needed")


def _require_folder(path: Path) -> None:
    mode = _mode(path)
    if mode is not None and not stat.S_ISDIR(mode):
        raise OutputError(f"{show_path(path)} is a file; the name of a folder is needed")


def _require_kind(path: Path, kind: str) -> None:
    """Refuse to move aside, or to append to, a file of another kind."""
    if not path.exists():
        return
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise OutputError(f"{show_path(path)} cannot be read: {_reason(error)}") from error
    if not head.strip():
        return
    found = next((name for name, pattern in _KINDS.items() if pattern.match(head)), "structure")
    if found == kind or (kind == "structure" and found == "phonopy" and head.startswith(b"#")):
        return
    if kind == "structure" and found in ("trajectory", "json"):
        return  # formats of structures as well
    raise OutputError(
        f"{show_path(path)} exists and is not {_NAMES[kind]}; give another name, or move it away"
    )


def _require_writable(path: Path) -> None:
    place = path
    while not place.exists():
        if place.parent == place:
            break
        place = place.parent
    if place == path and path.is_file():
        if not os.access(path, os.W_OK):
            raise OutputError(f"{show_path(path)} cannot be written: no permission")
        place = path.parent
    if not place.is_dir():
        raise OutputError(
            f"{show_path(path)} cannot be written: {show_path(place)} is no directory"
        )
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(
            f"{show_path(path)} cannot be written: no permission in {show_path(place)}"
        )
