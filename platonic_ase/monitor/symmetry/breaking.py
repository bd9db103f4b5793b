"""The alarm of a breaking symmetry, in relaxations and in molecular dynamics."""

from __future__ import annotations

import numpy as np

from platonic_ase.errors import SymmetryWarning
from platonic_ase.monitor.diagnosis import Signal
from platonic_ase.monitor.frame import Frame
from platonic_ase.monitor.symmetry.curvature import Asymmetry
from platonic_ase.monitor.symmetry.state import State
from platonic_ase.monitor.symmetry.subgroups import Breaking, identify_breaking

_ADVICE = (
    "Keep the symmetric phase with ase.constraints.FixSymmetry, or follow the new one in a larger "
    "cell."
)


def structure_signal(frame: Frame, state: State, broken: Asymmetry, softening: float) -> Signal:
    """Whether a relaxing structure breaks its symmetry.

    Parameters
    ----------
    frame : Frame
    state : State
    broken : Asymmetry
    softening : float
        The energy falls where the curvature is below minus this, eV/Å².
    """
    assert state.orbits is not None
    assert state.growth is not None
    level, downhill = state.growth.level(broken.largest), state.growth.downhill
    since = "here" if downhill == 1 else f"in {downhill} geometries in a row"
    atoms = tuple[int, ...]()
    group, found = state.orbits.space_group, state.breaking
    if level >= 1:
        found = _identify(state, frame, broken.displacements)
        atoms = found.minority or found.majority
    else:
        state.breaking = None

    def message() -> str:
        return (
            f"{group} is breaking: {since} the energy falls ({broken.curvature:.2g} eV/Å²) as "
            f"atoms leave their symmetric sites, by {broken.largest:.3f} Å now; {found}."
        )

    return Signal(
        kind="symmetry_breaking",
        level=level,
        value=broken.curvature,
        threshold=-softening,
        unit="eV/Å²",
        message=message,
        advice=_ADVICE,
        atoms=atoms,
        category=SymmetryWarning,
    )


def average_signal(
    frame: Frame, state: State, value: float, needed: float, offset: float, share: float
) -> Signal:
    """Whether the time average of a trajectory has left its space group.

    Parameters
    ----------
    frame : Frame
    state : State
    value, needed : float
        Evidence, in powers of ten, and how much of it there has to be.
    offset, share : float
        How far off its site an atom has to lie, Å and share of the rms displacement of its orbit.
    """
    orbits, evidence = state.orbits, state.evidence
    assert orbits is not None
    assert evidence is not None
    atoms, found = tuple[int, ...](), state.breaking
    blocks, stretch = evidence.blocks, evidence.block_length
    atom, length = evidence.farthest
    far = max(offset, share * evidence.spread(atom))
    level = min(value / needed, length / far)
    if level >= 1:
        error = float(evidence.error.max())
        found = _identify(state, frame, evidence.leaning, error)
        atoms = found.minority or found.majority
    else:
        state.breaking = None

    def message() -> str:
        return (
            f"{orbits.space_group} is broken on average over the run: a symmetric one looks "
            f"like this with probability {10**-value:.1g} at most ({blocks} stretches "
            f"of {stretch} geometries); {found}."
        )

    return Signal(
        kind="symmetry_breaking",
        level=level,
        value=value,
        threshold=needed,
        unit="powers of ten of evidence",
        message=message,
        advice=_ADVICE,
        atoms=atoms,
        category=SymmetryWarning,
    )


def _identify(
    state: State, frame: Frame, displacements: np.ndarray, error: float = 0.0
) -> Breaking:
    """Name the breaking once, when the alarm rises: events are raised only then."""
    if state.breaking is None:
        assert state.orbits is not None
        assert state.operations is not None
        state.breaking = identify_breaking(
            state.orbits, state.operations, frame.atoms.numbers, displacements, error
        )
    return state.breaking
