"""A calibration of one's own, for any model.

>>> calibrate(calculator, data, "folder")  # doctest: +SKIP
"""

from platonic_ase.calibrate.run import calibrate

__all__ = ["calibrate"]
