"""What is watched as curves of an experiment tracker: TensorBoard, Weights & Biases and others.

TensorBoard (``pip install 'platonic_ase[tensorboard]'``)::

    from torch.utils.tensorboard import SummaryWriter

    dynamics.attach(ScalarLog(calc, SummaryWriter("runs/NaCl").add_scalar), interval=10)

Weights & Biases, here without a network::

    run = wandb.init(project="NaCl", mode="offline")
    dynamics.attach(ScalarLog(calc, lambda name, value, step: run.log({name: value}, step=step)))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platonic_ase.calculator import PlatonicCalculator

PREFIX = "platonic/"


class ScalarLog:
    """Observer for ``dynamics.attach``: hands the latest diagnosis to a tracker, number by number.

    What is written is each scalar and each risk that is a number, and ``platonic/warnings``, the
    warnings that were raised so far. Values that are not finite are left out.

    Parameters
    ----------
    calculator : PlatonicCalculator
        That watches the run.
    write : callable
        Is given name, value and the number of the geometry, which in a run that begins with this
        calculator is the number of the step.
    """

    def __init__(
        self, calculator: PlatonicCalculator, write: Callable[[str, float, int], object]
    ) -> None:
        self._calculator, self._write = calculator, write
        self._last: object = None

    def __call__(self) -> None:
        """Write the latest diagnosis, once."""
        diagnosis = self._calculator.diagnosis
        if diagnosis is None or diagnosis is self._last:
            return
        self._last = diagnosis
        numbers = dict(diagnosis.scalars)
        numbers.update(
            (f"risk_{k}", v) for k, v in diagnosis.risks.items() if not isinstance(v, str)
        )
        numbers["warnings"] = float(sum(self._calculator.summary().raised.values()))
        for name, value in numbers.items():
            if math.isfinite(value):
                self._write(PREFIX + name, float(value), diagnosis.index)
