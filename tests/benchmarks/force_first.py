"""How well force errors are bounded from the first use of a model on, as JSON.

    python tests/benchmarks/force_first.py
    python tests/benchmarks/force_first.py --make MPTRJ.xyz HIGH_STRESS.xyz OTHER_TP.xyz \\
        --store FOLDER

The bound of each model is made as at its first use, of the thirty labelled frames of the doctor,
and scored on all other compounds of three sets. Its form (how sizes of errors depend on the force
and on unfamiliar surroundings, and the probability of the alarm) is the best of a grid for the
models of the other architectures; `as shipped` has the form of the package, which saw all of them.
The second command makes the table from stored evaluations (force_table.py --store); a model whose
evaluation is missing is left out.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from force_error import LIMIT, alarm_of_geometries, coverage, with_intervals

from platonic_ase.calibrate.evaluation import EvaluationSet
from platonic_ase.calibrate.labelled import read_labelled
from platonic_ase.crystals.groups import group_of
from platonic_ase.doctor.frames import labelled_frames
from platonic_ase.models.first_look import EvaluatedFrame
from platonic_ase.monitor.error_scale import unfamiliarity, widths
from platonic_ase.monitor.first_bound import FIRST_ALARM, FORM, Form, first_force_bound
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.folders import file_stem, packaged_folder

TABLE = Path(__file__).with_name("force_first.safetensors")
MODELS = (
    "chgnet-0.3.0", "chgnet-0.2.0", "7net-0", "7net-l3i5", "7net-mf-0:PBE", "nequix-mp-1",
    "tensornet-matpes-pbe-v2025.1-pes",
)  # fmt: skip
KINDS = ("in kind", "high stress", "other T and p")
POWERS, ONSETS, GROWTHS = (0.4, 0.5, 0.6, 0.7, 0.8), (0.5, 0.7, 1.0, 1.4), (0.5, 1.0, 1.5, 2.0)
FORMS = tuple(Form(*each) for each in product(POWERS, ONSETS, GROWTHS))
ALARMS = np.round(np.arange(0.1, 0.5, 0.01), 2)
CONSTANT = Form(power=1e-9, onset=1e9, growth=1.0)
VARIANTS = {
    "as shipped": FORM,
    "force alone": Form(FORM.power, 1e9, 1.0),
    "one bound for all atoms": CONSTANT,
}


def architecture(model: str) -> str:
    return model.split("-")[0]


@dataclass(frozen=True)
class Model:
    """Atoms of all frames of a model, but for the compounds that its bounds are made of."""

    anchors: AnchorSet
    frames: list[EvaluatedFrame]
    errors: np.ndarray
    forces: np.ndarray
    unfamiliar: np.ndarray
    structures: np.ndarray
    kinds: np.ndarray
    compounds: np.ndarray

    def judged(self, form: Form) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each structure: atoms within the bound, largest probability, largest error."""
        bound = first_force_bound(self.anchors, self.frames, form)
        width = widths(self.unfamiliar, bound.scale.reach, form.growth)
        sizes = bound.scale.at(self.forces, np.zeros((len(width), bound.scale.mean.size)), width)
        within = np.bincount(self.structures, self.errors <= bound.bounds(sizes))
        likely, worst = np.zeros((2, len(self.kinds)))
        np.maximum.at(likely, self.structures, bound.probabilities(sizes, LIMIT))
        np.maximum.at(worst, self.structures, self.errors)
        return within, likely, worst

    @property
    def atoms(self) -> np.ndarray:
        return np.bincount(self.structures)


def read_model(name: str, paths: Sequence[Path], store: Path) -> Model | None:
    """Stored evaluations of a model; None where one is missing."""
    files = [store / f"{name.replace(':', '_')}-{path.stem}.safetensors" for path in paths]
    if not all(file.exists() for file in files):
        return None
    evaluated = [EvaluationSet.load(file) for file in files]
    labelled = [read_labelled([path]) for path in paths]
    packaged = packaged_folder() / f"{file_stem(evaluated[0].identity)}.anchors.safetensors"
    anchors = AnchorSet.load(packaged)
    wanted = {atoms.info["mptrj"] for atoms in labelled_frames()}
    frames, rest = [], []
    for kind, (found, known) in enumerate(zip(evaluated, labelled, strict=True)):
        owners = found.embedded.structures
        for k in np.unique(owners):
            atoms, label, own = known.structures[k], known.forces[k], owners == k
            if label is None:
                continue
            seen = EvaluatedFrame(atoms, label, found.forces[own], found.embedded.embeddings[own])
            if atoms.info.get("mptrj_snapshot_id") in wanted:
                frames.append(seen)
            else:
                rest.append((kind, group_of(atoms), seen))
    used = {group_of(frame.atoms) for frame in frames}
    rest = [each for each in rest if each[1] not in used]
    scale = first_force_bound(anchors, frames).scale
    return Model(
        anchors=anchors,
        frames=frames,
        errors=np.concatenate([np.linalg.norm(f.forces - f.labels, axis=1) for *_, f in rest]),
        forces=np.concatenate([f.forces for *_, f in rest]),
        unfamiliar=np.concatenate(
            [unfamiliarity(scale.distances(f.embeddings, f.atoms.numbers)) for *_, f in rest]
        ),
        structures=np.repeat(np.arange(len(rest)), [len(f.atoms) for *_, f in rest]),
        kinds=np.array([kind for kind, *_ in rest]),
        compounds=np.unique([group for _, group, _ in rest], return_inverse=True)[1],
    )


