"""What the universal phonon risk says of cases that it has not seen, and how well."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from platonic_ase.phonons.opinions import pooled, root_error, softening
from platonic_ase.phonons.stiffness import Sizes, StiffnessLaw
from platonic_ase.phonons.universal_fit import (
    Case,
    fit_law,
    mismatches_of,
    process_of,
)


def unseen(case: Case, *, architecture: bool = True) -> Callable[[Case], bool]:
    """Which cases share no anion, no prototype and no architecture with one.

    Parameters
    ----------
    case : Case
    architecture : bool
        False where those of its own architecture may stay.
    """
    anion, prototype = case.group

    def kept(other: Case) -> bool:
        return (
            other.row.anion != anion
            and not (prototype and other.row.prototype == prototype)
            and not (architecture and other.architecture == case.architecture)
        )

    return kept


def left_out_laws(
    cases: Sequence[Case], everything: Sequence[Case], asked: Sequence[Case] | None = None
) -> np.ndarray:
    """What laws that never saw a case's architecture, anion or prototype say of it.

    The sizes of a law are learnt once for each architecture left out, and have then seen the
    anions and prototypes; what the law says is learnt anew for each of them.

    Parameters
    ----------
    cases : sequence of Case
        That the law of octet binaries is learnt from.
    everything : sequence of Case
        That the law of other crystals is learnt from.
    asked : sequence of Case, length n, optional
        That both are asked about; everything, if not given.

    Returns
    -------
    ndarray, shape (n, 3)
        ln of the model's frequencies over the true ones, its standard deviation before it is
        scaled, and the share of the variance among crystals that the law explains.
    """
    sizes: dict[tuple[str, bool], Sizes] = {}
    laws: dict[tuple[str, str, str, bool], StiffnessLaw] = {}
    asked = everything if asked is None else asked
    found = np.empty((len(asked), 3))
    for k, case in enumerate(asked):
        octet = case.octet
        known = cases if octet else everything
        one = (case.architecture, octet)
        if one not in sizes:
            others = (each for each in known if each.architecture != case.architecture)
            sizes[one] = fit_law(others, octet).sizes
        key = (case.architecture, *case.group, octet)
        if key not in laws:
            laws[key] = fit_law(filter(unseen(case), known), octet, sizes[one])
        found[k] = laws[key].softening(case.quantities)
    return found


def law_spreads(
    cases: Sequence[Case], laws: np.ndarray, use: Callable[[Case], bool] = lambda _: True
) -> tuple[float, float]:
    """By how much left-out cases scatter more than their laws say: octet binaries, and others."""
    spreads = []
    for octet in (True, False):
        z = [
            (case.log_ratio - own) / deviation
            for case, (own, deviation, _) in zip(cases, laws, strict=True)
            if case.teaches and case.octet == octet and use(case)
        ]
        spreads.append(float(np.sqrt(np.mean(np.square(z)))) if len(z) >= 5 else 1.0)
    return spreads[0], spreads[1]


def left_out_process(
    cases: Sequence[Case], *, architecture: bool = False, given: Collection[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """What processes that never saw a case's like say of it.

    Parameters
    ----------
    cases : sequence of Case
    architecture : bool
        Whether other models of a case's architecture are left out as well.
    given : collection of str
        Keys of crystals whose cases with the model itself stay all the same.

    Returns
    -------
    ndarray, ndarray
        Both values and their standard deviations before they are scaled, shape (n, 2) both.
    """
    teachers = [case for case in cases if case.teaches]
    means, deviations = np.empty((len(cases), 2)), np.empty((len(cases), 2))
    for model in dict.fromkeys(case.model for case in cases):
        own = [k for k, case in enumerate(cases) if case.model == model]
        known = [
            each
            for each in teachers
            if not architecture
            or each.architecture != cases[own[0]].architecture
            or (each.model == model and each.row.key in given)
        ]
        process = process_of(known)
        counts = process.near(model)
        process = process.taking(counts)
        near = [each for each, kept in zip(known, counts, strict=True) if kept]
        groups: dict[tuple[str, str], list[int]] = {}
        for k in own:
            groups.setdefault(cases[k].group, []).append(k)
        for members in groups.values():
            stays = unseen(cases[members[0]], architecture=False)
            left_out = [
                not (stays(each) or (each.model == model and each.row.key in given))
                for each in near
            ]
            vectors = np.array([cases[k].vector for k in members])
            octet = [cases[k].octet for k in members]
            asked = process.without(np.array(left_out))
            means[members], deviations[members] = asked(vectors, model, octet)
    return means, deviations


def process_spreads(
    cases: Sequence[Case],
    means: np.ndarray,
    deviations: np.ndarray,
    use: Callable[[Case], bool] = lambda _: True,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """By how much left-out cases scatter more than stated; see :class:`ErrorProcess`."""
    z = (np.array([case.values for case in cases]) - means) / deviations
    asked = np.array([case.at_reference and use(case) for case in cases])
    octet = np.array([case.octet for case in cases])
    asked &= np.isfinite(z).all(axis=1)
    root, log = (
        [float(np.sqrt(np.mean(z[asked & kind, j] ** 2))) for kind in (octet, ~octet)]
        for j in range(2)
    )
    return (root[0], root[1]), (log[0], log[1])


def left_out_pools(
    cases: Sequence[Case],
    process: tuple[np.ndarray, np.ndarray],
    laws: np.ndarray,
    use: Callable[[Case], bool] = lambda _: True,
) -> tuple[np.ndarray, tuple[float, float]]:
    """What process and law say together of cases that neither saw.

    Parameters
    ----------
    cases : sequence of Case
    process : tuple of ndarray
        Of :func:`left_out_process`.
    laws : ndarray, shape (n, 3)
        Of :func:`left_out_laws`.
    use : callable
        Which cases tell by how much others scatter more than stated, and what no factor mends.

    Returns
    -------
    pools : ndarray, shape (n, 2)
        Square root of the relative error, and its standard deviation before it is scaled.
    spreads : tuple of 2 float
        By how much octet binaries, and others, scatter more than that says.
    """
    means, deviations = process
    (of_process, _) = process_spreads(cases, means, deviations, use)
    of_laws = law_spreads(cases, laws, use)
    mismatches = mismatches_of(case for case in cases if use(case))
    pools, spreads = np.empty((len(cases), 2)), []
    for k, case in enumerate(cases):
        kind = 0 if case.octet else 1
        own, deviation, _ = laws[k].tolist()
        law = root_error(*softening(own, of_laws[kind] * deviation), mismatches)
        pools[k] = pooled((float(means[k, 0]), float(deviations[k, 0] * of_process[kind])), law)
    for octet in (True, False):
        asked = [k for k, c in enumerate(cases) if c.teaches and c.octet == octet and use(c)]
        z = [(cases[k].values[0] - pools[k, 0]) / pools[k, 1] for k in asked]
        spreads.append(float(np.sqrt(np.mean(np.square(z)))) if len(z) >= 5 else 1.0)
    return pools, (spreads[0], spreads[1])
