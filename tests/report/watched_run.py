"""A run that goes on until it is killed: ``python watched_run.py LOG``."""

import sys

import numpy as np
from ase import units
from ase.md.verlet import VelocityVerlet

from platonic_ase import PlatonicCalculator
from platonic_ase.testing import DoubleWellCrystal, SpringEncoder, mock_anchors

inner = DoubleWellCrystal(2.0)
encoder = SpringEncoder(inner)
calculator = PlatonicCalculator(
    inner, encoder=encoder, anchors=mock_anchors(encoder), reference=None, phonon_risk=None,
    log=sys.argv[1],
)  # fmt: skip
atoms = inner.structure()
atoms.calc = calculator
atoms.set_velocities(np.random.default_rng(0).normal(scale=1e-3, size=(len(atoms), 3)))
VelocityVerlet(atoms, units.fs).run(10**9)
