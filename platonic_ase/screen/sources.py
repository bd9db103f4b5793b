"""Structures from files, one at a time; what cannot be read is listed, and reading goes on."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import ScreenError
from platonic_ase.monitor.history import geometry_key
from platonic_ase.space.json_text import parse_json

if TYPE_CHECKING:
    from ase import Atoms

SUFFIXES = (".cif", ".vasp", ".poscar", ".xyz", ".extxyz", ".traj", ".xsf", ".res", ".cell")
"""Files of a folder that are read; also those called POSCAR... and CONTCAR...."""
_DATABASES = (".db", ".aselmdb")


@dataclass(frozen=True)
class Entry:
    """One structure of a set, or why there is none.

    Attributes
    ----------
    index : int
        Position in the set.
    name : str
        Where it comes from, such as ``"my.xyz#12"``; different for each.
    atoms : Atoms or None
        Without calculator.
    error : str or None
        Why there is no structure.
    forces : ndarray, shape (n_atoms, 3), or None
        Labels that the file has, eV/Å.
    """

    index: int
    name: str
    atoms: Atoms | None
    error: str | None = None
    forces: np.ndarray | None = None

    @property
    def digest(self) -> str | None:
        """Hash of the geometry."""
        return None if self.atoms is None else geometry_key(self.atoms).hex()


Found = tuple[str, "Atoms | str"]
"""Name and structure, or name and why there is none."""


def read_entries(structures: str | os.PathLike[str] | Iterable[Any]) -> Iterator[Entry]:
    """Walk through structures, never holding more than one file's worth of them.

    Parameters
    ----------
    structures : path-like, or iterable of path-likes or Atoms
        extxyz files, ASE databases, folders of structure files, ``rows.jsonl`` of a former
        screening, anything else that ``ase.io.iread`` reads, or Atoms objects.

    Yields
    ------
    Entry
        Names that occur again get a number, as in ``"Si.cif (2)"``.

    Raises
    ------
    ScreenError
        If a path does not exist.
    """
    if isinstance(structures, (str, os.PathLike)):
        structures = [structures]
    seen: Counter[str] = Counter()
    index = 0
    for item in structures:
        for name, found in _read(item, index):
            seen[name] += 1
            unique = name if seen[name] == 1 else f"{name} ({seen[name]})"
            if isinstance(found, str):
                yield Entry(index, unique, None, found)
            else:
                yield _entry(index, unique, found)
            index += 1


def _entry(index: int, name: str, atoms: Atoms) -> Entry:
    forces = None
    if atoms.calc is not None:
        labels = getattr(atoms.calc, "results", {}).get("forces")
        forces = None if labels is None else np.asarray(labels, dtype=float)
        atoms = atoms.copy()
        atoms.calc = None
    if len(atoms) == 0:
        return Entry(index, name, None, "holds no atoms; at least one is needed")
    return Entry(index, name, atoms, None, forces)


def _read(item: Any, index: int) -> Iterator[Found]:
    if not isinstance(item, (str, os.PathLike)):
        yield f"#{index}", item
        return
    path = Path(item)
    if not path.exists():
        raise ScreenError(f"no structures at {path}; check the path")
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and _is_structure(file):
                yield from _read_file(file, str(file.relative_to(path)))
    else:
        yield from _read_file(path, path.name)


def _is_structure(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES or file.name.startswith(("POSCAR", "CONTCAR"))


def _read_file(path: Path, name: str) -> Iterator[Found]:
    suffix = path.suffix.lower()
    if suffix in (".xyz", ".extxyz"):
        yield from _read_xyz(path, name)
    elif suffix == ".jsonl":
        yield from _read_rows(path, name)
    elif suffix in _DATABASES:
        yield from _read_database(path, name)
    else:
        yield from _read_any(path, name)


def _read_xyz(path: Path, name: str) -> Iterator[Found]:
    import ase.io

    with path.open(encoding="utf-8", errors="replace") as file:
        for count, (text, problem) in enumerate(split_frames(file)):
            label = f"{name}#{count}"
            if problem:
                yield label, problem
                continue
            try:
                yield label, ase.io.read(io.StringIO(text), index=0, format="extxyz")
            except Exception as error:  # readers of ASE raise whatever their parsing runs into
                yield label, f"unreadable: {_say(error)}"


def split_frames(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Text of each frame of an extxyz file, and what is wrong with it.

    A line with nothing but an integer begins a frame: no line of an atom looks like that, so that
    a frame that is cut short costs itself alone.

    Parameters
    ----------
    lines : iterable of str

    Yields
    ------
    text, problem : str
        The problem is empty where there is none.
    """
    frame: list[str] = []
    missing = 0  # lines that the frame still lacks
    strays = 0
    for line in lines:
        bare = line.strip()
        # the comment line may look like anything
        if bare.isdigit() and not (frame and len(frame) == 1):
            if missing:
                yield "", _short(frame, missing)
            if strays:
                yield "", _stray(strays)
            frame, missing, strays = [line], int(bare) + 1, 0
        elif missing:
            frame.append(line)
            missing -= 1
        elif bare:
            strays += 1
        if frame and not missing:
            yield "".join(frame), ""
            frame = []
    if missing:
        yield "", _short(frame, missing)
    if strays:
        yield "", _stray(strays)


def _short(frame: list[str], missing: int) -> str:
    there = max(len(frame) - 2, 0)
    return f"unreadable: the frame is cut short, {there} of {int(frame[0])} atoms are there"


def _stray(count: int) -> str:
    return f"unreadable: {count} lines that belong to no frame"


def _read_database(path: Path, name: str) -> Iterator[Found]:
    import ase.db

    try:
        rows = iter(ase.db.connect(path).select())
    except Exception as error:
        yield name, f"unreadable: {_say(error)}"
        return
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:
            yield name, f"unreadable from here on: {_say(error)}"
            return
        try:
            yield f"{name}#{row.id}", row.toatoms()
        except Exception as error:
            yield f"{name}#{row.id}", f"unreadable: {_say(error)}"


def _read_rows(path: Path, name: str) -> Iterator[Found]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for count, line in enumerate(file):
            try:
                row = parse_json(line)
                label = str(row["name"])
            except (ValueError, KeyError, TypeError) as error:
                yield f"{name}#{count}", f"unreadable: no row of a screening ({_say(error)})"
                continue
            if row.get("structure") is None:
                yield label, f"has no structure: {row.get('error')}"
                continue
            try:
                yield label, atoms_of(row["structure"])
            except Exception as error:
                yield label, f"unreadable: {_say(error)}"


def _read_any(path: Path, name: str) -> Iterator[Found]:
    from ase.io import iread

    count = 0
    try:
        for atoms in iread(str(path), index=":"):
            yield (f"{name}#{count}" if count else name), atoms
            count += 1
    except Exception as error:
        yield f"{name}#{count}" if count else name, f"unreadable: {_say(error)}"
        return
    if not count:
        yield name, "holds no structure"


def atoms_of(structure: dict[str, Any]) -> Atoms:
    """Structure of a row.

    Parameters
    ----------
    structure : dict
        Numbers, positions (Å), cell (Å) and pbc.
    """
    from ase import Atoms

    return Atoms(
        numbers=structure["numbers"],
        positions=structure["positions"],
        cell=structure["cell"],
        pbc=structure["pbc"],
    )


def _say(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
