"""Reading structures, and refusing bad ones before a potential sees them."""

from __future__ import annotations

import re
from collections.abc import Collection
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from platonic_ase.errors import StructureError
from platonic_ase.outputs import show_path
from platonic_ase.unusual import (
    find_isolated,
    find_left_handed,
    find_no_periodicity,
    find_overlaps,
    find_partial_occupancy,
    named,
)

__all__ = [
    "check_structure",
    "read_structure",
    "require_computable",
]

LONGEST = 1e4
"""Å; longer cell vectors are refused: neighbour lists of such cells fill the memory."""

FARTHEST = 1e7
"""Å from the origin; atoms beyond it are refused: their positions have lost their decimals."""

THINNEST = 0.3
"""Å between planes of a periodic cell; thinner ones have millions of images within a cutoff."""

MIN_VOLUME = 0.1
"""Å^3 per atom below which a periodic cell counts as having no volume."""

_LARGE_COUNT = re.compile(rb"^[ \t]*\d{7,}[ \t\r]*$", re.MULTILINE)


def read_structure(path: str | Path, index: int = -1) -> Atoms:
    """Read one structure from any file that ``ase.io.read`` understands.

    Parameters
    ----------
    path
        File name.
    index
        Which structure of a file with several; default the last.

    Returns
    -------
    ase.Atoms
        The structure, with at least one atom. Nothing else is checked: see ``check_structure``.

    Raises
    ------
    StructureError
        If the file is missing, a directory, empty, unreadable or of unknown format, if it has no
        structure of that index, or if the structure has no atoms.
    """
    import ase.io  # imports scipy
    from ase.io.formats import UnknownFileTypeError

    file = Path(path)
    if not file.exists():
        raise StructureError(
            f"no such file: '{show_path(file)}' (looked in '{show_path(file.absolute().parent)}'). "
            "Check the spelling and the working directory."
        )
    if file.is_file() and file.stat().st_size == 0:
        raise StructureError(
            f"'{show_path(file)}' is empty (0 bytes). Write the structure again, in any format "
            "that ASE reads (CIF, POSCAR, extxyz, .traj)."
        )
    require_countable(file)
    try:
        atoms = ase.io.read(file, index=index)
    except UnknownFileTypeError as error:
        raise StructureError(
            f"cannot tell the format of '{show_path(file)}': ASE reported {_say(error)}. Use a "
            "usual extension (.cif, .xyz, .traj, .vasp) or name the file POSCAR; `ase info "
            "--formats` lists what can be read."
        ) from error
    except (IndexError, StopIteration) as error:
        raise StructureError(
            f"'{show_path(file)}' has no structure of index {index} ({_say(error)}). The file may "
            "be empty or truncated; use an index within the file (0 is the first, -1 the last)."
        ) from error
    except Exception as error:  # readers of ASE raise whatever their parsing runs into
        raise StructureError(
            f"cannot read '{show_path(file)}': ASE reported {_say(error)}. The file may be "
            "truncated, or its extension may not tell its format; `ase info FILE` shows what ASE "
            "takes it for."
        ) from error
    if not isinstance(atoms, Atoms) or len(atoms) == 0:
        raise StructureError(
            f"'{show_path(file)}' holds no atoms, at least one is needed. Check that the file is "
            "complete and that its extension tells its format."
        )
    return atoms


def require_countable(path: Path) -> None:
    """Refuse an XYZ file that announces more atoms than it can hold: ASE would look for them all.

    Raises
    ------
    StructureError
    """
    if path.suffix not in (".xyz", ".extxyz") or not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as text:
        for found in _LARGE_COUNT.finditer(text):
            if len(found[0].strip()) > 15 or int(found[0]) > len(text):
                raise StructureError(
                    f"'{show_path(path)}' announces {found[0].strip().decode()[:40]} atoms in "
                    f"{len(text)} bytes; the first line of each frame is the number of its atoms. "
                    "Repair the file."
                )


def require_computable(atoms: Atoms, known_elements: Collection[int] | None = None) -> None:
    """Refuse what no model can compute; cheap enough for every geometry.

    Parameters
    ----------
    atoms
        The structure; it is not changed.
    known_elements
        Atomic numbers that the model knows; default: not checked.

    Raises
    ------
    StructureError
        If there are no atoms, if positions or cell are not finite, if a periodic cell has no
        volume, or if an element is not known to the model.
    """
    _check_finite(atoms)
    _check_cell(atoms)
    _check_elements(atoms, known_elements)


