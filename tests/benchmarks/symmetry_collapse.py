"""Do symmetry-equivalent atoms coincide? The collapse test on space-group-221 crystals, as JSON.

    python tests/benchmarks/symmetry_collapse.py [MPTRJ_FRAMES.xyz ...] [--models ...]

Crystals are the cubic perovskites, antiperovskites, rhenium trioxides and B2 compounds of
symmetry_crystals.json, generated, and those frames of the files that have space group 221 at
symprec 1 mÅ. An atom coincides if all atoms of its orbit are nearer than 10^-4 of the
root-mean-square distance of all atoms from their mean. Orbits of one atom do not count. Then an
error of known size is planted: each atom is displaced in a random direction of the space, and
the size is told from the scatter within orbits alone.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers
from ase.io import iread

from platonic_ase.crystals.building import build
from platonic_ase.models import find_encoder, load_calculator
from platonic_ase.models.default_reference import resolve_space
from platonic_ase.models.embed import embed_one
from platonic_ase.monitor.symmetry.orbits import find_orbits, symmetry_dataset
from platonic_ase.space.projection import project

CRYSTALS = Path(__file__).with_name("symmetry_crystals.json")
CUBIC = ("perovskite", "antiperovskite", "rhenium-trioxide", "b2")
SPACE_GROUP, SYMPREC, SAME = 221, 1e-3, 1e-4
PLANTED = (1e-3, 1e-2, 1e-1)


def generated():
    for crystal in json.loads(CRYSTALS.read_text(encoding="utf-8")):
        family, *elements = crystal["name"].split()
        if family in CUBIC:
            prototype = "perovskite" if family == "antiperovskite" else family
            numbers = [atomic_numbers[symbol] for symbol in elements]
            yield build(prototype, numbers, crystal["charges"], a=crystal.get("a"))


def from_files(paths):
    for path in paths:
        for atoms in iread(path):
            cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
            found = symmetry_dataset(cell, SYMPREC)
            if found is not None and found.number == SPACE_GROUP:
                yield atoms


def members_of(structures):
    """Atoms of each orbit of more than one, as indices into all atoms, one after another."""
    groups, start = [], 0
    for atoms in structures:
        labels = find_orbits(atoms, SYMPREC).labels
        groups += [
            start + np.flatnonzero(labels == orbit)
            for orbit in np.unique(labels)
            if (labels == orbit).sum() > 1
        ]
        start += len(atoms)
    return groups


def coincidence(points, groups):
    """Share of atoms that coincide with all of their orbit, and the worst relative distance."""
    size = np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean())
    farthest = np.concatenate(
        [
            np.linalg.norm(points[group, None] - points[None, group], axis=2).max(axis=1) / size
            for group in groups
        ]
    )
    return {
        "atoms": len(farthest),
        "coincide": round(float((farthest < SAME).mean()), 4),
        "largest_distance": float(farthest.max()),
    }


def scatter(points, groups):
    """Root-mean-square error of an atom, from the scatter about the means of orbits."""
    squares = sum(((points[g] - points[g].mean(axis=0)) ** 2).sum() for g in groups)
    return float(np.sqrt(squares / sum(len(g) - 1 for g in groups)))


def planted(points, groups, seed=0):
    """Recovered over planted, for errors as a share of the root-mean-square length."""
    rng = np.random.default_rng(seed)
    length = np.sqrt((points**2).sum(axis=1).mean())
    found = {}
    for size in PLANTED:
        error = rng.normal(size=points.shape)
        error *= size * length / np.linalg.norm(error, axis=1, keepdims=True)
        found[f"{size:g}"] = round(float(scatter(points + error, groups) / (size * length)), 3)
    return found


def measure(name, structures):
    encoder = find_encoder(load_calculator(name))
    anchors, _ = resolve_space(encoder, reference=None)
    kept, rows = [], []
    for atoms in structures:
        if encoder.elements is None or set(atoms.numbers.tolist()) <= set(encoder.elements):
            kept.append(atoms)
            rows.append(embed_one(encoder, atoms))
    groups = members_of(kept)
    raw = np.concatenate(rows).astype(float)
    platonic = project(raw, anchors.embeddings, anchors.centre).astype(float)
    return {
        "structures": len(kept),
        "raw": {**coincidence(raw, groups), "recovered_over_planted": planted(raw, groups)},
        "platonic": {
            **coincidence(platonic, groups),
            "recovered_over_planted": planted(platonic, groups),
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path, nargs="*")
    parser.add_argument("--models", nargs="+", default=["chgnet-0.3.0", "7net-0", "7net-l3i5"])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    structures = [*generated(), *from_files(options.frames)]
    found = {name: measure(name, structures) for name in options.models}
    for name, result in found.items():
        for space in ("raw", "platonic"):
            part = result[space]
            print(
                f"{name}, {space}: {part['coincide']:.4f} of {part['atoms']} atoms coincide, "
                f"at most {part['largest_distance']:.1e} apart; "
                f"recovered / planted {part['recovered_over_planted']}",
                file=sys.stderr,
            )
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
