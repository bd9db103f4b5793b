"""How well imaginary modes are foretold, and told from real ones, as JSON.

    python tests/benchmarks/phonon_spurious.py [--resamples 1000]

`before diagonalisation`: will a crystal that is stable in truth get imaginary modes? All cases of
phonon_universal.py, architecture, anion and prototype left out. Everything else: are those that a
model has real?

Truth: whether nequix-mp-1-pft finds the crystal stable, for the 340 that it does
(phonon_any.json) and the 72 that it does not (phonon_unstable.json); layers are left out. Every
case is told by odds, and by a law of stiffness, that saw no model of its architecture, no crystal
of its anion and, beyond rocksalt, zincblende and wurtzite, none of its prototype; in the second
state of knowledge, other crystals with models of its architecture were seen.

`all cases` asks of every crystal with every model whether the spectrum has spurious imaginary
modes: a spectrum without any has none. Baselines: how deep the modes are, how much of the spectrum
they are, the bare stiffness excess, and whether another model has imaginary modes as well.
Intervals are of 95 %, from resampling compounds with the predictions fixed.
"""

import argparse
import json
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from phonon_risk import TABLE, Resampler
from phonon_universal import ANY, BEYOND, rounded

from platonic_ase.phonons.left_out import left_out_laws, unseen
from platonic_ase.phonons.odds import of_forces, of_spectrum
from platonic_ase.phonons.packaging import judged_cases, universal_cases
from platonic_ase.phonons.scores import auroc
from platonic_ase.phonons.spectrum import IMAGINARY
from platonic_ase.phonons.table import read_phonon_table
from platonic_ase.phonons.universal_fit import Case, fit_before, fit_spurious

UNSTABLE = ANY.with_name("phonon_unstable.json")
OTHERS = ("chgnet-0.3.0", "7net-0", "tensornet-matpes-pbe-v2025.1-pes")
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def before(cases: Sequence[Case], laws: np.ndarray) -> dict[str, object]:
    """Imaginary modes of stable crystals, the architecture, anion and prototype left out."""
    labels = np.array([case.row.imaginary for case in cases])
    octet = np.array([case.octet for case in cases])
    stated, odds = np.full(len(cases), np.nan), {}
    for k, case in enumerate(cases):
        key = (case.architecture, *case.group, case.octet)
        if key not in odds:
            kept = unseen(case)
            known = [j for j, c in enumerate(cases) if c.octet == case.octet and kept(c)]
            odds[key] = fit_before([cases[j] for j in known], laws[known, 0])
        said = odds[key](of_forces(case.row.features.force_odds, float(laws[k, 0])))
        stated[k] = math.nan if said is None else said
    bare = -np.array([case.row.features.force_odds for case in cases])
    alarms = stated >= 0.5
    return {
        "imaginary": int(labels.sum()),
        "auroc": rounded(auroc(labels, stated)),
        "auroc_octet_binaries": rounded(auroc(labels[octet], stated[octet])),
        "auroc_beyond_octet_binaries": rounded(auroc(labels[~octet], stated[~octet])),
        "auroc_force_odds_alone": rounded(auroc(labels, bare)),
        "alarms": int(alarms.sum()),
        "right_of_these": rounded(labels[alarms].mean()),
        "found": rounded(alarms[labels].mean()),
        "stated_and_happened": [
            [int(b.sum()), rounded(stated[b].mean()), rounded(labels[b].mean())]
            for low, high in pairwise((0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 1.01))
            if (b := (low <= stated) & (stated < high)).any()
        ],
    }


def left_out(cases: Sequence[Case], own: np.ndarray, *, architecture: bool) -> np.ndarray:
    """Probabilities by odds that never saw a case's like, shape (n,)."""
    odds, found = {}, np.full(len(cases), np.nan)
    for k, case in enumerate(cases):
        key = (case.architecture if architecture else "", *case.group)
        if key not in odds:
            kept = unseen(case, architecture=architecture)
            known = [j for j, each in enumerate(cases) if kept(each)]
            odds[key] = fit_spurious([cases[j] for j in known], own[known])
        probability = odds[key](of_spectrum(case.lowest, float(own[k])))
        found[k] = math.nan if probability is None else probability
    return found


