"""The laws that an audit checks, and every measured departure from them beside its rounding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.audit.conservation import CONSERVATIVE, VARIES
from platonic_ase.audit.invariance import INVARIANT, SAME_ENERGY

if TYPE_CHECKING:
    from platonic_ase.audit.conservation import ForceConstantAsymmetry, LoopWork
    from platonic_ase.audit.invariance import SymmetryError


@dataclass(frozen=True)
class Departure:
    """One measured departure from a law of physics.

    Attributes
    ----------
    law : str
        Such as ``"invariance under rotations"``.
    label : str
        What was measured.
    value : float
    rounding : float
        What rounding alone explains, in the same unit.
    unit : str
        Empty for a ratio.
    holds : bool
        Whether it is small enough to call the law kept.
    """

    law: str
    label: str
    value: float
    rounding: float
    unit: str
    holds: bool


@dataclass(frozen=True)
class Law:
    """A law of physics that a model keeps by construction, or does not.

    Attributes
    ----------
    name : str
    holds : bool
        Whether all departures from it are small enough.
    meaning : str
        What it means for a user that the model does not keep it.
    """

    name: str
    holds: bool
    meaning: str


ROTATION = "invariance under rotations"
INVERSION = "invariance under inversion"
ORDER = "independence of the order of atoms"
TRANSLATION = "invariance under translations"
GRADIENT = "forces as the gradient of an energy"
SMOOTH = "a smooth energy"

_MEANING = {
    ROTATION: "The model tells apart atoms that symmetry makes equivalent, and sees a turned "
    "crystal as another one: splitting of orbits up to this size is the model's, not the "
    "structure's.",
    INVERSION: "The model sees a crystal and its mirror image as different; sites that only an "
    "inversion or a mirror relates are told apart.",
    ORDER: "The result depends on the order in which the atoms are listed.",
    TRANSLATION: "The result depends on where the crystal lies in its cell: forces on a rigid "
    "crystal do not add up to zero, and acoustic phonons do not start at zero.",
    GRADIENT: "Energy is not conserved in NVE dynamics, relaxations may not end, and phonons "
    "depend on which of two atoms is displaced.",
    SMOOTH: "The surface has kinks or is rough at the scale of small displacements, as where bonds "
    "or angles enter or leave a cutoff: force constants depend on the displacement. Compute "
    "phonons at two displacements, and expect relaxations to end with small forces left. Energy "
    "is conserved.",
}

_NOISE = 5.0
"""Multiples of its rounding up to which an asymmetry that depends on the step is rounding."""


def check_laws(found: tuple[Departure, ...]) -> tuple[Law, ...]:
    """Which laws a model keeps.

    Equivalent atoms are judged by the rotation law, whatever operation relates them.

    Parameters
    ----------
    found : tuple of Departure
        From :func:`departures`.
    """
    return tuple(
        Law(name, all(departure.holds for departure in found if departure.law == name), meaning)
        for name, meaning in _MEANING.items()
    )


def departures(
    symmetry: SymmetryError,
    constants: ForceConstantAsymmetry,
    loop: LoopWork,
    n_atoms: int,
    others: Sequence[ForceConstantAsymmetry] = (),
) -> tuple[Departure, ...]:
    r"""All that was measured, law by law, with what rounding explains of it.

    Rounding of the forces, :math:`\sigma`, explains :math:`\sigma / (\sqrt 2 h)` of an element of
    the force constants at the step h, and :math:`2\pi \sigma |t| / \sqrt n` of the work around a
    loop of n points with the tangent t.

    Parameters
    ----------
    symmetry : SymmetryError
    constants : ForceConstantAsymmetry
    loop : LoopWork
    n_atoms : int
    others : sequence of ForceConstantAsymmetry
        At other steps, where ``constants`` are not symmetric. Forces that are no gradient are told
        from a surface that is not smooth by them: the asymmetry of the former is the same at each
        step, and they do work around a loop.
    """
    floor = symmetry.rounding
    element = floor.forces / (np.sqrt(2) * constants.step)
    at_all = [constants, *others]
    least = min(at_all, key=lambda each: each.size)
    varies = max(each.size for each in at_all) > VARIES * least.size
    asymmetric = _asymmetry(GRADIENT, least, floor.forces)
    if others and varies:
        asymmetric = replace(asymmetric, holds=True)  # no property of the forces: the loop decides
    rough = _asymmetry(SMOOTH, constants, floor.forces)
    smooth = not (others and varies and rough.value > _NOISE * rough.rounding)
    tangent = loop.radius * np.sqrt(n_atoms)
    work_floor = np.hypot(
        loop.quadrature, 2 * np.pi * floor.forces * tangent / np.sqrt(loop.points)
    )

    def of_embeddings(law: str, label: str, value: float) -> Departure:
        return Departure(law, label, value, floor.embeddings, "", value < INVARIANT)

    sites = [
        of_embeddings(ROTATION, f"equivalent {site}", value)
        for site, value in symmetry.sites.items()
    ]
    return (
        of_embeddings(ROTATION, "embeddings, rotated", symmetry.rotation),
        *sites,
        Departure(
            ROTATION,
            "energy, rotated",
            symmetry.energy,
            floor.energy,
            "eV/atom",
            symmetry.energy < SAME_ENERGY,
        ),
        Departure(
            ROTATION,
            "forces, rotated",
            symmetry.forces,
            floor.forces,
            "eV/Å",
            symmetry.equivariant,
        ),
        of_embeddings(INVERSION, "embeddings, inverted", symmetry.inversion),
        of_embeddings(ORDER, "embeddings, reordered", symmetry.permutation),
        of_embeddings(TRANSLATION, "embeddings, translated", symmetry.translation),
        Departure(
            TRANSLATION,
            "acoustic sum of force constants",
            constants.acoustic_sum,
            float(element * np.sqrt(n_atoms)),
            "eV/Å²",
            constants.translation_invariant,
        ),
        asymmetric,
        Departure(
            GRADIENT,
            "work around a closed loop",
            abs(loop.work),
            float(work_floor),
            "eV",
            bool(loop.relative < CONSERVATIVE or abs(loop.work) < 10 * work_floor),
        ),
        replace(rough, holds=smooth),
    )


def _asymmetry(law: str, constants: ForceConstantAsymmetry, rounding: float) -> Departure:
    size = 3 * len(constants.displaced)
    element = rounding / (np.sqrt(2) * constants.step)
    return Departure(
        law,
        f"asymmetry of force constants at {constants.step:g} Å",
        constants.relative,
        float(np.sqrt(2 * size * (size - 1)) * element / constants.norm),
        "",
        constants.conservative,
    )
