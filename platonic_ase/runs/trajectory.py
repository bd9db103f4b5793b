"""Frames of a run in three formats; two of them hold what was seen of every atom."""

from __future__ import annotations

import importlib.util
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platonic_ase.errors import OutputError
from platonic_ase.outputs import show_path

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator

_KINDS = {
    ".traj": "trajectory",
    ".xyz": "structure:trajectory",
    ".extxyz": "structure:trajectory",
    ".h5": "h5md:trajectory",
    ".h5md": "h5md:trajectory",
}
ANNOTATED = (".xyz", ".extxyz", ".h5", ".h5md")
"""Endings of names of files whose frames hold per-atom diagnostics."""


def trajectory_kind(path: str | os.PathLike[str], *, annotated: bool = False) -> str:
    """Role of a trajectory in :func:`~platonic_ase.outputs.check_outputs`, from its name.

    Parameters
    ----------
    path : path-like
    annotated : bool
        Whether its frames have to hold per-atom diagnostics.

    Raises
    ------
    OutputError
        For a format that is not written, or cannot be here.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _KINDS:
        raise OutputError(
            f"{show_path(path)}: no trajectory is written in a format of this name; use .traj, or "
            ".xyz or .h5, which hold what was seen of every atom"
        )
    if annotated and suffix not in ANNOTATED:
        raise OutputError(
            f"{show_path(path)} cannot hold per-atom diagnostics: ASE writes positions, momenta, "
            "charges and the like into a .traj and drops all other arrays; use .xyz or .h5"
        )
    if suffix.startswith(".h5") and importlib.util.find_spec("znh5md") is None:
        raise OutputError(
            f"{show_path(path)}: H5MD is written by znh5md, which is not installed; "
            "pip install 'platonic_ase[h5md]', or use .xyz"
        )
    return _KINDS[suffix]


class FrameWriter(ABC):
    """Writes one frame after the other; each is on the disk when the call returns."""

    @abstractmethod
    def write(self) -> None:
        """Write the structure as it is now."""

    def close(self) -> None:  # noqa: B027
        """Nothing is kept open unless a format needs it."""


def open_trajectory(
    path: str | os.PathLike[str], atoms: Atoms, calculator: PlatonicCalculator, append: bool = False
) -> FrameWriter:
    """Writer of the format that the name of a file tells.

    Parameters
    ----------
    path : path-like
        ``.traj`` is exact and holds the results of the calculator. ``.xyz`` (extended XYZ, eight
        decimals) and ``.h5`` (H5MD, which ASE reads with znh5md) hold besides the arrays of
        :meth:`~platonic_ase.PlatonicCalculator.annotate`, wherever a geometry was diagnosed; in
        H5MD they are NaN where it was not.
    atoms : Atoms
        The live structure.
    calculator : PlatonicCalculator
        That watches it.
    append : bool
        Whether to go on with a trajectory that exists; ``.traj`` only.

    Raises
    ------
    OutputError
        For another format, or one that cannot be gone on with.
    """
    path = Path(path)
    kind = trajectory_kind(path)
    if kind == "trajectory":
        return _AseTrajectory(path, atoms, append)
    if append:
        raise OutputError(
            f"{show_path(path)} cannot be gone on with: only a .traj holds positions and "
            "velocities to the last bit"
        )
    return (_Xyz if kind.startswith("structure") else _H5md)(path, atoms, calculator)


class _AseTrajectory(FrameWriter):
    def __init__(self, path: Path, atoms: Atoms, append: bool) -> None:
        from ase.io.trajectory import Trajectory

        self._writer: Any = Trajectory(str(path), "a" if append else "w", atoms)

    def write(self) -> None:
        self._writer.write()

    def close(self) -> None:
        self._writer.close()


class _Annotated(FrameWriter):
    def __init__(self, path: Path, atoms: Atoms, calculator: PlatonicCalculator) -> None:
        self._path, self._atoms, self._calculator = path, atoms, calculator

    def _frame(self) -> Atoms:
        """A copy with the results and, if it was diagnosed, what was seen of every atom."""
        from ase.calculators.singlepoint import SinglePointCalculator

        live, calculator = self._atoms, self._calculator
        frame = live.copy()
        frame.constraints = []  # columns of constraints are no business of a viewer
        kept = {
            name: value
            for name, value in calculator.results.items()
            if name in ("energy", "free_energy", "forces", "stress", "magmoms")
        }
        frame.calc = SinglePointCalculator(frame, **kept)
        if calculator.has_diagnosed(live):
            calculator.annotate(frame)
        return frame


class _Xyz(_Annotated):
    def write(self) -> None:
        from ase.io import write

        write(self._path, self._frame(), format="extxyz", append=True)


class _H5md(_Annotated):
    def __init__(self, path: Path, atoms: Atoms, calculator: PlatonicCalculator) -> None:
        super().__init__(path, atoms, calculator)
        if path.exists() and (held := len(self._file()[0])) != len(atoms):
            raise OutputError(
                f"{show_path(path)} has frames of {held} atoms, and H5MD holds no other sizes "
                f"beside them; {len(atoms)} atoms come next. Use .xyz"
            )

    def _file(self) -> Any:
        from znh5md import IO

        return IO(self._path, variable_shape=False)

    def write(self) -> None:
        # opened and closed for each frame: a killed run leaves a file that can be read
        try:
            self._file().append(self._frame())
        except RuntimeError as error:  # of the HDF5 library, such as a full disk
            raise OSError(str(error)) from error
