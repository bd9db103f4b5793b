"""What tells a breaking from a dent of the energy: it goes far off the site, and it grows."""

import math

from platonic_ase import OrbitSplitting
from platonic_ase.monitor.symmetry.growth import Growth


def levels(curvatures, displacements, **changes):
    shipped = OrbitSplitting()
    names = ("softening", "steep", "leap", "rises", "displacement", "near", "growth")
    values = {name: getattr(shipped, name) for name in names}
    growth, found = Growth(**{**values, **changes}), []
    for curvature, largest in zip(curvatures, displacements, strict=True):
        growth.add(curvature, largest)
        found.append(growth.level(largest))
    return found


def alarm(*series, **changes):
    return next((k for k, each in enumerate(levels(*series, **changes)) if each >= 1), None)


def test_a_breaking_is_announced_once_it_has_left_the_dent():
    # CHGNet 0.3.0, KMnF3, every third geometry: other group of spglib from 0.0915 Å on
    curvatures = [1.0, 0.4, 0.02, -0.05, -0.12, -0.17, -0.21, -0.25, -0.24, -0.19, -0.14, -0.1]
    displacements = [0.02, 0.018, 0.0159, 0.0158, 0.0157, 0.0157, 0.0163, 0.0185, 0.024, 0.0345,
                     0.0536, 0.0915]  # fmt: skip
    assert alarm(curvatures, displacements) == 9


def test_a_dent_raises_none():
    # CHGNet 0.3.0, NiAl, every third geometry: keeps its group
    curvatures = [0.6, 0.23, -0.26, -0.64, -0.54, -0.16, 0.04, 0.01, -0.01, -0.01, -0.005]
    displacements = [0.0113, 0.0113, 0.0114, 0.0117, 0.0126, 0.0172, 0.0215, 0.0216, 0.0216,
                     0.0214, 0.0217]  # fmt: skip
    assert alarm(curvatures, displacements) is None
    assert alarm(curvatures, displacements, displacement=0.01) is not None


def test_steep_is_seen_near_the_site():
    # CHGNet 0.3.0, CaHfO3 by BFGS, from its fourth geometry on: spglib sees it at the last
    curvatures, displacements = (
        [-0.38, -0.94, -1.79, -1.95, -1.67],
        [0.0242, 0.0243, 0.026, 0.028, 0.048],
    )
    assert alarm(curvatures, displacements) == 3
    assert alarm(curvatures, displacements, near=0.03) == 4
    assert alarm([-0.5] * 5, displacements) == 4


def test_a_rattle_that_heals_raises_none():
    assert alarm([-0.1] * 6, [0.05, 0.048, 0.046, 0.044, 0.043, 0.042]) is None
    assert alarm([0.5] * 6, [0.03, 0.04, 0.05, 0.06, 0.07, 0.08]) is None


def test_steep_is_fast():
    displacements = [0.03, 0.036, 0.043, 0.05]
    assert alarm([-2.0] * 4, displacements) == 1
    assert alarm([-0.1] * 4, displacements) == 2
    assert alarm([-0.1, 0.1, -0.1, -0.1], displacements) is None  # not in a row


def test_a_leap_is_fast():
    # SevenNet-0, CsCl structure of NaCl, downhill by Newton's steps: spglib sees it at the third
    curvatures, displacements = [1.98, -0.29, -0.35, -0.44], [0.028, 0.023, 0.038, 0.071]
    assert alarm(curvatures, displacements) == 2
    assert alarm(curvatures, displacements, leap=math.inf) == 3
    assert alarm([0.3, 0.2, 0.1, 0.1], displacements) is None  # a leap uphill


def test_from_an_exactly_symmetric_structure():
    assert levels([math.nan, -1.0], [0.0, 0.05]) == [0.0, 1.0]
    assert alarm([math.nan, -0.1], [0.0, 0.05]) is None  # displaced on purpose, no leap
