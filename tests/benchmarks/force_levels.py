"""The force level of a model on the thirty labelled frames of the doctor, into force_levels.json.

    python tests/benchmarks/force_levels.py --calculator nequix-mp-1 [--weights nequix-mp-1.nqx]

What it means: platonic_ase/phonons/levels.py. A modal (7net-mf-0:PBE) is stored by the name of its
model, as the tables of phonons have it.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from platonic_ase.models import find_encoder, load_calculator
from platonic_ase.models.first_look import first_look
from platonic_ase.monitor.first_bound import force_level

TABLE = Path(__file__).with_name("force_levels.json")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calculator", required=True)
    parser.add_argument("--weights")
    given = parser.parse_args(arguments)
    calculator = load_calculator(given.calculator, device="cpu", model_path=given.weights)
    frames = first_look(find_encoder(calculator))
    labels = np.concatenate([frame.labels for frame in frames])
    forces = np.concatenate([frame.forces for frame in frames])
    level = force_level(np.linalg.norm(forces - labels, axis=1), labels)
    levels = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}
    levels[given.calculator.partition(":")[0]] = round(level, 4)
    TABLE.write_text(json.dumps(levels, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(levels, indent=1))


if __name__ == "__main__":
    main()
