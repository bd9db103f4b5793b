"""Forces against finite differences of the energy, stress against strain derivatives, its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units

from platonic_ase.doctor.report import Finding, Verdict

if TYPE_CHECKING:
    from ase import Atoms

STEP = 0.02
"""Length in Å of the displacement of all atoms together: energies in float32 still resolve it."""
STRAIN = 0.005
EXACT, CLOSE = 0.02, 0.25
"""Relative departures: up to EXACT rounding explains, up to CLOSE a direct prediction does."""


def check_forces(calculator: Any, atoms: Atoms, *, seed: int = 0, directions: int = 3) -> Finding:
    r"""Compare :math:`F \cdot d` with :math:`-(E(+hd) - E(-hd)) / 2h` along random directions.

    Parameters
    ----------
    calculator : ase calculator
    atoms : Atoms
        Away from equilibrium. A copy is worked on.
    seed : int
    directions : int
        Each leans towards the forces, so that the difference of energies is not lost in rounding.
    """
    rng, forces = np.random.default_rng(seed), _forces(calculator, atoms)
    size = float(np.linalg.norm(forces))
    worst = 0.0
    for _ in range(directions):
        noise = rng.normal(size=forces.shape)
        way = forces / max(size, 1e-12) + noise / np.linalg.norm(noise)
        way *= STEP / np.linalg.norm(way)
        ahead, behind = (_energy(calculator, _moved(atoms, sign * way)) for sign in (1, -1))
        slope = (behind - ahead) / (2 * STEP)
        worst = max(worst, abs(slope - float((forces * way).sum()) / STEP) / max(size, 1e-12))
    verdict = _grade(worst)
    return Finding(
        check="forces against finite differences of the energy",
        measured=f"differ by {100 * worst:.2g} %",
        expected=f"at most {100 * EXACT:g} %",
        verdict=verdict,
        meaning={
            Verdict.NOTE: "the forces are no gradient of the energy, as in models that predict "
            "them directly: energy is not conserved",
            Verdict.WRONG: "forces and energy belong to different functions, or have other units",
        }.get(verdict, ""),
        values={"relative_difference": worst, "force_norm": size},
    )


def check_stress(calculator: Any, atoms: Atoms, *, seed: int = 0, directions: int = 3) -> Finding:
    r"""Compare the stress with :math:`(E(+\epsilon) - E(-\epsilon)) / 2 \epsilon V`.

    Parameters
    ----------
    calculator : ase calculator
    atoms : Atoms
        Under stress. A copy is worked on.
    seed : int
    directions : int
        Random symmetric strains, beside the isotropic one.
    """
    check, expected = "stress against strain derivatives", "eV/Å³, tension positive"
    try:
        stress = _stress(calculator, atoms)
    except Exception as error:
        return Finding(check, f"none ({error})"[:120], expected, Verdict.SKIPPED, "", {})
    if stress.shape == (6,):
        full = stress[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
    elif stress.size == 9:
        full = stress.reshape(3, 3)
    else:
        return Finding(
            check,
            f"an array of shape {stress.shape}",
            "shape (6,), (9,) or (3, 3)",
            Verdict.WRONG,
            "ASE reads no other",
            {"shape": list(stress.shape)},
        )
    rng = np.random.default_rng(seed)
    claimed, true = [], []
    for strain in (np.eye(3), *rng.normal(size=(directions, 3, 3))):
        way = (strain + strain.T) / 2
        way /= np.linalg.norm(way)
        ahead, behind = (
            _energy(calculator, _strained(atoms, sign * STRAIN * way)) for sign in (1, -1)
        )
        true.append((ahead - behind) / (2 * STRAIN * atoms.get_volume()))
        claimed.append(float((full * way).sum()))
    stated, measured = np.array(claimed), np.array(true)
    ratio = float(stated @ measured / (measured @ measured))
    left = float(np.linalg.norm(stated / ratio - measured) / np.linalg.norm(measured))
    known = {1.0: "", 1 / units.GPa: "it is in GPa", -1.0: "its sign is reversed",
             -1 / units.GPa: "it is in GPa with its sign reversed"}  # fmt: skip
    nearest = min(known, key=lambda value: abs(ratio / value - 1))
    off = abs(ratio / nearest - 1)
    verdict, meaning = _grade(max(off, left)), known[nearest]
    if verdict is Verdict.WRONG or nearest != 1.0:
        verdict = Verdict.WRONG
        meaning = meaning or "the stress is no strain derivative of the energy"
        meaning += ": relaxations of cells and NPT go wrong"
    elif verdict is Verdict.NOTE:
        meaning = "the stress is no strain derivative, as in models that predict it directly"
    return Finding(
        check, f"{ratio:.4g} times the derivative, rest {100 * left:.2g} %", expected, verdict,
        meaning, {"ratio": ratio, "rest": left},
    )  # fmt: skip


def _grade(departure: float) -> Verdict:
    if departure <= EXACT:
        return Verdict.SOUND
    return Verdict.NOTE if departure <= CLOSE else Verdict.WRONG


def _moved(atoms: Atoms, displacement: np.ndarray) -> Atoms:
    moved: Atoms = atoms.copy()
    moved.positions += displacement
    return moved


def _strained(atoms: Atoms, strain: np.ndarray) -> Atoms:
    strained: Atoms = atoms.copy()
    strained.set_cell(atoms.cell[:] @ (np.eye(3) + strain), scale_atoms=True)
    return strained


def _with(calculator: Any, atoms: Atoms) -> Atoms:
    worked: Atoms = atoms.copy()
    worked.calc = calculator
    return worked


def _energy(calculator: Any, atoms: Atoms) -> float:
    return float(_with(calculator, atoms).get_potential_energy())


def _forces(calculator: Any, atoms: Atoms) -> np.ndarray:
    return np.array(_with(calculator, atoms).get_forces(), dtype=float)


def _stress(calculator: Any, atoms: Atoms) -> np.ndarray:
    """As the calculator gives it: ``Atoms.get_stress`` would reshape and reorder."""
    return np.array(calculator.get_property("stress", atoms.copy()), dtype=float)