def check_structure(atoms: Atoms, known_elements: Collection[int] | None = None) -> tuple[str, ...]:
    """Refuse what no model can compute, and report what is suspicious.

    Parameters
    ----------
    atoms
        The structure; it is not changed.
    known_elements
        Atomic numbers that the model knows; default: not checked.

    Returns
    -------
    tuple of str
        Warnings for a human reader: overlapping atoms, isolated atoms, no periodicity, a
        left-handed cell. Empty if nothing is suspicious.

    Raises
    ------
    StructureError
        See :func:`require_computable`.
    """
    require_computable(atoms, known_elements)
    found = (
        find_overlaps(atoms),
        find_isolated(atoms),
        find_no_periodicity(atoms),
        find_left_handed(atoms),
        find_partial_occupancy(atoms),
    )
    return tuple(warning for warning in found if warning)


def _say(error: Exception) -> str:
    """One line about an exception, which may have no message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _check_finite(atoms: Atoms) -> None:
    """Raise if there is nothing, or something that is not a number."""
    if len(atoms) == 0:
        raise StructureError("the structure has no atoms, at least one is needed.")
    bad = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
    if len(bad):
        raise StructureError(
            f"positions are NaN or infinite for {named(atoms, bad)}; all must be finite, in Å. "
            "Restart from the last sound frame, or repair the file."
        )
    if not np.isfinite(atoms.cell[:]).all():
        raise StructureError(
            f"the cell holds NaN or infinite values: {atoms.cell[:].tolist()}; all must be "
            "finite, in Å. Repair the file, or set the cell with atoms.set_cell."
        )
    far = np.flatnonzero((np.abs(atoms.positions) > FARTHEST).any(axis=1))
    if len(far):
        raise StructureError(
            f"{named(atoms, far)} lie farther than {FARTHEST:g} Å from the origin. Check the unit "
            "of length (Å), or wrap the atoms into the cell with atoms.wrap()."
        )
    longest = float(np.abs(atoms.cell[:]).max())
    if longest > LONGEST:
        raise StructureError(
            f"a cell vector has a component of {longest:.3g} Å; at most {LONGEST:g} Å are allowed. "
            "Check the unit of length (Å), or use a smaller vacuum."
        )


def _check_cell(atoms: Atoms) -> None:
    """Raise if a periodic cell has no volume."""
    if not atoms.pbc.any():
        return
    flat = np.flatnonzero(atoms.pbc & (atoms.cell.lengths() < 1e-6))
    complete = atoms.cell.complete()  # directions without periodicity may have no vector
    volume = float(np.linalg.det(complete[:]))
    lengths = complete.lengths()
    if len(flat) or abs(volume) < 1e-6 * float(np.prod(lengths)) or (
        atoms.pbc.all() and abs(volume) < MIN_VOLUME * len(atoms)
    ):  # fmt: skip
        raise StructureError(
            f"periodic along {_axes(atoms)} but the cell {atoms.cell.cellpar().round(3).tolist()} "
            f"(a, b, c in Å, angles in degrees) has a volume of {atoms.cell.volume:.3g} Å^3; at "
            f"least {MIN_VOLUME:g} Å^3 per atom is needed. Set the cell with atoms.set_cell, or "
            "switch periodicity off with atoms.pbc = False."
        )
    heights = 1 / np.linalg.norm(np.linalg.inv(complete[:]), axis=0)
    if np.any(heights[atoms.pbc] < THINNEST):
        raise StructureError(
            f"the cell is {float(heights[atoms.pbc].min()):.2g} Å thick along a periodic "
            f"direction; at least {THINNEST:g} Å are needed. Check the unit of length (Å) and "
            "the angles."
        )


def _axes(atoms: Atoms) -> str:
    """Periodic directions, as ``a, c``."""
    return ", ".join(axis for axis, periodic in zip("abc", atoms.pbc, strict=True) if periodic)


def _check_elements(atoms: Atoms, known_elements: Collection[int] | None) -> None:
    """Raise if the model lacks an element."""
    if known_elements is None:
        return
    known = {int(z) for z in known_elements}
    unknown = sorted({int(z) for z in atoms.numbers} - known)
    if unknown:
        names = ", ".join(f"{chemical_symbols[z]} (Z={z})" for z in unknown)
        raise StructureError(
            f"the model does not know {names}; it knows {len(known)} elements: "
            f"{_ranges(sorted(known))}. Replace these atoms, or use a model trained on them."
        )


def _ranges(numbers: list[int]) -> str:
    """Atomic numbers in short, as ``Z = 1-83, 89-94``."""
    runs: list[list[int]] = []
    for z in numbers:
        if runs and z == runs[-1][-1] + 1:
            runs[-1][-1:] = [runs[-1][-1], z] if len(runs[-1]) == 1 else [z]
        else:
            runs.append([z])
    return "Z = " + ", ".join("-".join(str(z) for z in run) for run in runs)
