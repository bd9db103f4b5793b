"""Run logs, annotated structures, plots and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platonic_ase.report.notebook import show

__all__ = ["show"]


def __getattr__(name: str) -> Any:
    """Load :func:`~platonic_ase.report.notebook.show` when it is asked for, not before."""
    if name == "show":
        from platonic_ase.report.notebook import show

        return show
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
