"""One function per package: from a name or a file to its ASE calculator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

Opener = Callable[[str, str | None, str, str, dict[str, Any]], Any]
"""Called with label, local path or None, device, dtype, options of the calculator."""


def open_chgnet(
    label: str, path: str | None, device: str, dtype: str, options: dict[str, Any]
) -> Any:
    """CHGNet's calculator; the weights come with the package."""
    from chgnet.model import CHGNet
    from chgnet.model.dynamics import CHGNetCalculator

    model = (
        CHGNet.load(model_name=label, use_device=device, verbose=False)
        if path is None
        else CHGNet.from_file(path)
    )
    return CHGNetCalculator(model, use_device=device, **options)


def open_sevennet(
    label: str, path: str | None, device: str, dtype: str, options: dict[str, Any]
) -> Any:
    """SevenNet's calculator; several weights come with the package."""
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator(path or label, device=device, **options)


OPENERS: Mapping[str, Opener] = MappingProxyType({"chgnet": open_chgnet, "sevennet": open_sevennet})
DTYPES: Mapping[str, tuple[str, ...]] = MappingProxyType({})
