"""After the forces: bands, density of states, imaginary modes, thermal properties, by phonopy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from platonic_ase.phonons.layers import flat_path

LEVELS = np.linspace(0, 1, 17)
"""Levels of the frequency quantiles."""
IMAGINARY = -0.1
"""THz: frequencies below count as imaginary; rounding and sum rules leave smaller ones."""
_LISTED = 10


@dataclass(frozen=True)
class ImaginaryMode:
    """One imaginary mode.

    Attributes
    ----------
    q : tuple of float
        In reciprocal vectors of the primitive cell.
    band : int
    frequency : float
        THz, negative by convention.
    commensurate : bool
        Whether the supercell holds the wave: exact, not interpolated.
    atoms : tuple of int
        Atoms of the primitive cell that move, most first; shares of less than 5 % are left out.
    symbols : tuple of str
        Their elements.
    shares : tuple of float
        Their shares of the squared eigenvector.
    """

    q: tuple[float, ...]
    band: int
    frequency: float
    commensurate: bool
    atoms: tuple[int, ...]
    symbols: tuple[str, ...]
    shares: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return asdict(self)

    def __str__(self) -> str:
        moving = ", ".join(
            f"{symbol}{atom} {100 * share:.0f} %"
            for symbol, atom, share in zip(self.symbols, self.atoms, self.shares, strict=True)
        )
        point = ", ".join(f"{x:.3g}" for x in self.q)
        return f"{self.frequency:.2f} THz at ({point}): {moving}"


@dataclass(frozen=True)
class Bands:
    """Frequencies along a path.

    Attributes
    ----------
    segments : tuple of (ndarray, ndarray)
        Distances, shape (n,), along the path and frequencies, shape (n, n_bands), THz.
    labels : tuple of (float, str)
        Position and name of the special points.
    """

    segments: tuple[tuple[np.ndarray, np.ndarray], ...]
    labels: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Spectrum:
    """Harmonic phonons of a crystal.

    Attributes
    ----------
    mesh : tuple of int
        Points along each axis.
    frequencies : ndarray, shape (n_q, n_bands)
        THz, at the irreducible points of the mesh.
    weights : ndarray of int, shape (n_q,)
    quantiles : ndarray, shape (17,)
        Of the frequencies of the whole mesh, at :data:`LEVELS`, THz.
    bands : Bands
    dos_frequencies, dos : ndarray, shape (n,)
        THz, and states per THz and primitive cell.
    temperatures : ndarray, shape (m,)
        K.
    free_energy, entropy, heat_capacity : ndarray, shape (m,)
        kJ/mol, J/K/mol and J/K/mol of primitive cells; imaginary modes are left out.
    modes : tuple of ImaginaryMode
        The most imaginary ones, one of each frequency: those that the supercell holds first.
    lowest : float
        Lowest frequency of the mesh and the commensurate points, THz.
    imaginary_share : float
        Share of imaginary modes on the mesh.
    """

    mesh: tuple[int, ...]
    frequencies: np.ndarray
    weights: np.ndarray
    quantiles: np.ndarray
    bands: Bands
    dos_frequencies: np.ndarray
    dos: np.ndarray
    temperatures: np.ndarray
    free_energy: np.ndarray
    entropy: np.ndarray
    heat_capacity: np.ndarray
    modes: tuple[ImaginaryMode, ...]
    lowest: float
    imaginary_share: float

    @property
    def imaginary(self) -> bool:
        """Whether there is an imaginary mode."""
        return self.lowest < IMAGINARY

    @property
    def mean(self) -> float:
        """Mean frequency of the mesh, THz."""
        return float(np.average(self.frequencies.mean(axis=1), weights=self.weights))


def choose_mesh(
    lengths: Sequence[float], reach: float = 60.0, openly: Sequence[bool] = (False,) * 3
) -> tuple[int, int, int]:
    """Odd numbers of points, at least nine, that sample waves up to ``reach`` (Å) along each axis.

    Parameters
    ----------
    lengths : sequence of float
        Of the primitive cell vectors, Å.
    reach : float
        Å.
    openly : sequence of bool
        Vectors along which the crystal does not go on: one point.
    """
    a, b, c = (
        1 if alone else max(9, 2 * int(reach / length / 2) + 1)
        for length, alone in zip(lengths, openly, strict=True)
    )
    return a, b, c


def require_mesh(mesh: Sequence[int]) -> list[int]:
    """A mesh as given, checked.

    Raises
    ------
    ValueError
        Unless it has three positive numbers.
    """
    points = [int(n) for n in mesh]
    if len(points) != 3 or min(points) < 1:
        raise ValueError(f"mesh = {points}; three positive numbers are needed")
    return points


def frequency_quantiles(frequencies: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Quantiles of a spectrum at 17 equally spaced levels, shape (17,).

    A level that falls into a gap of the spectrum takes its lower edge (the inverse of the
    cumulative distribution), so that no quantile is a frequency that the crystal does not have.

    Parameters
    ----------
    frequencies : ndarray, shape (n_q, n_bands)
    weights : ndarray of int, shape (n_q,)
        How many points of the whole mesh each stands for.
    """
    everything = np.repeat(frequencies, weights, axis=0).ravel()
    return np.asarray(np.quantile(everything, LEVELS, method="inverted_cdf"))


