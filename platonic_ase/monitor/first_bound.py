r"""A force bound at the first use of a model, from thirty small frames with DFT labels.

Models differ in how large their force errors are, hardly in how these depend on the force and on
how unfamiliar the surroundings are. So the form of the size of an error is that of all models,

.. math::

    s_i = (b + \|F_i\|)^\gamma \, \max\left(1, \frac{u_i}{r_0}\right)^p, \qquad
    b = 1 \, \mathrm{meV/Å}

(:mod:`~platonic_ase.monitor.error_scale`), with the unfamiliarity u from the nearest environments
of the frames and its unit from the frames themselves; and the frames, each of a compound of its
own, tell the ratios of errors to sizes. Their conformal quantile is the bound. The benchmarks say
what such bounds cover for models of left-out architectures.
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from platonic_ase.crystals.groups import group_of
from platonic_ase.models.first_look import EvaluatedFrame
from platonic_ase.monitor.error_scale import ErrorScale, unfamiliarity, widths
from platonic_ase.monitor.force_bound import (
    LEVEL,
    ForceBound,
    equidistant_quantiles,
    fewest_compounds,
)
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.folders import cache_folder, file_stem
from platonic_ase.space.neighbours import distances_to_other_groups
from platonic_ase.space.packs import resolve_pack
from platonic_ase.space.reference import NEIGHBOURS, conformal_quantile
from platonic_ase.space.stored import stored_in

logger = logging.getLogger("platonic_ase")

FIRST_ALARM = 0.33
"""Probability of a force error above the limit from which there is an alarm."""
_OTHER_LABELS = frozenset({"r2scan", "omol", "spice", "off", "off23", "off24", "wb97m"})
"""Words in the names of models with labels of another kind: their distance to PBE is no error."""
_LEVEL_POWER, _SMALL = 0.8, 5e-3  # force_levels.json of the benchmarks is made with these
_FLOOR = 1e-3
_RATIOS = 201
_SOURCE = "MPtrj, DFT-PBE, CC BY 4.0"


@dataclass(frozen=True)
class Form:
    """How the size of an error depends on the force and on unfamiliar surroundings.

    Attributes
    ----------
    power : float
        γ.
    onset : float
        r_0 over the median unfamiliarity of the frames.
    growth : float
        p.
    """

    power: float
    onset: float
    growth: float


FORM = Form(power=0.8, onset=0.7, growth=0.5)
"""The best of a grid for seven models, and for all but those of one of three architectures."""


class FirstBound:
    """Makes the force bound of a model at its first use, and keeps it in the cache.

    Attributes
    ----------
    bound : ForceBound or None
        None before the first use, and where the model knows too few of the frames.
    """

    bound: ForceBound | None = None

    def resolve(
        self,
        anchors: AnchorSet,
        given: ForceBound | str | os.PathLike[str] | None,
        calibration: str | os.PathLike[str] | None = None,
    ) -> ForceBound | None:
        """Turn what a user says of the force bound into one that fits the model.

        Parameters
        ----------
        anchors : AnchorSet
            In use; they know the model.
        given : ForceBound, path, None or "default"
            The default is the first stored one, and that of the first use without any.
        calibration : path-like, optional
            Folder of ``platonic-ase calibrate``, looked into first.

        Raises
        ------
        SpaceFileError, ModelMismatchError
            If a file is broken, or belongs to another model or other anchors.
        """
        found = resolve_pack(anchors, given, ForceBound, "forces", calibration=calibration)
        return self.bound if found is None and given is not None else found

    def __call__(self, anchors: AnchorSet, frames: Sequence[EvaluatedFrame]) -> None:
        """See :data:`~platonic_ase.models.default_reference.FirstUse`."""
        self.bound = first_force_bound(anchors, frames)
        if self.bound is None:
            return
        path = cache_folder() / f"{file_stem(anchors.identity)}.forces.safetensors"
        try:
            stored_in(self.bound, self.bound.save(path))
        except OSError as error:
            logger.warning("the force bound could not be cached (%s)", error)


def first_force_bound(
    anchors: AnchorSet, frames: Sequence[EvaluatedFrame], form: Form = FORM
) -> ForceBound | None:
    """Fit a bound to few frames; None unless they are of ten compounds.

    Parameters
    ----------
    anchors : AnchorSet
        They know the model. One that is named after another functional gets no bound.
    frames : sequence of EvaluatedFrame
    form : Form
    """
    model = anchors.identity.model
    groups = [group_of(frame.atoms) for frame in frames]
    other_labels = _OTHER_LABELS & set(re.split(r"[^a-z0-9]+", model.lower()))
    if other_labels or len(set(groups)) <= fewest_compounds(LEVEL):
        return None
    lengths = [len(frame.atoms) for frame in frames]
    structures = np.repeat(np.arange(len(frames)), lengths)
    compounds = np.unique(groups, return_inverse=True)[1][structures]
    embeddings = np.concatenate([frame.embeddings for frame in frames])
    numbers = np.concatenate([frame.atoms.numbers for frame in frames])
    forces = np.concatenate([frame.forces for frame in frames])
    labels = np.concatenate([frame.labels for frame in frames])
    errors = np.linalg.norm(forces - labels, axis=1)
    weights = 1 / np.bincount(compounds)[compounds]
    every = np.arange(len(numbers))
    distances = distances_to_other_groups(embeddings, numbers, compounds, every, NEIGHBOURS)
    unfamiliar = unfamiliarity(distances, structures)
    unit = float(equidistant_quantiles(unfamiliar, weights, 3)[1])
    k = anchors.axes.shape[0]
    scale = ErrorScale(
        intercept=0.0,
        floor=_FLOOR,
        power=form.power,
        mean=np.zeros(k),
        directions=np.zeros((k, 0)),
        coefficients=np.zeros(0),
        references=embeddings,
        reference_numbers=numbers,
        reach=max(form.onset * unit, 1e-12),
        growth=form.growth,
    )
    width = widths(unfamiliar, scale.reach, form.growth)
    ratios = errors / scale.at(forces, np.zeros((len(errors), k)), width)
    quantile = conformal_quantile(ratios, LEVEL, compounds)
    if not (math.isfinite(quantile) and quantile > 0):
        return None
    return ForceBound(
        name=f"{model}, {len(frames)} DFT-PBE frames at first use (MPtrj, CC BY 4.0)",
        scale=scale,
        quantile=quantile,
        level=LEVEL,
        ratios=equidistant_quantiles(ratios, weights, _RATIOS),
        elements=tuple(int(z) for z in np.unique(numbers)),
        identity=anchors.identity,
        anchors_digest=anchors.digest,
        alarm=FIRST_ALARM,
        force_level=force_level(errors, labels),
        provenance={
            "source": _SOURCE,
            "structures": len(frames),
            "atoms": len(errors),
            "compounds": len(set(groups)),
            "error": "length of the difference of the model's force and the label",
        },
    )


def force_level(errors: np.ndarray, labels: np.ndarray) -> float:
    """How large force errors are, beside the forces: L of :mod:`~platonic_ase.phonons.levels`.

    Parameters
    ----------
    errors : ndarray, shape (n,)
        eV/Å.
    labels : ndarray, shape (n, 3)
        DFT forces, eV/Å.
    """
    sizes = (np.linalg.norm(labels, axis=1) + _SMALL) ** _LEVEL_POWER
    return float(np.exp(np.log((errors + _SMALL) / sizes).mean()))
