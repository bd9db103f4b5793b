"""What comes out: the inner calculator's numbers, from one forward pass a geometry."""

from __future__ import annotations

import itertools

import numpy as np
from ase.calculators.calculator import PropertyNotImplementedError
from ase.constraints import FixAtoms
from ase.outputs import all_outputs

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.testing.calculator.tools import (
    Bare,
    Before,
    MakeAtoms,
    MakeCalculator,
    claimed,
    forwards,
    rattled,
    replaced,
)
from platonic_ase.testing.probes import FrameKeeper


def check_atoms_are_copied_first(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Copy the atoms before the inner calculation, so that a later change is seen."""
    calc, atoms = make(), rattled(make_atoms())
    atoms.calc = calc
    seen: list[np.ndarray] = []
    with replaced(calc.calculator, "calculate", Before(lambda: seen.append(_positions(calc)))):
        energy = atoms.get_potential_energy()
        assert calc.atoms is not atoms, "the calculator holds the user's atoms, not a copy"
        atoms.positions[0, 0] += 0.1
        moved = atoms.get_potential_energy()
    assert len(seen) == 2, f"{len(seen)} calculations for two geometries"
    assert np.array_equal(seen[1], atoms.positions), "atoms are copied after the calculation"
    assert energy != moved, "the energy of the first geometry is returned for the second"


def check_one_forward_per_geometry(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Run the model once per geometry, whatever is asked and in whatever order."""
    calc, atoms = make(), make_atoms()
    atoms.calc = calc
    delivered = Bare(make)(atoms)
    names = [name for name in claimed(calc) if name in delivered]
    for seed, order in enumerate(itertools.permutations(names)):
        atoms.positions = rattled(make_atoms(), seed=seed).positions
        with forwards(calc.encoder) as count:
            for name in (*order, *order):
                calc.get_property(name, atoms)
            atoms.get_potential_energy()
            atoms.get_forces()
        assert len(count) == calc.encoder.captures_per_forward, (
            f"{len(count)} forward passes for {', '.join(order)} of one geometry"
        )


def check_results_are_bit_identical(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Return the inner calculator's numbers to the last bit, in whatever order asked."""
    calc, bare = make(), Bare(make)
    delivered = bare(make_atoms())
    calc.get_property("energy", make_atoms())
    names = [name for name in claimed(calc) if name in delivered]
    for seed, order in enumerate(itertools.permutations(names)):
        atoms = rattled(make_atoms(), seed=seed)
        expected = bare(atoms)
        for name in order:
            value = calc.get_property(name, atoms)
            assert np.array_equal(value, expected[name]), f"{name} differs, asked in {order}"
            assert np.asarray(value).dtype == expected[name].dtype, f"{name} has another type"
        for name in expected.keys() & all_outputs.keys():
            assert name in calc.results, f"the inner calculator has {name}, the results lack it"
            assert np.array_equal(calc.results[name], expected[name]), f"{name} differs"


def check_results_are_copies(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Hand out arrays that a caller may change without changing what is remembered."""
    calc, atoms = make(), rattled(make_atoms())
    atoms.calc = calc
    before = atoms.get_forces().copy()
    atoms.get_forces()[:] += 1.0
    assert np.array_equal(atoms.get_forces(), before), "returned forces are the remembered ones"
    calc.calculator.results["forces"][:] += 1.0
    assert np.array_equal(atoms.get_forces(), before), "results are the inner calculator's arrays"


def check_inner_state_is_asked(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Recalculate when the inner calculator reports a change of its own, such as a charge."""
    calc, atoms = make(), rattled(make_atoms())
    atoms.calc = calc
    inner = calc.calculator
    changed: list[str] = []
    own = inner.check_state
    with replaced(inner, "check_state", lambda *args, **kwargs: [*own(*args, **kwargs), *changed]):
        with forwards(calc.encoder) as count:
            atoms.get_potential_energy()
            atoms.get_potential_energy()
        assert len(count) == calc.encoder.captures_per_forward, "an unchanged state is not cached"
        changed.append("charge")
        assert "charge" in calc.check_state(atoms), "check_state does not ask the inner calculator"
        with forwards(calc.encoder) as count:
            atoms.get_potential_energy()
        assert count, "a change that only the inner calculator sees returns stale results"


def check_only_registered_results(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Keep to names that ASE knows, and leave the structure as it was."""
    calc, atoms = make(), rattled(make_atoms())
    before = atoms.copy()
    atoms.calc = calc
    atoms.get_forces()
    unknown = set(calc.results) - set(all_outputs)
    assert not unknown, f"results hold names that ASE does not know: {sorted(unknown)}"
    assert atoms.info == before.info, "atoms.info was changed"
    assert set(atoms.arrays) == set(before.arrays), "arrays of the structure were added"
    assert atoms == before, "the structure was changed"


def check_implemented_properties_are_own(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Claim, in a list of its own, no more than the inner calculator can do."""
    calc, other = make(), make()
    claimed, inner = calc.implemented_properties, calc.calculator.implemented_properties
    assert claimed is not inner, "the list of the inner calculator is shared"
    assert claimed is not other.implemented_properties, "instances share one list"
    assert set(claimed) <= set(inner), f"claimed but lacking: {set(claimed) - set(inner)}"
    lacking = set(inner) & set(all_outputs) - set(claimed)
    assert not lacking, f"the inner calculator can do {lacking}"
    assert set(claimed) <= set(all_outputs), "properties are claimed that results cannot hold"
    impossible = next(name for name in ("polarizability", "dielectric_tensor") if name not in inner)
    try:
        calc.get_property(impossible, rattled(make_atoms()))
    except PropertyNotImplementedError:
        return
    raise AssertionError(f"{impossible} is returned although the inner calculator lacks it")


def check_forces_are_raw(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """See the forces that constraints hide from the user."""
    from ase.constraints import FixSymmetry

    keeper = FrameKeeper()
    calc, bare, atoms = make(diagnostics=[keeper]), Bare(make), make_atoms()
    for constraint in (FixAtoms(range(len(atoms))), FixSymmetry(atoms.copy())):
        atoms.set_constraint()
        atoms.positions = rattled(make_atoms()).positions
        raw = bare(atoms)["forces"]
        atoms.set_constraint(constraint)
        atoms.calc = calc
        calc.reset()
        constrained = atoms.get_forces()
        assert not np.allclose(constrained, raw, rtol=0, atol=1e-6), "the constraint does nothing"
        assert np.array_equal(keeper.frames[-1].results["forces"], raw), (
            f"diagnostics see forces changed by {type(constraint).__name__}"
        )


def _positions(calc: PlatonicCalculator) -> np.ndarray:
    assert calc.atoms is not None, "the inner calculation runs before the atoms are copied"
    return np.array(calc.atoms.positions)
