"""A cubic perovskite, relaxed at fixed symmetry, in a 2x2x2 cell: where MD of a transition starts.

python tests/benchmarks/symmetry_transition.py Cs Pb I 6.3 cubic.extxyz [--model chgnet-0.3.0]
platonic-ase md cubic.extxyz --ideal cubic.extxyz -c chgnet-0.3.0 -t 50 --timestep 10 -n 600 --seed 1
"""  # noqa: E501

import argparse
from pathlib import Path

from ase.spacegroup import crystal

from platonic_ase import PlatonicCalculator
from platonic_ase.models import load_calculator
from platonic_ase.phonons.structure import relax_crystal


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("elements", nargs=3, help="A, B and X of ABX3")
    parser.add_argument("a", type=float, help="lattice constant to start from, Å")
    parser.add_argument("structure", type=Path, help="to write")
    parser.add_argument("--model", default="chgnet-0.3.0")
    options = parser.parse_args()
    sites = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]
    cell = [options.a] * 3 + [90] * 3
    atoms = crystal(options.elements, sites, spacegroup=221, cellpar=cell)
    calculator = PlatonicCalculator(load_calculator(options.model), on_warning="ignore")
    relax_crystal(atoms, calculator, relax=True, fmax=2e-3, steps=300)
    atoms.calc = None
    (atoms * (2, 2, 2)).write(options.structure)
    print(f"a = {atoms.cell.lengths()[0]:.4f} Å")


if __name__ == "__main__":
    main()
