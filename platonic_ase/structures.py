"""Reading structures, and refusing bad ones before a potential sees them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii

from platonic_ase.errors import StructureError
from platonic_ase.outputs import show_path

__all__ = [
    "check_structure",
    "read_structure",
    "require_computable",
]

MIN_CONTACT = 0.6
"""Contacts below this fraction of the sum of covalent radii are reported as overlapping atoms."""

ISOLATED = 6.0
"""Å without any neighbour after which an atom counts as isolated: a usual cutoff of the models."""

LONGEST = 1e4
"""Å; longer cell vectors and positions are refused: grids and neighbour lists would fill memory."""

LONGEST = 1e4
"""Å; longer cell vectors are refused: neighbour lists of such cells fill the memory."""

FARTHEST = 1e7
"""Å from the origin; atoms beyond it are refused: their positions have lost their decimals."""

THINNEST = 0.3
"""Å between planes of a periodic cell; thinner ones have millions of images within a cutoff."""

MIN_VOLUME = 0.1
"""Å^3 per atom below which a periodic cell counts as having no volume."""

_LISTED = 8  # atoms named in a message before "and n more"


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
        _find_overlaps(atoms),
        _find_isolated(atoms),
        _find_no_periodicity(atoms),
        _find_left_handed(atoms),
        _find_partial_occupancy(atoms),
    )
    return tuple(warning for warning in found if warning)


def _say(error: Exception) -> str:
    """One line about an exception, which may have no message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _name(atoms: Atoms, indices: np.ndarray) -> str:
    """Atoms by symbol and index, as ``Na3, Cl7 and 2 more``."""
    names = [f"{atoms.symbols[i]}{i}" for i in indices[:_LISTED]]
    rest = len(indices) - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest else "")


def _check_finite(atoms: Atoms) -> None:
    """Raise if there is nothing, or something that is not a number."""
    if len(atoms) == 0:
        raise StructureError("the structure has no atoms, at least one is needed.")
    bad = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
    if len(bad):
        raise StructureError(
            f"positions are NaN or infinite for {_name(atoms, bad)}; all must be finite, in Å. "
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
            f"{_name(atoms, far)} lie farther than {FARTHEST:g} Å from the origin. Check the unit "
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


def _find_overlaps(atoms: Atoms) -> str:
    """Warning about atoms that are far closer than a bond, or nothing."""
    from ase.neighborlist import neighbor_list  # imports scipy

    radii = [MIN_CONTACT * float(r) for r in covalent_radii[atoms.numbers]]
    first, second, distance = neighbor_list("ijd", atoms, radii)
    if not len(first):
        return ""
    closest = int(np.argmin(distance))
    pair = np.array([first[closest], second[closest]])
    limit = radii[pair[0]] + radii[pair[1]]
    n_atoms = len(np.unique(first))
    return (
        f"overlapping atoms: {' and '.join(_name(atoms, pair[k : k + 1]) for k in (0, 1))} are "
        f"{distance[closest]:.2f} Å apart, below {limit:.2f} Å ({MIN_CONTACT:g} of their covalent "
        f"radii), {n_atoms} atom{'s' if n_atoms > 1 else ''} concerned. Check for duplicated or "
        "partly occupied sites and for the unit of length, or relax before running dynamics."
    )


def _find_isolated(atoms: Atoms) -> str:
    """Warning about atoms without neighbours, or nothing."""
    from ase.neighborlist import neighbor_list  # imports scipy

    alone = np.setdiff1d(np.arange(len(atoms)), neighbor_list("i", atoms, ISOLATED))
    if not len(alone):
        return ""
    return (
        f"isolated atoms: {_name(atoms, alone)} ha{'s' if len(alone) == 1 else 've'} no neighbour "
        f"within {ISOLATED:g} Å: a potential trained on crystals knows nothing about it. Check the "
        "cell and the unit of length, or remove the atom if it has evaporated."
    )


def _find_left_handed(atoms: Atoms) -> str:
    """Warning about a left-handed cell, which models compute but some tools refuse, or nothing."""
    if atoms.cell.rank < 3 or atoms.cell.handedness > 0:
        return ""
    return (
        "the cell is left-handed; energies and forces do not depend on it, but phonopy and other "
        "tools refuse it. Exchange two vectors, the lattice stays the same: "
        "atoms.set_cell(atoms.cell[[1, 0, 2]]); atoms.pbc = atoms.pbc[[1, 0, 2]]."
    )


def _find_partial_occupancy(atoms: Atoms) -> str:
    """Warning about sites of a CIF that are shared or not always occupied, or nothing."""
    sites = atoms.info.get("occupancy")
    if not isinstance(sites, Mapping):
        return ""
    shared = [
        " + ".join(f"{share:g} {symbol}" for symbol, share in site.items())
        for site in sites.values()
        if isinstance(site, Mapping) and (len(site) > 1 or min(site.values(), default=1) < 0.999)
    ]
    if not shared:
        return ""
    rest = len(shared) - 3
    return (
        f"partial occupancy: {', '.join(shared[:3])}{f' and {rest} more' if rest > 0 else ''}; the "
        "structure is computed as if each such site were fully occupied by its main element. Make "
        "an ordered supercell, or an ensemble of them."
    )


def _find_no_periodicity(atoms: Atoms) -> str:
    """Warning about a molecule handed to a potential for crystals, or nothing."""
    if atoms.pbc.any():
        return ""
    return (
        "not periodic: potentials trained on crystals expect a periodic cell, and some ignore "
        "pbc=False. Centre the structure in a vacuum box: atoms.center(vacuum=8.0); "
        "atoms.pbc = True."
    )