def force_constant_errors(force_constants: np.ndarray) -> dict[str, float]:
    r"""How far force constants are from what any energy obeys, relative to the largest element.

    Parameters
    ----------
    force_constants : ndarray, shape (n_atoms, n_atoms, 3, 3)
        Not symmetrised, eV/Å².

    Returns
    -------
    dict
        ``acoustic_sum_rule``: :math:`\max |\sum_j \Phi_{ij}|`, zero where a rigid shift costs
        nothing; ``asymmetry``: :math:`\max |\Phi_{ij} - \Phi_{ji}^T| / 2`, zero where forces are
        the gradient of an energy.
    """
    scale = float(np.abs(force_constants).max()) or 1.0
    transposed = np.swapaxes(force_constants, 0, 1).swapaxes(2, 3)
    return {
        "acoustic_sum_rule": float(np.abs(force_constants.sum(axis=1)).max()) / scale,
        "asymmetry": float(np.abs(force_constants - transposed).max()) / 2 / scale,
    }


def compute_spectrum(
    phonon: Any, mesh: Sequence[int], openly: Sequence[bool] | np.ndarray = (False,) * 3
) -> Spectrum:
    """Diagonalise.

    Parameters
    ----------
    phonon : phonopy.Phonopy
        With force constants.
    mesh : sequence of 3 int
        Centred on Γ.
    openly : sequence of bool
        Primitive vectors along which the crystal does not go on: the path has no part of them.
    """
    phonon.run_mesh(list(mesh), is_gamma_center=True)
    frequencies, weights = np.array(phonon.mesh.frequencies), np.array(phonon.mesh.weights)
    points = np.array(phonon.mesh.qpoints)
    phonon.run_total_dos()
    phonon.run_thermal_properties(t_min=0, t_max=1000, t_step=10, cutoff_frequency=-IMAGINARY)
    thermal = phonon.thermal_properties
    modes, lowest = _imaginary_modes(phonon, points, frequencies)
    return Spectrum(
        mesh=tuple(int(n) for n in mesh),
        frequencies=frequencies,
        weights=weights,
        quantiles=frequency_quantiles(frequencies, weights),
        bands=_bands(phonon, np.asarray(openly)),
        dos_frequencies=np.array(phonon.total_dos.frequency_points),
        dos=np.array(phonon.total_dos.dos),
        temperatures=np.array(thermal.temperatures),
        free_energy=np.array(thermal.free_energy),
        entropy=np.array(thermal.entropy),
        heat_capacity=np.array(thermal.heat_capacity),
        modes=modes,
        lowest=lowest,
        imaginary_share=float(np.average((frequencies < IMAGINARY).mean(axis=1), weights=weights)),
    )


