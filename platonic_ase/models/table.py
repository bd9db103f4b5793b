"""The table of ``platonic-ase models``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from platonic_ase.models.names import MODELS, Licence

_LEGEND = (
    "Name, licence of the weights, and what the package's loader fetches at first use.",
    "Models run on CUDA where there is any, else on the CPU; --device (device=) chooses.",
)


@dataclass(frozen=True)
class ModelRow:
    """One potential in the table.

    Attributes
    ----------
    name : str
        For :func:`load_calculator`; with its default task or modal where it has one.
    encoder : str
        Name of the encoder that reads it.
    package : str
        Name on PyPI.
    installed : str or None
        Version in this environment.
    tested : str
        Range of versions that the encoder was tested with.
    dtypes : tuple of str
        Floating-point types to choose from; the first is the default.
    offline : bool
        Whether nothing is downloaded.
    weights : str
        ``"in the package"``, or what its loader downloads at first use and from where.
    licence : Licence
        Of the weights.
    choices : tuple of str
        Tasks or modals, chosen by ``name:choice``.
    pip : str
        Command that installs the package.
    """

    name: str
    encoder: str
    package: str
    installed: str | None
    tested: str
    dtypes: tuple[str, ...]
    offline: bool
    weights: str
    licence: Licence
    choices: tuple[str, ...]
    pip: str


def installed_models() -> list[ModelRow]:
    """All names, package by package, and what is installed here."""
    return [
        ModelRow(
            name=entry.name,
            encoder=entry.package.extra,
            package=entry.package.distribution,
            installed=entry.package.installed,
            tested=entry.package.tested,
            dtypes=entry.package.dtypes,
            offline=entry.offline,
            weights=entry.weights,
            licence=entry.licence,
            choices=entry.choices,
            pip=f"pip install 'platonic_ase[{entry.package.extra}]'",
        )
        for entry in MODELS.values()
    ]


def format_models_table() -> str:
    """Text of the table for a terminal: a heading a package, a line a potential."""
    rows = installed_models()
    names = {row.name: _with_choices(row) for row in rows}
    widths = [max(map(len, names.values())), max(len(row.licence.name) for row in rows)]
    lines = []
    for _, group in groupby(rows, key=lambda row: row.encoder):
        members = list(group)
        lines += ["", _heading(members[0])]
        for row in members:
            network = "offline" if row.offline else "fetches"
            lines.append(
                f"  {names[row.name].ljust(widths[0])}  {row.licence.name.ljust(widths[1])}  "
                f"{network}  {'' if row.offline else row.weights}".rstrip()
            )
    return "\n".join([*_LEGEND, *lines, "", "Where the licences were read:", *_sources(rows)])


def _heading(row: ModelRow) -> str:
    state = f"{row.installed} installed" if row.installed else f"not installed, {row.pip}"
    kinds = " or ".join(row.dtypes)
    return f"{row.package}: {state}; tested with {row.tested}; {kinds}"


def _sources(rows: Iterable[ModelRow]) -> Iterable[str]:
    seen = {(row.package, row.licence.name): row.licence.source for row in rows}
    return [f"  {package}, {licence}: {source}" for (package, licence), source in seen.items()]


def _with_choices(row: ModelRow) -> str:
    return f"{row.name}:{{{','.join(row.choices)}}}" if row.choices else row.name
