"""One function that opens any potential of the table."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from platonic_ase.errors import ModelNotFoundError, PlatonicError
from platonic_ase.models.chgnet import open_chgnet
from platonic_ase.models.encoder import Options, name_model
from platonic_ase.models.fairchem import open_fairchem
from platonic_ase.models.grace import open_grace
from platonic_ase.models.mace import open_mace
from platonic_ase.models.matgl import open_matgl
from platonic_ase.models.mattersim import open_mattersim
from platonic_ase.models.metatomic import open_metatomic
from platonic_ase.models.names import ModelEntry, find_entry
from platonic_ase.models.nequip import open_nequip
from platonic_ase.models.nequix import open_nequix
from platonic_ase.models.orb import open_orb
from platonic_ase.models.sevennet import open_sevennet

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

logger = logging.getLogger("platonic_ase")

OPENERS: Mapping[str, Callable[[str, str | None, str, str, Options], Calculator]] = {
    "chgnet": open_chgnet,
    "sevennet": open_sevennet,
    "mace": open_mace,
    "orb": open_orb,
    "mattersim": open_mattersim,
    "matgl": open_matgl,
    "fairchem": open_fairchem,
    "nequip": open_nequip,
    "nequix": open_nequix,
    "grace": open_grace,
    "metatomic": open_metatomic,
}
"""From the package's own name of a model, a local path or None, the device, the floating-point
type and options for the package's calculator, to that calculator."""


def load_calculator(
    name: str,
    *,
    device: str | None = None,
    dtype: str | None = None,
    model_path: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Calculator:
    """Open a potential through its own package's loader.

    Parameters
    ----------
    name : str
        As listed by ``platonic-ase models``, such as ``"chgnet-0.3.0"``; ``"name:choice"`` where
        the model has several tasks or modals, such as ``"uma-s-1p1:omat"``.
    device : str, optional
        Such as ``"cpu"`` or ``"cuda"``; CUDA where there is any by default.
    dtype : {"float32", "float64"}, optional
        Floating-point type, for packages that let it be chosen; ``"float32"`` by default.
    model_path : path-like, optional
        Local file (for MatGL a folder) with the weights, instead of a download.
    **options
        Handed to the constructor of the package's calculator.

    Returns
    -------
    ase.calculators.calculator.Calculator

    Raises
    ------
    MissingExtraError
        If the package is not installed; the message has the pip command.
    ModelNotFoundError
        If the name is unknown, or the weights are not on this machine and cannot be fetched; the
        message names the file.

    Examples
    --------
    >>> from platonic_ase import PlatonicCalculator
    >>> calculator = load_calculator("chgnet-0.3.0")        # doctest: +SKIP
    >>> atoms.calc = PlatonicCalculator(calculator)         # doctest: +SKIP
    """
    entry, choice = find_entry(name)
    entry.package.require()
    known = entry.package.dtypes
    if dtype is not None and dtype not in known:
        raise PlatonicError(
            f"{entry.name} cannot run in {dtype!r}; its package offers {' and '.join(known)}"
        )
    if model_path is not None and not Path(model_path).exists():
        raise ModelNotFoundError(f"no file at model_path = {os.fspath(model_path)!r}")
    if choice is not None:
        options.setdefault(entry.setting, choice)
    path = None if model_path is None else os.fspath(model_path)
    with _to_log(entry.name):
        try:
            calculator = OPENERS[entry.family](
                entry.label, path, device or _default_device(), dtype or known[0], options
            )
        except Exception as error:
            cause = _file_error(error)
            if path is None and not entry.offline and cause is not None:
                raise _not_fetched(entry, cause) from error
            raise
    name_model(calculator, entry.name if len(entry.choices) < 2 else f"{entry.name}:{choice}")
    return calculator


def _default_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _file_error(error: BaseException | None) -> OSError | None:
    """The network or file error behind an exception, if there is one."""
    while error is not None:
        if isinstance(error, OSError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _not_fetched(entry: ModelEntry, cause: OSError) -> ModelNotFoundError:
    reason = shorten(f"{type(cause).__name__}: {cause}", 160, placeholder=" ...")
    return ModelNotFoundError(
        f"the weights of {entry.name} are not on this machine and could not be fetched ({reason}). "
        f"Fetch {entry.weights} elsewhere and give its place: "
        f"load_calculator({entry.name!r}, model_path=...)"
    )


@contextmanager
def _to_log(name: str) -> Iterator[None]:
    """Send what a package prints and warns while it opens a model to the log."""
    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with redirect_stdout(printed):
                yield
        finally:
            said = [line for line in printed.getvalue().splitlines() if line.strip()]
            for line in dict.fromkeys(said + [str(warning.message) for warning in caught]):
                logger.info("%s: %s", name, line)
