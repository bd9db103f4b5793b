"""Forces on small structures with DFT labels, which come with the package.

Thirty frames of relaxations in the Materials Project trajectories (MPtrj; Deng et al., Nat. Mach.
Intell. 5, 1031 (2023), doi:10.6084/m9.figshare.23713842, CC BY 4.0), PBE or PBE+U. Most models
have seen them in training: this says whether a model is what it claims to be, not how good it is.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.doctor.report import Finding, Verdict

if TYPE_CHECKING:
    from ase import Atoms

FRAMES_FILE = "doctor_frames.xyz"
FAR, WORTHLESS = 0.5, 1.0
"""Of the mean length of the forces: beyond FAR less than half of them is explained, as with another
functional; beyond WORTHLESS no forces at all would be nearer."""


def labelled_frames() -> list[Atoms]:
    """The structures, with DFT forces (eV/Å) in ``arrays["dft_forces"]``."""
    from ase.io import read

    with as_file(files("platonic_ase") / "data" / FRAMES_FILE) as path:
        return list(read(path, index=":"))


def check_frames(
    calculator: Any,
    elements: frozenset[int] | None = None,
    forces_of: Callable[[Atoms], np.ndarray] | None = None,
) -> Finding:
    """Mean length of the difference of forces, over the mean length of the DFT forces.

    Parameters
    ----------
    calculator : ase calculator
    elements : frozenset of int, optional
        Atomic numbers that the model knows; all where it does not say.
    forces_of : callable, optional
        Computes the forces of a frame, eV/Å, in place of the calculator.
    """
    frames = [
        atoms
        for atoms in labelled_frames()
        if elements is None or elements >= set(atoms.numbers.tolist())
    ]
    check, expected = "forces on frames with DFT labels", f"error below {FAR:g} of the forces"
    if not frames:
        return Finding(check, "no frame of known elements", expected, Verdict.SKIPPED, "", {})
    errors, sizes, worst = [], [], ("", 0.0)
    for atoms in frames:
        if forces_of is None:
            bare = atoms.copy()
            bare.calc = calculator
            forces = bare.get_forces()
        else:
            forces = forces_of(atoms)
        labels = atoms.arrays["dft_forces"]
        error = np.linalg.norm(forces - labels, axis=1)
        errors.append(error)
        sizes.append(np.linalg.norm(labels, axis=1))
        if float(error.mean()) > worst[1]:
            worst = (atoms.get_chemical_formula(), float(error.mean()))
    mean, size = float(np.concatenate(errors).mean()), float(np.concatenate(sizes).mean())
    verdict = (
        Verdict.SOUND
        if mean < FAR * size
        else Verdict.NOTE
        if mean < WORTHLESS * size
        else Verdict.WRONG
    )
    return Finding(
        check=check,
        measured=f"mean error {mean:.3f} eV/Å, {100 * mean / size:.0f} % of the forces "
        f"({len(frames)} frames)",
        expected=expected,
        verdict=verdict,
        meaning={
            Verdict.NOTE: "the model is weak here, or was taught another functional than PBE",
            Verdict.WRONG: "the forces are not those of DFT: wrong weights, a package version "
            "that computes something else with them, or units",
        }.get(verdict, ""),
        values={
            "mean_error": mean,
            "mean_force": size,
            "frames": len(frames),
            "worst_frame": worst[0],
            "worst_error": worst[1],
        },
    )
