"""Many structures: one row each, on one machine or many, resumable, ranked by what needs a look."""

from platonic_ase.screen.conclude import conclude_screening, describe_screening
from platonic_ase.screen.run import screen

__all__ = ["conclude_screening", "describe_screening", "screen"]
