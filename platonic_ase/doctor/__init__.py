"""Is this model sane: derivatives, textbook crystals and labelled structures, in under a minute."""

from platonic_ase.doctor.report import Examination, Finding, Verdict
from platonic_ase.doctor.run import examine, quick_look

__all__ = ["Examination", "Finding", "Verdict", "examine", "quick_look"]
