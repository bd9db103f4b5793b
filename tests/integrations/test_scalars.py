import math

import pytest
from ase import units
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from platonic_ase.integrations.scalars import ScalarLog
from platonic_ase.monitor import EventGate
from platonic_ase.testing.probes import PlannedAlarm


@pytest.fixture
def watched(wrap, copper):
    copper.rattle(0.05, seed=0)
    copper.calc = wrap(diagnostics=[PlannedAlarm(0, 2, 0, math.nan, 2)], gate=EventGate(cooldown=0))
    return copper


def test_each_diagnosis_is_handed_over_once(watched):
    written = []
    dynamics = VelocityVerlet(watched, 1 * units.fs)
    observer = ScalarLog(watched.calc, lambda *entry: written.append(entry))
    observer()
    assert written == []  # nothing was diagnosed yet
    dynamics.attach(observer)
    dynamics.run(4)
    observer()
    values = {(name, step): value for name, value, step in written}
    assert len(values) == len(written)
    assert {step: v for (name, step), v in values.items() if name == "platonic/planned"} == {
        0: 0.0, 1: 2.0, 2: 0.0, 4: 2.0,
    }  # fmt: skip
    warned = [values["platonic/warnings", step] for step in range(5)]
    assert warned == [0.0, 1.0, 1.0, 1.0, 2.0]


def test_an_optimiser_and_an_interval(wrap, copper):
    copper.rattle(0.05, seed=0)
    copper.calc = wrap()
    steps = set()
    optimizer = BFGS(copper, logfile=None)
    optimizer.attach(ScalarLog(copper.calc, lambda name, value, step: steps.add(step)), interval=2)
    optimizer.run(steps=4)
    assert steps == {0, 2, 4}


def test_tensorboard_shows_the_curves(watched, tmp_path):
    pytest.importorskip("tensorboard", reason="pip install 'platonic_ase[tensorboard]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    dynamics = VelocityVerlet(watched, 1 * units.fs)
    with SummaryWriter(tmp_path) as writer:
        dynamics.attach(ScalarLog(watched.calc, writer.add_scalar))
        dynamics.run(2)
    read = EventAccumulator(str(tmp_path))
    read.Reload()
    assert set(read.Tags()["scalars"]) == {"platonic/planned", "platonic/warnings"}
    assert [(e.step, e.value) for e in read.Scalars("platonic/planned")] == [(0, 0), (1, 2), (2, 0)]
