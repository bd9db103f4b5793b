"""What a screening is: the model, what is done with each structure, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from platonic_ase.errors import ScreenError

Task = Literal["singlepoint", "relax", "md", "phonon", "forecast", "audit"]
TASKS: tuple[str, ...] = get_args(Task)


@dataclass(frozen=True)
class ScreenSettings:
    """Everything that the rows depend on, besides the structures.

    Attributes
    ----------
    calculator : str, callable or ase calculator
        A name of ``platonic-ase models``; ``"module:function"`` or a function without arguments
        that makes a calculator; or a calculator, which is pickled for other processes.
    task : str
        One of :data:`TASKS`.
    options : mapping
        For the task: the arguments of the function that does it, such as ``fmax`` of
        :func:`~platonic_ase.runs.relax.run_relaxation`.
    layer, device, anchors, reference, calibration, phonon_risk, force_bound
        As in :class:`~platonic_ase.PlatonicCalculator`.
    threads : int
        Of torch, in each process: results depend on it in the last bits.
    batch : int or None
        Single points only: so many atoms, at most, go through the model together, where the
        encoder can; one structure at a time if None. In a batch the model's sums are rounded
        otherwise: rows then depend in their last digits on which structures stand together.
    keep : str or None
        Folder for the log and the trajectory of each structure.
    """

    calculator: Any
    task: str = "singlepoint"
    options: Mapping[str, Any] = field(default_factory=dict)
    layer: str | None = None
    device: str | None = None
    anchors: Any = "default"
    reference: Any = "default"
    calibration: str | None = None
    phonon_risk: Any = "default"
    force_bound: Any = "default"
    threads: int = 1
    batch: int | None = None
    keep: str | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ScreenError(f"task = {self.task!r}; one of {', '.join(TASKS)} is needed")
        if self.threads < 1:
            raise ScreenError(f"threads = {self.threads}; at least 1 is needed")
        if self.batch is not None and (self.batch < 1 or self.task != "singlepoint"):
            raise ScreenError(
                f"batch = {self.batch} with task = {self.task!r}; at least 1 atom, or None, is "
                "needed, and 'singlepoint': other tasks go one structure at a time"
            )

    def to_dict(self) -> dict[str, Any]:
        """What has to be the same for a screening to go on, JSON-safe."""
        return {
            "calculator": _name(self.calculator),
            "task": self.task,
            "options": {name: _name(value) for name, value in sorted(self.options.items())},
            "threads": self.threads,
            "batch": self.batch,
        }


def _name(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [_name(item) for item in value]
    if hasattr(value, "calculate"):
        return type(value).__name__
    return getattr(value, "__qualname__", type(value).__name__)
