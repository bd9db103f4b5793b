"""A pytest plug-in: ASE's EMT is a wrapped EMT in whatever tests are run with ``-p wrapped_emt``.

``WRAP=0`` leaves EMT alone; outcomes are written to the file named by ``OUTCOMES``.
"""

import json
import os
from pathlib import Path

import ase.calculators.emt

from platonic_ase import PlatonicCalculator
from platonic_ase.testing import GeometricEncoder, mock_anchors

outcomes = {}
made = []


class WrappedEMT(PlatonicCalculator):
    def __init__(self, **parameters):
        encoder = GeometricEncoder(BareEMT(**parameters))
        super().__init__(
            encoder.calculator,
            encoder=encoder,
            anchors=mock_anchors(encoder),
            reference=None,
            on_warning="ignore",
        )
        made.append(self)


BareEMT = ase.calculators.emt.EMT
if os.environ["WRAP"] == "1":
    ase.calculators.emt.EMT = WrappedEMT


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish():
    summaries = [calc.summary() for calc in made]
    found = {
        "outcomes": outcomes,
        "diagnosed": sum(summary.diagnosed for summary in summaries),
        "switched_off": sorted({name for summary in summaries for name in summary.switched_off}),
    }
    Path(os.environ["OUTCOMES"]).write_text(json.dumps(found))
