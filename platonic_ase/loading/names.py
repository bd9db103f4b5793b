"""The names of potentials, and what stands behind each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from platonic_ase.encoders.packages import PACKAGES, Package
from platonic_ase.errors import ModelNotFoundError

BUNDLED = "in the package"


@dataclass(frozen=True)
class ModelEntry:
    """A potential that can be loaded by name.

    Attributes
    ----------
    name : str
        What the user says, such as ``"mace-mp-0-small"``.
    family : str
        Which loader opens it; the name of its encoder.
    label : str
        What its own package calls it.
    weights : str
        File that the package downloads at first use, or :data:`BUNDLED`.
    licence : str
        Of the weights.
    setting : str
        Keyword of the loader that chooses the task or modal; empty where there is none.
    choices : tuple of str
        What the setting can be; the first is the default. Chosen by ``name:choice``.
    """

    name: str
    family: str
    label: str
    weights: str
    licence: str
    setting: str = ""
    choices: tuple[str, ...] = ()

    @property
    def package(self) -> Package:
        """The package that has the loader."""
        return PACKAGES[self.family]

    @property
    def offline(self) -> bool:
        """Whether nothing is downloaded."""
        return self.weights == BUNDLED


_CHGNET = "BSD-3-Clause-LBNL"
_SEVENNET = "GPL-3.0"
_SEVENNET_URL = "https://github.com/MDIL-SNU/SevenNet/releases/download"

MODELS: Mapping[str, ModelEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            ModelEntry("chgnet-0.3.0", "chgnet", "0.3.0", BUNDLED, _CHGNET),
            ModelEntry("chgnet-0.2.0", "chgnet", "0.2.0", BUNDLED, _CHGNET),
            ModelEntry("chgnet-r2scan", "chgnet", "r2scan", BUNDLED, _CHGNET),
            ModelEntry("7net-0", "sevennet", "7net-0", BUNDLED, _SEVENNET),
            ModelEntry("7net-0-22may2024", "sevennet", "7net-0_22may2024", BUNDLED, _SEVENNET),
            ModelEntry("7net-l3i5", "sevennet", "7net-l3i5", BUNDLED, _SEVENNET),
            ModelEntry(
                "7net-mf-0", "sevennet", "7net-mf-0", BUNDLED, _SEVENNET, "modal", ("PBE", "R2SCAN")
            ),
            ModelEntry(
                "7net-omat",
                "sevennet",
                "7net-omat",
                f"{_SEVENNET_URL}/v0.11.0.cp/checkpoint_sevennet_omat.pth",
                _SEVENNET,
            ),
            ModelEntry(
                "7net-mf-ompa",
                "sevennet",
                "7net-mf-ompa",
                f"{_SEVENNET_URL}/v0.11.0.cp/checkpoint_sevennet_mf_ompa.pth",
                _SEVENNET,
                "modal",
                ("mpa", "omat24"),
            ),
        )
    }
)
ALIASES: Mapping[str, str] = MappingProxyType({"chgnet": "chgnet-0.3.0"})


def find_entry(name: str) -> tuple[ModelEntry, str | None]:
    """Entry of a name, and the task or modal chosen after a colon.

    Parameters
    ----------
    name : str
        Case does not matter; ``"uma-s-1p1:omat"`` chooses a task.

    Returns
    -------
    entry : ModelEntry
    choice : str or None
        The default where the entry has a setting and none is chosen.

    Raises
    ------
    ModelNotFoundError
        With near matches, or the choices that there are.
    """
    base, _, chosen = name.strip().lower().partition(":")
    entry = MODELS.get(ALIASES.get(base, base))
    if entry is None:
        near = difflib.get_close_matches(base, [*MODELS, *ALIASES], n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ModelNotFoundError(
            f"no potential is called {name!r}; {hint}'platonic-ase models' lists all names"
        )
    choices = {choice.lower(): choice for choice in entry.choices}
    if not chosen:
        return entry, entry.choices[0] if entry.choices else None
    if chosen not in choices:
        allowed = ", ".join(f"{entry.name}:{choice}" for choice in entry.choices) or entry.name
        raise ModelNotFoundError(f"{entry.name} has no {chosen!r}; choose one of {allowed}")
    return entry, choices[chosen]
