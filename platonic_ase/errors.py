"""Exceptions of the package."""

from __future__ import annotations

__all__ = ["PlatonicError", "StructureError"]


class PlatonicError(Exception):
    """Base class of the errors that this package raises on purpose."""


class StructureError(PlatonicError, ValueError):
    """A structure that cannot be read, or that no calculator should be asked about."""