def commensurate_points(supercell_matrix: np.ndarray) -> np.ndarray:
    """Wave vectors that a supercell holds, shape (n, 3), in reciprocal primitive vectors.

    Parameters
    ----------
    supercell_matrix : ndarray of int, shape (3, 3)
        Columns of primitive vectors times this are those of the supercell.
    """
    from phonopy.harmonic.dynmat_to_fc import get_commensurate_points

    return np.asarray(get_commensurate_points(supercell_matrix))


def _imaginary_modes(
    phonon: Any, mesh_points: np.ndarray, frequencies: np.ndarray
) -> tuple[tuple[ImaginaryMode, ...], float]:
    """The most imaginary modes of the mesh and the commensurate points; the lowest frequency."""
    in_primitive = np.linalg.inv(phonon.primitive_matrix) @ phonon.supercell_matrix
    exact = commensurate_points(np.rint(in_primitive).astype(int))
    phonon.run_qpoints(exact)
    exact_frequencies = np.array(phonon.qpoints.frequencies)
    held = np.abs(mesh_points @ in_primitive - np.rint(mesh_points @ in_primitive)).max(axis=1)
    between = held > 1e-6
    modes: list[ImaginaryMode] = []
    for points, values, commensurate in (
        (exact, exact_frequencies, True),
        (mesh_points[between], frequencies[between], False),
    ):
        lowest = values.min(axis=1)
        # points of equal frequency are equivalent, as a rule
        _, distinct = np.unique(np.round(lowest, 3), return_index=True)
        room = 3 if not commensurate and modes else _LISTED
        modes += [
            _mode(phonon, points[k], commensurate) for k in distinct[:room] if lowest[k] < IMAGINARY
        ]
    return tuple(modes), float(min(exact_frequencies.min(), frequencies.min()))


def _mode(phonon: Any, q: np.ndarray, commensurate: bool) -> ImaginaryMode:
    phonon.run_qpoints([q], with_eigenvectors=True)
    frequencies = np.array(phonon.qpoints.frequencies)[0]
    band = int(frequencies.argmin())
    vector = np.array(phonon.qpoints.eigenvectors)[0][:, band].reshape(-1, 3)
    shares = (np.abs(vector) ** 2).sum(axis=1)
    moving = [int(i) for i in np.argsort(-shares, kind="stable") if shares[i] >= 0.05]
    return ImaginaryMode(
        q=tuple(float(x) for x in np.round(q, 6)),
        band=band,
        frequency=float(frequencies[band]),
        commensurate=commensurate,
        atoms=tuple(moving),
        symbols=tuple(phonon.primitive.symbols[i] for i in moving),
        shares=tuple(round(float(shares[i]), 4) for i in moving),
    )


def _bands(phonon: Any, openly: np.ndarray, points: int = 51) -> Bands:
    if openly.any():
        path, names_of_points = flat_path(phonon.primitive.cell, openly, points)
        phonon.run_band_structure(
            path,
            path_connections=[True] * (len(path) - 1) + [False],
            labels=names_of_points,
            is_legacy_plot=False,
        )
    else:
        phonon.auto_band_structure(npoints=points)
    solved = phonon.band_structure
    segments = tuple(
        (np.array(d), np.array(f))
        for d, f in zip(solved.distances, solved.frequencies, strict=True)
    )
    names = iter(solved.labels)
    connected = solved.path_connections
    labels: list[tuple[float, str]] = []
    start = True
    for (distances, _), goes_on in zip(segments, connected, strict=True):
        if start:
            name = _plain(next(names))
            if labels and abs(labels[-1][0] - distances[0]) < 1e-9:
                name = f"{labels.pop()[1]}|{name}"
            labels.append((float(distances[0]), name))
        labels.append((float(distances[-1]), _plain(next(names))))
        start = not goes_on
    return Bands(segments, tuple(labels))


def _plain(label: str) -> str:
    """Label without LaTeX."""
    for latex, plain in (("\\Gamma", "Γ"), ("\\Sigma", "Σ"), ("\\Delta", "Δ"), ("\\Lambda", "Λ")):
        label = label.replace(latex, plain)
    return label.replace("$", "").replace("\\mathrm", "").replace("{", "").replace("}", "")
