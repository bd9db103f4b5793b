"""An exploding run, through the calculator and ASE's own dynamics."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.md.langevin import Langevin
from ase.md.nvtberendsen import NVTBerendsen
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet

from platonic_ase import PhysicalCompanions, PlatonicCalculator
from platonic_ase.monitor.heat import thermostat_temperature
from platonic_ase.testing import MockCalculator, MockEncoder, mock_anchors


def explosions(timestep):
    events = []
    inner = MockCalculator()
    encoder = MockEncoder(inner)
    calc = PlatonicCalculator(
        inner, encoder=encoder, anchors=mock_anchors(encoder), reference=None,
        diagnostics=[PhysicalCompanions()], on_warning=events.append,
    )  # fmt: skip
    atoms = bulk("Al", a=3.6, cubic=True)
    thermalize_momenta(atoms, 600, rng=np.random.default_rng(0))
    atoms.calc = calc
    dynamics = VelocityVerlet(atoms, timestep * units.fs)
    for _ in range(40):
        if not events:  # atoms that fly apart take the mock ever longer
            dynamics.run(1)
    return [event for event in events if event.kind == "exploding"]


def test_a_time_step_that_is_far_too_long_is_an_explosion():
    assert explosions(1.0) == []
    (event,) = explosions(120.0)
    assert "exploding" in str(event)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda a: VelocityVerlet(a, units.fs), None),
        (lambda a: Langevin(a, units.fs, temperature_K=450, friction=0.01, fixcm=False), 450),
        (lambda a: NVTBerendsen(a, units.fs, temperature_K=450, taut=100), 450),
    ],
)
def test_the_temperature_of_a_thermostat_is_read(make, expected):
    assert thermostat_temperature(make(bulk("Al"))) == (expected and pytest.approx(expected))
