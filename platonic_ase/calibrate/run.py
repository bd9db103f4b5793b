"""Calibration of a model: anchors, reference, force bound and phonon risk, in one folder.

Each part is written when it is done; what was computed stays in ``FOLDER/work``, so that the same
call goes on after a kill. The folder is what ``PlatonicCalculator(..., calibration=FOLDER)`` reads.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.calibrate.evaluate import evaluate_structures, structures_digest
from platonic_ase.calibrate.force_fit import growth_beyond
from platonic_ase.calibrate.force_scores import bounds_left_out
from platonic_ase.calibrate.forces import build_force_bound, force_errors
from platonic_ase.calibrate.label_crystals import taught
from platonic_ase.calibrate.labelled import LabelledFrames, read_labelled, require_enough
from platonic_ase.calibrate.materials import Material, read_materials
from platonic_ase.calibrate.phonon_pack import build_phonon_risk, lessons
from platonic_ase.calibrate.quick import quick_phonon_risk
from platonic_ase.calibrate.report import write_force_bound
from platonic_ase.crystals.pool import generate_pool
from platonic_ase.errors import CalibrationError
from platonic_ase.models import Encoder, find_encoder
from platonic_ase.models.default_anchors import GENERATED, find_anchors
from platonic_ase.models.default_reference import known_structures, reference_of
from platonic_ase.monitor.force_bound import LEVEL, ForceBound
from platonic_ase.phonons.estimate import Z90
from platonic_ase.phonons.packs import QUICK
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.phonons.universal import UniversalRisk
from platonic_ase.runs.embed import embed_structures
from platonic_ase.runs.placement import HERE, Placement
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.embeddings import EmbeddingSet
from platonic_ase.space.folders import POOL_SEED, file_stem
from platonic_ase.space.reference import ReferenceManifold

PathLike = str | os.PathLike[str]

logger = logging.getLogger("platonic_ase")

CRYSTALS = 60
"""Of a teacher, by default."""
FEWEST_FRAMES = 99
"""Fewer cannot show whether a level of 90 % is kept."""
FEWEST_BEYOND = 20
"""Of another kind."""


@dataclass(frozen=True)
class Calibration:
    """What was made for a model; None where it was not asked for.

    Attributes
    ----------
    folder : Path
    anchors : AnchorSet
    reference : ReferenceManifold or None
    force_bound : ForceBound or None
    phonon_risk : PhononRisk, UniversalRisk or None
    report : Path or None
        HTML page about the force bound.
    """

    folder: Path
    anchors: AnchorSet
    reference: ReferenceManifold | None = None
    force_bound: ForceBound | None = None
    phonon_risk: PhononRisk | UniversalRisk | None = None
    report: Path | None = None

    def describe(self) -> str:
        """What there is and how good it is on what was left out, a line each."""
        lines = [f"calibration of {self.anchors.identity.model} in {self.folder}"]
        if self.reference is not None:
            made = self.reference.provenance
            lines.append(
                f"reference: {len(self.reference)} environments, from {made['environments']} in "
                f"{made['structures']} structures"
            )
        else:
            lines.append(
                "reference: none of its own (some 500 structures, or the generated ones, are "
                "needed); the model's default serves"
            )
        if self.force_bound is not None:
            lines.append(f"force bound: {_describe_bound(self.force_bound)}")
        if isinstance(self.phonon_risk, UniversalRisk):
            means, deviations = self.phonon_risk.process.base(self.phonon_risk.model)
            offset, reach = float(means[1]), Z90 * float(deviations[1])
            lines.append(
                f"phonon risk: {self.phonon_risk.name}; its frequencies are "
                f"{math.exp(offset):.3f} of the true ones, {math.exp(offset - reach):.2f} to "
                f"{math.exp(offset + reach):.2f} in nine crystals of ten"
            )
        elif self.phonon_risk is not None:
            scores = dict(self.phonon_risk.provenance["scores"])
            caveat = scores.pop("left_out")
            said = ", ".join(f"{name} {value}" for name, value in scores.items())
            lines.append(f"phonon risk: {self.phonon_risk.name}; {said} (left out: {caveat})")
        if self.report is not None:
            lines.append(f"report: {self.report}")
        return "\n".join(lines)


def calibrate(
    calculator: Any,
    folder: PathLike,
    *,
    data: Sequence[PathLike] = (),
    beyond: Sequence[PathLike] = (),
    forces_key: str | None = None,
    source: str = "",
    generated: bool = True,
    spectra: PathLike | None = None,
    teacher: Any = None,
    crystals: int = CRYSTALS,
    layer: str | None = None,
    level: float = LEVEL,
    quick: bool = False,
    placement: Placement = HERE,
    progress: bool = True,
) -> Calibration:
    """Make the calibration of a model.

    Parameters
    ----------
    calculator : ase calculator
    folder : path-like
        For the result; it may hold calibrations of other models.
    data : sequence of path-like
        Structures with DFT forces, for the force bound and the reference manifold.
    beyond : sequence of path-like
        Structures of other kinds with DFT forces, a file a kind: hotter ones, or squeezed ones. The
        force bound learns from them how errors grow beyond ``data``; without them they are taken
        to grow as those of other models do. They are in no reference.
    forces_key : str, optional
        See :func:`~platonic_ase.calibrate.labelled.read_labelled`.
    source : str
        Where the data come from and under which licence; recorded.
    generated : bool
        Whether the generated crystals are part of the reference manifold.
    spectra : path-like, optional
        DFT phonon spectra, for the phonon risk; see
        :func:`~platonic_ase.calibrate.materials.read_materials`.
    teacher : ase calculator, optional
        A better model, whose spectra of generated crystals, and whose forces of data without
        labels, stand for the truth.
    crystals : int
        How many of them at most.
    layer : str, optional
        Layer to read; the encoder's first by default.
    level : float
        Share of atoms that the force bound is to cover.
    quick : bool
        Whether to find the errors of the model's phonons on fifteen shipped crystals, in minutes;
        the reference of generated crystals is then left out.
    placement : Placement
        Where the model runs: in this process by default, or over Dask. The calculator is pickled
        once for each worker.
    progress : bool
        Whether to show progress bars.

    Raises
    ------
    CalibrationError
        If labels are missing, or too few. Data are checked before the model is run.
    StructureError, SpaceFileError
        If a file is missing or broken.
    """
    if not 0 < level < 1:
        raise CalibrationError(f"level = {level}; a number between 0 and 1 is needed")
    if spectra is not None and teacher is not None:
        raise CalibrationError("both spectra and a teacher were given; one of the two is needed")
    if quick and (spectra is not None or teacher is not None):
        raise CalibrationError(
            "a quick calibration brings its own spectra: give neither spectra nor a teacher with it"
        )
    frames = read_labelled(data, forces_key) if data else None
    if frames is not None:
        require_enough(frames, FEWEST_FRAMES, taught=teacher is not None)
    elif beyond:
        raise CalibrationError(
            "structures of other kinds were given, but none that a force bound is fitted to; give "
            "those as data (--data)"
        )
    kinds = {Path(path).stem: read_labelled([path], forces_key) for path in beyond}
    if len(kinds) < len(beyond):
        raise CalibrationError(
            f"{len(beyond)} files of other kinds are named {', '.join(kinds)}; give each a name of "
            "its own, or join what is of one kind"
        )
    for name, kind in kinds.items():
        if len(kind.labelled) < FEWEST_BEYOND:
            raise CalibrationError(
                f"{len(kind.labelled)} of {len(kind.structures)} frames of {name} have forces; at "
                f"least {FEWEST_BEYOND} are needed to say how errors grow there. Add frames, or "
                "name the array with the forces (--forces-key)."
            )
    materials = None if spectra is None else read_materials(spectra)

    encoder, folder = find_encoder(calculator, layer), Path(folder)
    stem, work = file_stem(encoder.identity), folder / "work"
    anchors = find_anchors(encoder, calibration=folder, progress=progress)
    anchors.save(folder / f"{stem}.anchors.safetensors")
    result = Calibration(folder, anchors)
    parts: list[tuple[EmbeddingSet, Sequence[Any]]] = []
    origins = []
    if frames is not None:
        path = work / f"{stem}.frames.safetensors"
        evaluated = evaluate_structures(
            encoder, frames.structures, path, placement=placement, progress=progress
        )
        parts.append((evaluated.embedded, frames.structures))
        origins.append(source or ", ".join(Path(each).name for each in data))
        labels, truth = _labels(frames, origins[0], teacher, work, placement, progress)
        table = force_errors(evaluated, frames.structures, labels, anchors)
        others = {}
        for name, kind in kinds.items():
            path = work / f"{stem}.beyond-{name}.safetensors"
            found = evaluate_structures(
                encoder, kind.structures, path, placement=placement, progress=progress
            )
            others[name] = force_errors(found, kind.structures, kind.forces, anchors)
        growth = growth_beyond(table, list(others.values()), level)
        left_out = bounds_left_out(table, level=level, growth=growth, progress=progress)
        bound = build_force_bound(
            table, anchors, truth, left_out, level=level, growth=growth, beyond=others
        )
        bound.save(folder / f"{stem}.forces.safetensors")
        report = write_force_bound(bound, table, left_out["compounds"], folder / f"{stem}.html")
        result = replace(result, force_bound=bound, report=report)
    if generated and not quick:
        pool = known_structures(encoder, generate_pool(seed=POOL_SEED))
        path = work / f"{stem}.generated.safetensors"
        made_of = {"structures": len(pool), "sha256": structures_digest(pool)}
        embedded = embed_structures(
            encoder, pool, path, source=made_of, placement=placement, progress=progress
        )
        parts.insert(0, (embedded, pool))
        origins.insert(0, GENERATED)
    if parts:
        try:
            reference = reference_of(anchors, parts, "; ".join(origins))
        except ValueError as error:
            logger.warning("no reference manifold of one's own: %s", error)
        else:
            reference.save(folder / f"{stem}.reference.safetensors")
            result = replace(result, reference=reference)
    if teacher is not None:
        materials = _taught(teacher, encoder, crystals, work, placement, progress)
    if quick:
        watched = _watched(calculator, layer, anchors)
        known = quick_phonon_risk(
            watched, work / f"{stem}.quick", placement=placement, progress=progress
        )
        known.save(folder / f"{stem}.{QUICK}.safetensors")
        result = replace(result, phonon_risk=known)
    if materials is not None:
        watched = _watched(calculator, layer, anchors)
        risk = build_phonon_risk(
            watched, materials, work / f"{stem}.phonons", placement=placement, progress=progress
        )
        risk.save(folder / f"{stem}.phonons.safetensors")
        result = replace(result, phonon_risk=risk)
    return result


def _labels(
    frames: LabelledFrames,
    source: str,
    teacher: Any,
    work: Path,
    placement: Placement,
    progress: bool,
) -> tuple[Sequence[np.ndarray | None], str]:
    """True forces of the frames, or those of the teacher, and where they come from."""
    if frames.labelled:
        return frames.forces, source
    encoder = find_encoder(teacher)
    path = work / f"{file_stem(encoder.identity)}.teacher.safetensors"
    lesson = evaluate_structures(
        encoder, frames.structures, path, placement=placement, progress=progress
    )
    owners = lesson.embedded.structures
    labels = [
        lesson.forces[owners == k] if k not in lesson.embedded.failures else None
        for k in range(len(frames.structures))
    ]
    return labels, f"{source}, forces of {encoder.identity.model}, a teacher, not of DFT"


def _taught(
    teacher: Any, pupil: Encoder, crystals: int, work: Path, placement: Placement, progress: bool
) -> list[Material]:
    encoder = find_encoder(teacher)
    known = [each.elements for each in (pupil, encoder) if each.elements is not None]
    asked = lessons(crystals, frozenset.intersection(*map(frozenset, known)) if known else None)
    watched = _watched(teacher, None, find_anchors(encoder, progress=progress))
    return taught(
        watched,
        asked,
        work / f"{file_stem(encoder.identity)}.phonons",
        placement=placement,
        progress=progress,
    )


def _watched(calculator: Any, layer: str | None, anchors: AnchorSet) -> PlatonicCalculator:
    return PlatonicCalculator(
        calculator,
        layer=layer,
        anchors=anchors,
        on_warning="ignore",
        phonon_risk=None,
        force_bound=None,
    )


def _describe_bound(bound: ForceBound) -> str:
    known = bound.provenance["left_out"]["compounds"]
    low, high = known["coverage_interval"]
    elsewhere = "".join(
        f"; of {name}, not learnt from, {100 * score['coverage']:.1f} %"
        for name, score in bound.provenance["beyond"].items()
    )
    return (
        f"{bound.name}; of compounds left out it covers {100 * known['coverage']:.1f} % "
        f"[{100 * low:.1f}, {100 * high:.1f}], aimed at {100 * bound.level:g} %; median bound "
        f"{known['median_bound_eV_per_A']:.3f} eV/Å, {known['median_ratio']:.2f} times the median "
        f"error{elsewhere}"
    )
