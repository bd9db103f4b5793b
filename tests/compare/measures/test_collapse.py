"""Symmetry-equivalent atoms coincide in the space of an invariant model, as in the paper."""

import numpy as np
import pytest
from ase import Atoms

from platonic_ase import OrbitSplitting, PlatonicCalculator
from platonic_ase.monitor.symmetry.orbits import find_orbits

SITES = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
PEROVSKITES = (("Ba", "Zr", "O", 4.2), ("K", "Mg", "F", 4.0), ("Cs", "Pb", "I", 6.3))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "package"), [("chgnet-0.3.0", "chgnet"), ("7net-0", "sevenn")])
def test_equivalent_atoms_of_perovskites_coincide(name, package):
    pytest.importorskip(package)
    from platonic_ase.models import load_calculator

    calc = PlatonicCalculator(
        load_calculator(name), diagnostics=[OrbitSplitting()], reference=None, progress=False
    )
    gaps = {"raw": [], "platonic": []}
    for *elements, anion, a in PEROVSKITES:
        cube = Atoms([*elements, *3 * [anion]], scaled_positions=SITES, cell=3 * [a], pbc=True)
        cube.rotate(33, (1, 2, 3), rotate_cell=True)
        orbits = find_orbits(cube)
        assert orbits.space_group == "Pm-3m (221)"
        calc.get_potential_energy(cube)
        for space, rows in (("raw", calc.embeddings), ("platonic", calc.platonic)):
            size = np.linalg.norm(rows - rows.mean(axis=0), axis=1).max()
            members = rows[orbits.labels == orbits.watched[0]]
            gaps[space] += (np.linalg.norm(members - members[0], axis=1)[1:] / size).tolist()
    for space, found in gaps.items():
        assert len(found) == 2 * len(PEROVSKITES)
        assert np.mean(np.array(found) < 1e-4) > 0.99, space