def score(cases: Sequence[Case], probabilities: np.ndarray, resamples: int) -> dict[str, object]:
    """Scores of cases with imaginary modes."""
    spurious = np.array([case.row.imaginary for case in cases])
    resample = Resampler(tuple(case.row.formula for case in cases), resamples)
    share = np.array([(np.array(case.row.quantiles) < IMAGINARY).mean() for case in cases])
    base = spurious.mean()
    inside = [(probabilities >= a) & (probabilities < b) for a, b in pairwise(BINS)]
    certain = np.abs(probabilities - 0.5) > 0.3
    return {
        "cases": len(cases),
        "spurious": int(spurious.sum()),
        "auroc": resample(auroc, spurious, probabilities),
        "auroc_depth_alone": resample(auroc, spurious, np.array([c.lowest for c in cases])),
        "auroc_share_of_spectrum_alone": resample(auroc, spurious, -share),
        "auroc_stiffness_excess_alone": resample(
            auroc, spurious, -np.array([c.row.features.stiffness_excess for c in cases])
        ),
        "log_loss": rounded(_log_loss(spurious, probabilities)),
        "log_loss_of_the_share": rounded(_log_loss(spurious, np.full(len(cases), base))),
        "stated_and_happened": [
            [int(b.sum()), rounded(probabilities[b].mean()), rounded(spurious[b].mean())]
            for b in inside
            if b.any()
        ],
        "said_below_0.2_or_above_0.8": rounded(certain.mean()),
        "right_of_these": rounded(((probabilities > 0.5) == spurious)[certain].mean()),
        "by_model": {
            model: {
                "cases": int(own.sum()),
                "stated": rounded(probabilities[own].mean()),
                "happened": rounded(spurious[own].mean()),
                "auroc": rounded(auroc(spurious[own], probabilities[own])),
            }
            for model in sorted({case.model for case in cases})
            if (own := np.array([case.model == model for case in cases])).any()
        },
    }


def _log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    return float(-np.log(np.where(labels, probabilities, 1 - probabilities)).mean())


def second_model(
    cases: Sequence[Case], probabilities: np.ndarray, everything: Sequence[Case], resamples: int
) -> dict[str, object]:
    """Whether another architecture has imaginary modes as well, where it computed the crystal."""
    unstable = {(case.model, case.row.key): case.unstable for case in everything}
    scores: dict[str, object] = {}
    for other in OTHERS:
        kept = [
            k
            for k, case in enumerate(cases)
            if (other, case.row.key) in unstable and other.split("-")[0] != case.architecture
        ]
        spurious = np.array([cases[k].row.imaginary for k in kept])
        alone = np.array([float(not unstable[other, cases[k].row.key]) for k in kept])
        resample = Resampler(tuple(cases[k].row.formula for k in kept), resamples)
        scores[other] = {
            "cases": len(kept),
            "auroc_of_its_view": resample(auroc, spurious, alone),
            "auroc": resample(auroc, spurious, probabilities[kept]),
            "spurious_where_it_has_none": rounded(spurious[alone == 1].mean()),
            "spurious_where_it_has_some": rounded(spurious[alone == 0].mean()),
        }
    return scores


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resamples", type=int, default=1000)
    resamples = parser.parse_args(arguments).resamples
    beyond, anything, dft, unstable = (
        read_phonon_table(path) for path in (BEYOND, ANY, TABLE, UNSTABLE)
    )
    judged = judged_cases(anything, unstable)
    asked = [c for c in universal_cases([anything, unstable]) if c.at_reference]
    real = {c.row.key for c in universal_cases([unstable])}
    old, bulk = universal_cases([beyond, dft]), universal_cases([beyond, anything, dft])
    own = left_out_laws(old, bulk, judged)[:, 0]
    reference = [case for case in bulk if case.at_reference]
    result: dict[str, object] = {
        "before diagonalisation": before(reference, left_out_laws(old, bulk, reference)),
        "crystals": len({c.row.key for c in asked}),
        "unstable": len(real),
        "of_these_seen_by_model": {
            model: [
                sum(c.unstable for c in asked if c.model == model and c.row.key in real),
                sum(c.model == model and c.row.key in real for c in asked),
            ]
            for model in sorted({c.model for c in asked})
        },
    }
    for name, architecture in (("unknown model", True), ("model in the calibration", False)):
        probabilities = left_out(judged, own, architecture=architecture)
        found = {
            (c.model, c.row.key): p for c, p in zip(judged, probabilities.tolist(), strict=True)
        }
        labels = np.array([c.row.imaginary for c in asked])
        said = np.array([found.get((c.model, c.row.key), 0.0) for c in asked])
        resample = Resampler(tuple(c.row.formula for c in asked), resamples)
        result[name] = {
            "with imaginary modes": score(judged, probabilities, resamples),
            "all cases": {
                "cases": len(asked),
                "spurious": int(labels.sum()),
                "auroc": resample(auroc, labels, said),
                "auroc_lowest_frequency_alone": resample(
                    auroc, labels, -np.array([c.lowest for c in asked])
                ),
            },
            "second model": second_model(judged, probabilities, asked, resamples),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