def choose(models: dict[str, Model], judged: dict[tuple[str, Form], tuple]) -> tuple[Form, float]:
    """The form whose coverage is nearest to 0.9, and the alarm of the best worse rate."""

    def mean(value: dict[str, float]) -> float:
        names = sorted({architecture(name) for name in value})
        own = [[v for name, v in value.items() if architecture(name) == each] for each in names]
        return float(np.mean([np.mean(each) for each in own]))

    def miss(form: Form) -> float:
        found = {}
        for name, model in models.items():
            share = judged[name, form][0] / model.atoms
            kinds = [share[model.kinds == k].mean() for k in range(len(KINDS))]
            found[name] = float(np.abs(np.array(kinds) - 0.9).mean())
        return mean(found)

    form = min(FORMS, key=miss)

    def worse_rate(alarm: float) -> float:
        found = {}
        for name in models:
            _, likely, worst = judged[name, form]
            rates = alarm_of_geometries(worst, likely, alarm)
            found[name] = min(rates["precision"], rates["recall"])
        return mean(found)

    return form, float(max(ALARMS, key=worse_rate))


def make(paths: Sequence[Path], store: Path) -> None:
    """Write the table."""
    models = {name: read_model(name, paths, store) for name in MODELS}
    models = {name: model for name, model in models.items() if model is not None}
    judged = {(name, form): model.judged(form) for name, model in models.items() for form in FORMS}
    arrays, header = {}, {"models": [*models], "kinds": KINDS, "chosen": {}}
    for name, model in models.items():
        others = {n: m for n, m in models.items() if architecture(n) != architecture(name)}
        form, alarm = choose(others, judged)
        header["chosen"][name] = {**vars(form), "alarm": alarm}
        arrays[f"{name} atoms"] = model.atoms.astype(np.int16)
        arrays[f"{name} kind"] = model.kinds.astype(np.uint8)
        arrays[f"{name} compound"] = model.compounds.astype(np.int16)
        arrays[f"{name} worst error"] = judged[name, form][2].astype(np.float16)
        for variant, each in {"left out": form, **VARIANTS}.items():
            within, likely, _ = model.judged(each)
            arrays[f"{name} within, {variant}"] = within.astype(np.int16)
            arrays[f"{name} likely, {variant}"] = np.round(255 * likely).astype(np.uint8)
    form, alarm = choose(models, judged)
    header["chosen by all"] = {**vars(form), "alarm": alarm}
    write_arrays(TABLE, "force_first_table", arrays, header)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--make", nargs=3, type=Path, metavar="FILE.xyz")
    parser.add_argument("--store", type=Path, default=Path("evaluations"))
    given = parser.parse_args(arguments)
    if given.make:
        make(given.make, given.store)
    arrays, header = read_arrays(TABLE, "force_first_table")
    result = {name: header[name] for name in ("chosen by all", "chosen")}
    for name in header["models"]:
        own = {
            key.removeprefix(f"{name} "): each.astype(float)
            for key, each in arrays.items()
            if key.startswith(f"{name} ")
        }
        result[name] = {}
        for variant in ("left out", *VARIANTS):
            left_out = variant == "left out"
            alarm = round(255 * (header["chosen"][name]["alarm"] if left_out else FIRST_ALARM))
            scores = {}
            for k, kind in enumerate([*KINDS, "pooled"]):
                part = own["kind"] == k if k < len(KINDS) else own["kind"] >= 0
                compound = own["compound"][part]
                within, atoms = own[f"within, {variant}"][part], own["atoms"][part]
                scores[kind] = with_intervals(coverage, (within, atoms), compound)
                worst, likely = own["worst error"][part], own[f"likely, {variant}"][part]
                scores[kind]["alarm of geometries"] = with_intervals(
                    lambda w, p, alarm=alarm: alarm_of_geometries(w, p, alarm),
                    (worst, likely),
                    compound,
                )
            result[name][variant] = scores
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
