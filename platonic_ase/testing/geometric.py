"""A geometric encoder for ASE's EMT: an example of a plug-in for a model without torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT, parameters
from ase.data import atomic_numbers
from ase.neighborlist import neighbor_list

from platonic_ase.models.encoder import Encoder, Receiver

_CENTRES = np.linspace(1.0, 4.5, 8)
_CUTOFF = 5.0


def radial_features(atoms: Atoms) -> np.ndarray:
    r"""Smooth radial symmetry functions, weighted by the neighbour's atomic number.

    .. math:: G_{im} = \sum_j \frac{Z_j}{50} \, e^{-4 (r_{ij} - R_m)^2} (1 - r_{ij}^2 / r_c^2)^2

    Parameters
    ----------
    atoms : Atoms

    Returns
    -------
    ndarray, shape (n_atoms, 9)
        Eight functions and the atom's own atomic number / 50.
    """
    first, second, distances = neighbor_list("ijd", atoms, _CUTOFF)
    weights = atoms.numbers[second] / 50 * (1 - (distances / _CUTOFF) ** 2) ** 2
    terms = np.exp(-4 * (distances[:, None] - _CENTRES) ** 2) * weights[:, None]
    features = np.zeros((len(atoms), len(_CENTRES) + 1))
    np.add.at(features[:, :-1], first, terms)
    features[:, -1] = atoms.numbers / 50
    return features


class GeometricEncoder(Encoder):
    """Radial features of the structure in place of a network's embeddings.

    EMT learned nothing and has no torch module, so this overrides what rests on one:
    ``fingerprint``, ``dtype`` and ``model_name``.
    """

    name = "geometric"
    package = "ase"
    layers = ("radial",)

    @classmethod
    def recognises(cls, calculator: Any) -> bool:
        """Whether the calculator is EMT."""
        return isinstance(calculator, EMT)

    @property
    def model_name(self) -> str:
        """Name of the potential."""
        return "EMT"

    @property
    def fingerprint(self) -> str:
        """Hash of the parameters of the potential."""
        described = json.dumps([parameters, dict(self.calculator.parameters)], sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:32]

    @property
    def dtype(self) -> str:
        """EMT works in double precision."""
        return "float64"

    @property
    def width(self) -> int:
        """Number of features."""
        return len(_CENTRES) + 1

    @property
    def elements(self) -> frozenset[int]:
        """Elements with parameters."""
        return frozenset(atomic_numbers[symbol] for symbol in parameters)

    @contextmanager
    def listen(self, receive: Receiver) -> Iterator[None]:
        """Compute the features right after each calculation."""
        calculator = self.calculator
        previous = calculator.__dict__.get("calculate")
        calculate = calculator.calculate

        def observed(*args: Any, **kwargs: Any) -> None:
            calculate(*args, **kwargs)
            receive(radial_features(calculator.atoms))

        calculator.calculate = observed
        try:
            yield
        finally:
            if previous is None:
                del calculator.calculate
            else:
                calculator.calculate = previous
