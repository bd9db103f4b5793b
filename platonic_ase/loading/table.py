"""The table of ``platonic-ase models``."""

from __future__ import annotations

from dataclasses import dataclass

from platonic_ase.loading.names import MODELS


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
    weights : str
        ``"in the package"``, or the file that is downloaded at first use.
    licence : str
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
    weights: str
    licence: str
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
            weights=entry.weights,
            licence=entry.licence,
            choices=entry.choices,
            pip=f"pip install 'platonic_ase[{entry.package.extra}]'",
        )
        for entry in MODELS.values()
    ]


def format_models_table() -> str:
    """Text of the table, one line a potential, for a terminal."""
    rows = [
        ("name", "encoder", "package", "installed", "tested", "weights", "licence of the weights")
    ]
    for row in installed_models():
        name = f"{row.name}:{{{','.join(row.choices)}}}" if row.choices else row.name
        weights = row.weights if "://" not in row.weights else "downloaded at first use"
        version = row.installed or "-"
        rows.append((name, row.encoder, row.package, version, row.tested, weights, row.licence))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    missing = dict.fromkeys(row.pip for row in installed_models() if row.installed is None)
    hints = ["", "Not installed:", *(f"  {command}" for command in missing)] if missing else []
    return "\n".join([*lines, *hints])
