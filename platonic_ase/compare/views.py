"""The same atoms as several models see them, raw and in Platonic space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from platonic_ase.compare.measures.dimension import distinct
from platonic_ase.errors import ComparisonError
from platonic_ase.space._checks import Floats, as_points
from platonic_ase.space.projection import project

EQUIVALENT = 1e-2
"""Atoms count as equivalent where all models agree within this share of their spread."""


@dataclass(frozen=True)
class Views:
    """Row i of every array is the same atom; column k of Platonic arrays the same anchor.

    Attributes
    ----------
    raw : mapping of str to ndarray, shape (n, d_model)
        Embeddings.
    anchors : mapping of str to ndarray, shape (K, d_model)
        Embeddings of the same K environments.
    platonic : mapping of str to ndarray, shape (n, K)
    numbers, structures : ndarray of int, shape (n,)
        Atomic number and structure of each atom.
    distinct : ndarray of int, shape (m,)
        One atom of each set that all models see as equivalent: the rows that are compared.
    failures : mapping of str to mapping of int to str
        By model, the structures that it could not evaluate; they are left out for all models.
    left_out_anchors : tuple of int
        Anchor environments that a model could not evaluate.
    analogies : mapping of str to ndarray, shape (n_structures, d_model)
        Mean embedding of each crystal of the analogies, in their order; empty where there are none.
    anchor_names : tuple of str
        Of the K environments.
    """

    raw: Mapping[str, Floats]
    anchors: Mapping[str, Floats]
    platonic: Mapping[str, Floats]
    numbers: np.ndarray
    structures: np.ndarray
    distinct: np.ndarray
    failures: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    left_out_anchors: tuple[int, ...] = ()
    centred: bool = False
    analogies: Mapping[str, Floats] = field(default_factory=dict)
    anchor_names: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Models, in the order given."""
        return list(self.raw)

    @property
    def n_structures(self) -> int:
        """Structures that all models evaluated."""
        return len(np.unique(self.structures))

    def of_crystals(self) -> Views:
        """Return views of the crystals of the analogies, with the same anchors."""
        n = len(next(iter(self.analogies.values())))
        return replace(
            self,
            raw=self.analogies,
            platonic={name: self.project(name, x) for name, x in self.analogies.items()},
            numbers=np.zeros(n, int),
            structures=np.arange(n),
            distinct=np.arange(n),
        )

    def project(self, name: str, embeddings: Floats) -> Floats:
        """Platonic coordinates, shape (n, K), of further embeddings of a model."""
        return project(embeddings, self.anchors[name], _centre(self.anchors[name], self.centred))


def make_views(
    raw: Mapping[str, ArrayLike],
    anchors: Mapping[str, ArrayLike],
    numbers: ArrayLike | None = None,
    structures: ArrayLike | None = None,
    *,
    centred: bool = False,
    failures: Mapping[str, Mapping[int, str]] | None = None,
    left_out_anchors: tuple[int, ...] = (),
    analogies: Mapping[str, Floats] | None = None,
    anchor_names: tuple[str, ...] = (),
) -> Views:
    """Check arrays of several models and project them.

    Parameters
    ----------
    raw : mapping of str to array, shape (n, d_model)
        Embeddings by model; the same atoms in the same order.
    anchors : mapping of str to array, shape (K, d_model)
        Embeddings of the same anchor environments, in the same order.
    numbers, structures : array of int, shape (n,), optional
        Atomic number and structure of each atom; all one element, and each atom a structure of
        its own, by default.
    centred : bool
        Whether to subtract the mean anchor before cosines.
    failures, left_out_anchors, analogies, anchor_names
        See :class:`Views`; anchors are numbered by default.

    Raises
    ------
    ComparisonError
        If arrays do not fit each other, or a model's embeddings are constant or not finite.
    """
    if len(raw) < 2:
        raise ComparisonError(
            f"a comparison needs at least 2 models, got {sorted(raw) or 'none'}; name another"
        )
    if set(raw) != set(anchors):
        raise ComparisonError(
            f"there are embeddings of {sorted(raw)} but anchors of {sorted(anchors)}; give both "
            "for every model"
        )
    arrays = {name: _checked(x, name, "embeddings") for name, x in raw.items()}
    axes = {name: _checked(anchors[name], name, "anchors") for name in raw}
    _require_equal({name: len(x) for name, x in arrays.items()}, "atoms", "structures")
    _require_equal({name: len(x) for name, x in axes.items()}, "anchors", "anchor environments")
    for name, x in arrays.items():
        if x.shape[1] != axes[name].shape[1]:
            raise ComparisonError(
                f"{name}: embeddings have {x.shape[1]} columns and anchors {axes[name].shape[1]}; "
                "embed both with the same layer"
            )
    n = len(next(iter(arrays.values())))
    platonic = {
        name: project(x, axes[name], _centre(axes[name], centred)) for name, x in arrays.items()
    }
    return Views(
        raw=arrays,
        anchors=axes,
        platonic=platonic,
        numbers=_labels(np.ones(n, int) if numbers is None else numbers, n, "numbers"),
        structures=_labels(np.arange(n) if structures is None else structures, n, "structures"),
        distinct=_one_of_each(platonic),
        failures={} if failures is None else failures,
        left_out_anchors=left_out_anchors,
        centred=centred,
        analogies={} if analogies is None else analogies,
        anchor_names=anchor_names or tuple(map(str, range(len(next(iter(axes.values())))))),
    )


def _one_of_each(platonic: Mapping[str, Floats]) -> np.ndarray:
    spread = []
    for z in platonic.values():
        centred = z - z.mean(axis=0, dtype=np.float64)
        spread.append(centred / np.sqrt(np.square(centred).sum(axis=1).mean()))
    return np.unique(distinct(np.hstack(spread), tolerance=EQUIVALENT))


def _centre(anchors: Floats, centred: bool) -> Floats | None:
    return anchors.mean(axis=0) if centred else None


def _checked(points: ArrayLike, name: str, what: str) -> Floats:
    try:
        array = as_points(points, f"{what} of {name}", at_least=2)
    except ValueError as error:
        raise ComparisonError(str(error)) from error
    if (array == array[0]).all():
        raise ComparisonError(
            f"all {len(array)} {what} of {name} are equal, so that no geometry is left to compare; "
            "check that the structures differ and that the right layer was captured"
        )
    return array


def _require_equal(sizes: dict[str, int], what: str, same: str) -> None:
    if len(set(sizes.values())) > 1:
        raise ComparisonError(
            f"the models have different numbers of {what}: "
            + ", ".join(f"{name} {size}" for name, size in sizes.items())
            + f"; embed the same {same} in the same order"
        )


def _labels(labels: ArrayLike, n: int, name: str) -> np.ndarray:
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ComparisonError(f"{name} has shape {array.shape}; ({n},) is needed: one per atom")
    return array
