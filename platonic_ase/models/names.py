"""The names of potentials, and what stands behind each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from platonic_ase.errors import ModelNotFoundError
from platonic_ase.models.packages import PACKAGES, Package

BUNDLED = "in the package"
OWN_FILE = "nothing: an exported file of your own, given by model_path"


@dataclass(frozen=True)
class Licence:
    """Licence of the weights of a potential, as far as it could be checked.

    Attributes
    ----------
    name : str
        Such as ``"MIT"``.
    source : str
        Where it was read.
    """

    name: str
    source: str


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
        What the package's loader downloads at first use and from where, :data:`BUNDLED` or
        :data:`OWN_FILE`.
    licence : Licence
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
    licence: Licence
    setting: str = ""
    choices: tuple[str, ...] = ()

    @property
    def package(self) -> Package:
        """The package that has the loader."""
        return PACKAGES[self.family]

    @property
    def offline(self) -> bool:
        """Whether nothing is downloaded."""
        return self.weights in (BUNDLED, OWN_FILE)


_MACE_URL = "https://github.com/ACEsuit/mace-mp/releases/download"
_SEVENNET_URL = "https://github.com/MDIL-SNU/SevenNet/releases/download"
_ORB_URL = "https://orbitalmaterials-public-models.s3.us-west-1.amazonaws.com/forcefields"
_MATTERSIM_URL = "https://raw.githubusercontent.com/microsoft/mattersim/main/pretrained_models"
_MATGL_GITHUB = "https://github.com/materialsvirtuallab/matgl/raw/main/pretrained_models"
_NEQUIX_MP = "7c2854de8e754b1a60274c7d9d2e014989ed632e"
_NEQUIX_OMAT = "9c852a9c4cce69ae5e75bc5a2cf670be21ff8c28"
_HUGGING_FACE = "https://huggingface.co"
_GRACE_URL = f"{_HUGGING_FACE}/AMS-ICAMS-RUB/grace-foundation-models/resolve/model-v5-uq-v6/models"
_UMA_TASKS = ("omat", "omol", "oc20", "odac", "omc")

_CHGNET = Licence("BSD-3-Clause-LBNL", "LICENSE in the package, which holds the weights")
_SEVENNET = Licence("MIT", "LICENSE in the package, which holds the weights")
_SEVENNET_RELEASED = Licence("not stated (code: MIT)", "https://github.com/MDIL-SNU/SevenNet")
_MACE_MIT = Licence("MIT", "https://github.com/ACEsuit/mace-foundations#models")
_MACE_ASL = Licence(
    "Academic Software License (non-commercial)",
    "https://github.com/ACEsuit/mace-foundations#models",
)
_ORB = Licence("Apache-2.0", "https://github.com/orbital-materials/orb-models#license")
_MATTERSIM = Licence("MIT", "https://github.com/microsoft/mattersim/blob/main/MODEL_CARD.md")
_MATGL = Licence("not stated (code: BSD-3-Clause)", "https://huggingface.co/materialyze")
_MATGL_2025 = Licence("BSD-3-Clause", "https://github.com/materialsvirtuallab/matgl, with the code")
_FAIR = Licence(
    "FAIR Chemistry License v1, access on request",
    "https://huggingface.co/facebook/OMol25/blob/main/LICENSE",
)
_NEQUIP = Licence(
    "CC-BY-4.0", "https://github.com/janosh/matbench-discovery/tree/main/models/nequip"
)
_GRACE = Licence(
    "Academic Software License (non-commercial)",
    "tensorpotential 0.6.2, foundation_models.py; https://github.com/ICAMS/grace-tensorpotential",
)
_UPET = Licence("not stated (code: BSD-3-Clause)", "https://github.com/lab-cosmo/upet, of the code")
_OWN = Licence("its author's", "with the file")
_NEQUIX = Licence("MIT", "LICENSE of https://github.com/atomicarchitects/nequix, which holds them")


def _chgnet(name: str, label: str) -> ModelEntry:
    return ModelEntry(name, "chgnet", label, BUNDLED, _CHGNET)


def _sevennet(name: str, file: str = "", modals: tuple[str, ...] = ()) -> ModelEntry:
    label = name.replace("7net-0-22may2024", "7net-0_22may2024")
    weights = f"{_SEVENNET_URL}/{file}" if file else BUNDLED
    licence = _SEVENNET_RELEASED if file else _SEVENNET
    return ModelEntry(name, "sevennet", label, weights, licence, "modal" if modals else "", modals)


def _mace(name: str, label: str, file: str, licence: Licence = _MACE_MIT) -> ModelEntry:
    return ModelEntry(name, "mace", label, f"{_MACE_URL}/{file}", licence)


def _orb(name: str, file: str) -> ModelEntry:
    return ModelEntry(name, "orb", name, f"{_ORB_URL}/{file}", _ORB)


def _mattersim(name: str, file: str) -> ModelEntry:
    return ModelEntry(name, "mattersim", file, f"{_MATTERSIM_URL}/{file}", _MATTERSIM)


def _matgl(label: str, place: str = "", licence: Licence = _MATGL) -> ModelEntry:
    place = place or f"{_HUGGING_FACE}/materialyze"
    weights = f"{place}/{label} (model.pt, state.pt, model.json)"
    return ModelEntry(label.lower(), "matgl", label, weights, licence)


def _fairchem(name: str, repository: str, file: str, tasks: tuple[str, ...]) -> ModelEntry:
    weights = f"{_HUGGING_FACE}/facebook/{repository}/blob/main/checkpoints/{file}"
    return ModelEntry(name, "fairchem", name, weights, _FAIR, "task_name", tasks)


def _nequip(model: str) -> ModelEntry:
    label = f"nequip.net:mir-group/{model}:0.1"
    weights = f"https://www.nequip.net/models/mir-group/{model}:0.1"
    return ModelEntry(model.lower(), "nequip", label, weights, _NEQUIP)


def _upet(name: str) -> ModelEntry:
    weights = f"{_HUGGING_FACE}/lab-cosmo/upet/tree/main/models ({name}-v*.ckpt, the newest)"
    return ModelEntry(name, "metatomic", name, weights, _UPET)


def _grace(label: str) -> ModelEntry:
    weights = f"{_GRACE_URL}/{label}-model.tar.gz"
    return ModelEntry(label.lower(), "grace", label, weights, _GRACE)


def _nequix(name: str, commit: str) -> ModelEntry:
    weights = f"https://github.com/atomicarchitects/nequix/raw/{commit}/models/{name}.nqx"
    return ModelEntry(name, "nequix", name, weights, _NEQUIX)


MODELS: Mapping[str, ModelEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            _chgnet("chgnet-0.3.0", "0.3.0"),
            _chgnet("chgnet-0.2.0", "0.2.0"),
            _chgnet("chgnet-r2scan", "r2scan"),
            _sevennet("7net-0"),
            _sevennet("7net-0-22may2024"),
            _sevennet("7net-l3i5"),
            _sevennet("7net-mf-0", modals=("PBE", "R2SCAN")),
            _sevennet("7net-omat", "v0.11.0.cp/checkpoint_sevennet_omat.pth"),
            _sevennet(
                "7net-mf-ompa", "v0.11.0.cp/checkpoint_sevennet_mf_ompa.pth", ("mpa", "omat24")
            ),
            _mace(
                "mace-mp-0-small",
                "small",
                "mace_mp_0/2023-12-10-mace-128-L0_energy_epoch-249.model",
            ),
            _mace("mace-mp-0-medium", "medium", "mace_mp_0/2023-12-03-mace-128-L1_epoch-199.model"),
            _mace("mace-mp-0-large", "large", "mace_mp_0/MACE_MPtrj_2022.9.model"),
            _mace(
                "mace-omat-0",
                "medium-omat-0",
                "mace_omat_0/mace-omat-0-medium.model",
                _MACE_ASL,
            ),
            _mace("mace-mpa-0", "medium-mpa-0", "mace_mpa_0/mace-mpa-0-medium.model"),
            _orb(
                "orb-v3-conservative-inf-omat", "orb-v3/orb-v3-conservative-inf-omat-20250404.ckpt"
            ),
            _orb("orb-v3-direct-inf-omat", "orb-v3/orb-v3-direct-inf-omat-20250404.ckpt"),
            _orb("orb-v2", "orb-v2-20241011.ckpt"),
            _mattersim("mattersim-v1-1m", "mattersim-v1.0.0-1M.pth"),
            _mattersim("mattersim-v1-5m", "mattersim-v1.0.0-5M.pth"),
            _matgl("TensorNet-PES-MatPES-PBE-2025.2"),
            _matgl("TensorNet-PES-MatPES-r2SCAN-2025.2"),
            _matgl("TensorNet-MatPES-PBE-v2025.1-PES", _MATGL_GITHUB, _MATGL_2025),
            _matgl("TensorNet-MatPES-r2SCAN-v2025.1-PES", _MATGL_GITHUB, _MATGL_2025),
            _matgl("M3GNet-MP-2021.2.8-PES"),
            _matgl("CHGNet-PES-MatPES-PBE-2025.2.10"),
            _fairchem("uma-s-1p1", "UMA", "uma-s-1p1.pt", _UMA_TASKS),
            _fairchem("uma-s-1p2", "UMA", "uma-s-1p2.pt", _UMA_TASKS),
            _fairchem("uma-m-1p1", "UMA", "uma-m-1p1.pt", _UMA_TASKS),
            _fairchem(
                "esen-sm-conserving-all-omol", "OMol25", "esen_sm_conserving_all.pt", ("omol",)
            ),
            _fairchem("esen-sm-direct-all-omol", "OMol25", "esen_sm_direct_all.pt", ("omol",)),
            _fairchem("esen-md-direct-all-omol", "OMol25", "esen_md_direct_all.pt", ("omol",)),
            _nequip("NequIP-OAM-L"),
            _nequip("NequIP-OAM-XL"),
            _nequix("nequix-mp-1", _NEQUIX_MP),
            _nequix("nequix-mp-1-pft", _NEQUIX_MP),
            _nequix("nequix-omat-1", _NEQUIX_OMAT),
            _nequix("nequix-oam-1", _NEQUIX_OMAT),
            _nequix("nequix-oam-1-pft", _NEQUIX_OMAT),
            _grace("GRACE-1L-OMAT-medium-ft-AM"),
            _grace("GRACE-1L-OMAT-large-ft-AM"),
            _grace("GRACE-2L-OMAT-medium-ft-AM"),
            _grace("GRACE-2L-OMAT-large-ft-AM"),
            _grace("GRACE-2L-OMAT-large-ft-E"),
            _grace("GRACE-2L-SMAX-OMAT-large"),
            _grace("GRACE-3L-OMAT-large-ft-AM"),
            ModelEntry("grace", "grace", "", OWN_FILE, _OWN),
            _upet("pet-mad-xs"),
            _upet("pet-mad-s"),
            _upet("pet-mad-m"),
            _upet("pet-omat-s"),
            _upet("pet-omat-l"),
            _upet("pet-omat-xl"),
            _upet("pet-oam-l"),
            _upet("pet-oam-xl"),
            _upet("pet-omatpes-l"),
            ModelEntry("metatomic", "metatomic", "", OWN_FILE, _OWN),
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
        names = [*MODELS, *ALIASES]
        near = [other for other in names if other.startswith(base)] if base else []
        near = near[:3] or difflib.get_close_matches(base, names, n=3, cutoff=0.5)
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
