"""Which encoder reads which calculator: built in, registered, or from an entry point."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from platonic_ase.errors import EncoderNotFoundError, PlugInWarning, warn_outside
from platonic_ase.models.encoder import Encoder
from platonic_ase.models.packages import warn_if_untested

ENTRY_POINTS = "platonic_ase.encoders"

_BUILT_IN = {
    "chgnet": "platonic_ase.models.chgnet:CHGNetEncoder",
    "sevennet": "platonic_ase.models.sevennet:SevenNetEncoder",
    "mace": "platonic_ase.models.mace:MACEEncoder",
    "orb": "platonic_ase.models.orb:OrbEncoder",
    "mattersim": "platonic_ase.models.mattersim:MatterSimEncoder",
    "matgl": "platonic_ase.models.matgl:MatGLEncoder",
    "fairchem": "platonic_ase.models.fairchem:FAIRChemEncoder",
    "nequip": "platonic_ase.models.nequip:NequIPEncoder",
    "nequix": "platonic_ase.models.nequix:NequixEncoder",
    "grace": "platonic_ase.models.grace:GRACEEncoder",
    "metatomic": "platonic_ase.models.metatomic:MetatomicEncoder",
}
_registered: dict[str, type[Encoder]] = {}
_unusable: set[str] = set()


def register_encoder(encoder: type[Encoder]) -> type[Encoder]:
    """Make an encoder known; usable as a class decorator.

    A package can do the same without being imported, through the entry-point group
    ``platonic_ase.encoders``.

    Parameters
    ----------
    encoder : type
        A subclass of :class:`Encoder`; it wins over a built-in one that recognises the same
        calculator, and replaces one of the same name.

    Returns
    -------
    type
        The class itself.

    Raises
    ------
    TypeError
        If it is not a subclass of :class:`Encoder`.
    """
    if not (isinstance(encoder, type) and issubclass(encoder, Encoder)):
        raise TypeError(f"an encoder is a subclass of platonic_ase.Encoder; got {encoder!r}")
    _registered[encoder.name] = encoder
    return encoder


def known_encoders() -> dict[str, type[Encoder]]:
    """All encoders by name, in the order in which they are asked: registered first."""
    encoders = dict(_registered)
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name not in encoders and (found := _plug_in(entry)) is not None:
            encoders[entry.name] = found
    for name, path in _BUILT_IN.items():
        module, _, attribute = path.partition(":")
        encoders.setdefault(name, getattr(import_module(module), attribute))
    return encoders


def _plug_in(entry: EntryPoint) -> type[Encoder] | None:
    """Encoder of a plug-in; one that cannot be used is said once and passed over."""
    try:
        found = entry.load()
        if not (isinstance(found, type) and issubclass(found, Encoder)):
            raise TypeError(f"{found!r} is no subclass of platonic_ase.Encoder")
    except Exception as error:  # whatever somebody else's module runs into
        if entry.value not in _unusable:
            _unusable.add(entry.value)
            warn_outside(
                f"the plug-in {entry.name!r} ({entry.value}) is not used "
                f"({type(error).__name__}: {error}); update or uninstall its package",
                PlugInWarning,
            )
        return None
    return found


def find_encoder(calculator: Any, layer: str | None = None) -> Encoder:
    """Find the model inside a calculator, also inside sums and wrappers, and its encoder.

    Parameters
    ----------
    calculator : ase calculator
    layer : str, optional
        Layer to read; the encoder's first by default.

    Returns
    -------
    Encoder

    Raises
    ------
    EncoderNotFoundError
        If no encoder recognises the calculator or one inside it.

    Warns
    -----
    UntestedVersionWarning
        If the potential's package has a version that its encoder was not tested with.
    """
    encoders = known_encoders()
    for candidate in nested_calculators(calculator):
        for encoder in encoders.values():
            if encoder.recognises(candidate):
                warn_if_untested(encoder.name)
                return encoder(candidate, layer)
    raise EncoderNotFoundError(
        f"no encoder recognises {type(calculator).__module__}.{type(calculator).__name__}; there "
        f"are encoders for {', '.join(sorted(encoders))}. For a torch model of your own pass "
        "encoder=TorchEncoder(calculator, 'model.some.module', width=...), or write a subclass of "
        "Encoder and call platonic_ase.register_encoder on it."
    )


def nested_calculators(calculator: Any) -> Iterator[Any]:
    """A calculator and those inside it: parts of sums and mixtures, and wrapped ones."""
    waiting, seen = [calculator], set()
    for current in waiting:  # which grows
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        attributes = getattr(current, "__dict__", None) or {}
        if "mixer" in attributes:
            waiting.extend(getattr(attributes["mixer"], "calcs", ()))
        for name in ("calculator", "calc", "base_calculator"):
            if name in attributes and hasattr(attributes[name], "get_property"):
                waiting.append(attributes[name])
