"""Phonons, and the risk that they are wrong, said before they are computed.

>>> result = run_phonon(atoms, calculator, report="phonon.html")  # doctest: +SKIP
>>> assess_phonopy(phonon, calculator)  # an existing phonopy.Phonopy  # doctest: +SKIP
"""

from platonic_ase.phonons.run import assess_phonopy, run_phonon

__all__ = ["assess_phonopy", "run_phonon"]
