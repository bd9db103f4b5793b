"""One function per package: from a name or a file to its ASE calculator.

Each takes the package's own name of the model, a local path or None, the device, the
floating-point type, and options for the package's calculator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

Options = dict[str, Any]
Opener = Callable[[str, str | None, str, str, Options], Any]


def open_chgnet(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open CHGNet; its weights come with the package."""
    from chgnet.model import CHGNet
    from chgnet.model.dynamics import CHGNetCalculator

    model = (
        CHGNet.load(model_name=label, use_device=device, verbose=False)
        if path is None
        else CHGNet.from_file(path)
    )
    return CHGNetCalculator(model, use_device=device, **options)


def open_sevennet(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open SevenNet; some weights come with the package."""
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator(path or label, device=device, **options)


def open_mace(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open MACE."""
    from mace.calculators import mace_mp

    return mace_mp(model=path or label, device=device, default_dtype=dtype, **options)


def open_orb(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open Orb; the options ``precision`` and ``compile`` go to its model loader."""
    from orb_models.forcefield import pretrained
    from orb_models.forcefield.calculator import ORBCalculator

    precision = {"float32": "float32-high", "float64": "float64"}[dtype]
    arguments = {
        "device": device,
        "precision": options.pop("precision", precision),
        "compile": options.pop("compile", None),
    }
    if path is not None:
        arguments["weights_path"] = path
    model = pretrained.ORB_PRETRAINED_MODELS[label](**arguments)
    return ORBCalculator(model, device=device, **options)


def open_mattersim(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open MatterSim."""
    from mattersim.forcefield.potential import MatterSimCalculator, Potential

    potential = Potential.from_checkpoint(path or label, device=device, load_training_state=False)
    return MatterSimCalculator(potential, device=device, **options)


def open_matgl(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open a MatGL potential, with stresses in ASE's unit and order."""
    import matgl
    from matgl.ext.ase import PESCalculator

    potential = matgl.load_model(path or label).to(device)
    return PESCalculator(potential, **{"stress_unit": "eV/A3", "use_voigt": True, **options})


def open_fairchem(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open UMA or eSEN; the option ``inference_settings`` chooses FAIRChem's preset."""
    from fairchem.core import FAIRChemCalculator

    return FAIRChemCalculator.from_model_checkpoint(path or label, device=device, **options)


def open_nequip(label: str, path: str | None, device: str, dtype: str, options: Options) -> Any:
    """Open a NequIP checkpoint or package file, uncompiled so that it can be observed."""
    from nequip.integrations.ase import NequIPCalculator

    return NequIPCalculator._from_saved_model(path or label, device=device, **options)


OPENERS: Mapping[str, Opener] = MappingProxyType(
    {
        "chgnet": open_chgnet,
        "sevennet": open_sevennet,
        "mace": open_mace,
        "orb": open_orb,
        "mattersim": open_mattersim,
        "matgl": open_matgl,
        "fairchem": open_fairchem,
        "nequip": open_nequip,
    }
)

ONLY_DTYPE = ("float32",)
"""What a package that leaves no choice runs in."""
DTYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"mace": ("float32", "float64"), "orb": ("float32", "float64"), "nequip": ("as saved",)}
)
"""Choices of ``dtype`` where there is one; the first is the default."""
