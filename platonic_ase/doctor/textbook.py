"""Lattice constants and bulk moduli of a dozen crystals that every textbook lists.

Values: C. Kittel, *Introduction to Solid State Physics*, 8th edition (Wiley, 2005): lattice
constants, chapter 1, table 3; bulk moduli, chapter 3, table 3; alkali halides, chapter 3, table 7
(nearest-neighbour distances, doubled). They are measured at room temperature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units
from ase.build import bulk

from platonic_ase.doctor.report import Finding, Verdict

if TYPE_CHECKING:
    from ase import Atoms

POINTS = np.linspace(-0.04, 0.04, 7)
"""Linear strains around the last guess of the minimum."""
GUESSES = 4
FAR = 0.06
"""Relative error of a lattice constant; PBE and r2SCAN stay within 0.03 of experiment."""
MODULI = (0.5, 2.0)
"""Median ratio of bulk moduli; that of PBE is a little below 1."""


@dataclass(frozen=True)
class Crystal:
    """A cubic crystal: its formula, structure, lattice constant (Å) and bulk modulus (GPa)."""

    formula: str
    structure: str
    constant: float
    modulus: float

    def build(self, constant: float | None = None) -> Atoms:
        """Primitive cell with the measured lattice constant, or another."""
        return bulk(self.formula, self.structure, a=constant or self.constant)


CRYSTALS = (
    Crystal("Al", "fcc", 4.05, 72.2),
    Crystal("Cu", "fcc", 3.61, 137.0),
    Crystal("Ag", "fcc", 4.09, 100.7),
    Crystal("Pt", "fcc", 3.92, 278.3),
    Crystal("W", "bcc", 3.16, 323.2),
    Crystal("C", "diamond", 3.567, 443.0),
    Crystal("Si", "diamond", 5.430, 98.8),
    Crystal("Ge", "diamond", 5.658, 77.2),
    Crystal("LiF", "rocksalt", 4.028, 67.1),
    Crystal("NaCl", "rocksalt", 5.640, 24.0),
    Crystal("KCl", "rocksalt", 6.294, 17.4),
    Crystal("KBr", "rocksalt", 6.596, 14.8),
)


def check_crystals(
    calculator: Any, elements: frozenset[int] | None = None
) -> tuple[Finding, Finding]:
    """Equations of state of the crystals whose elements a model knows.

    Parameters
    ----------
    calculator : ase calculator
    elements : frozenset of int, optional
        Atomic numbers that the model knows; all where it does not say.
    """
    rows = []
    for crystal in CRYSTALS:
        if elements is None or elements >= set(crystal.build().numbers.tolist()):
            constant, modulus = equation_of_state(calculator, crystal)
            rows.append({
                "crystal": crystal.formula, "lattice_constant": constant, "bulk_modulus": modulus,
                "textbook_lattice_constant": crystal.constant,
                "textbook_bulk_modulus": crystal.modulus,
            })  # fmt: skip
    return _constants(rows), _moduli(rows)


def equation_of_state(calculator: Any, crystal: Crystal) -> tuple[float | None, float | None]:
    """Lattice constant in Å and bulk modulus in GPa; None where there is no minimum near.

    A polynomial of fourth order in the linear strain is fitted to energies around the last guess.
    """
    guess = crystal.constant
    for _ in range(GUESSES):
        energies = []
        for strain in POINTS:
            atoms = crystal.build(guess * (1 + strain))
            atoms.calc = calculator
            energies.append(float(atoms.get_potential_energy()))
        fit = np.polynomial.Polynomial.fit(POINTS, energies, 4, domain=[-1, 1])
        minimum = _minimum(fit)
        if minimum is not None and abs(minimum) <= POINTS[-1]:
            constant = guess * (1 + minimum)
            volume = crystal.build(constant).get_volume()
            curvature = float(fit.deriv(2)(minimum)) * (1 + minimum) ** 2
            return constant, curvature / (9 * volume) / units.GPa
        guess *= 1 + (POINTS[-1] if energies[-1] < energies[0] else POINTS[0])
    return None, None


def _minimum(fit: np.polynomial.Polynomial) -> float | None:
    roots = fit.deriv().roots()
    good = [float(r.real) for r in roots if abs(r.imag) < 1e-12 and fit.deriv(2)(r.real) > 0]
    return min(good, key=abs) if good else None


def _constants(rows: list[dict[str, Any]]) -> Finding:
    check, expected = "lattice constants of textbook crystals", f"each within {100 * FAR:g} %"
    if not rows:
        return Finding(check, "no crystal of known elements", expected, Verdict.SKIPPED, "", {})
    errors = {
        row["crystal"]: None
        if row["lattice_constant"] is None
        else row["lattice_constant"] / row["textbook_lattice_constant"] - 1
        for row in rows
    }
    far = {name: error for name, error in errors.items() if error is None or abs(error) > FAR}
    sizes = [abs(error) for error in errors.values() if error is not None]
    said = f"median error {100 * float(np.median(sizes)):.1f} %" if sizes else "no minimum"
    if far:
        said += "; far: " + ", ".join(
            f"{name} " + ("no minimum" if error is None else f"{100 * error:+.0f} %")
            for name, error in far.items()
        )
    share = len(far) / len(rows)
    verdict = Verdict.WRONG if share > 0.25 else Verdict.NOTE if far else Verdict.SOUND
    meaning = {
        Verdict.WRONG: "the model does not know ordinary crystals: wrong weights, package version "
        "or units",
        Verdict.NOTE: "do not use the model for these",
    }.get(verdict, "")
    return Finding(check, said, expected, verdict, meaning, {"crystals": rows})


def _moduli(rows: list[dict[str, Any]]) -> Finding:
    low, high = MODULI
    check, expected = "bulk moduli of textbook crystals", f"median {low:g} to {high:g} of measured"
    ratios = [
        row["bulk_modulus"] / row["textbook_bulk_modulus"]
        for row in rows
        if row["bulk_modulus"] is not None
    ]
    if not ratios:
        verdict = Verdict.WRONG if rows else Verdict.SKIPPED
        return Finding(check, "none", expected, verdict, "no equation of state has a minimum", {})
    median = float(np.median(ratios))
    sound = low <= median <= high
    return Finding(
        check,
        f"median {median:.2f} of measured, {min(ratios):.2f} to {max(ratios):.2f}",
        expected,
        Verdict.SOUND if sound else Verdict.WRONG,
        "" if sound else "stiffness is wrong: wrong weights, package version or units",
        {"median_ratio": median, "ratios": ratios},
    )
