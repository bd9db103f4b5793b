"""What a model gets wrong by construction: invariance, equivalent sites, conservation.

>>> print(audit(calculator, atoms))  # doctest: +SKIP
"""

from platonic_ase.audit.run import audit, audit_run

__all__ = ["audit", "audit_run"]
