import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes, compare_atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from platonic_ase.models.inner import changes_between

SCALES = st.sampled_from([0.0, 5e-16, 1e-15, 1.1e-15, 1e-9, 0.3, np.nan, np.inf])
CHANGES = st.sets(st.sampled_from([*all_changes, "momenta", "fewer atoms", "info"]), max_size=3)


def structure(rng, extras):
    atoms = Atoms("NaCl3", rng.normal(size=(4, 3)), cell=rng.normal(size=(3, 3)), pbc=True)
    if "initial_charges" in extras:
        atoms.set_initial_charges(rng.normal(size=4))
    if "initial_magmoms" in extras:
        atoms.set_initial_magnetic_moments(rng.normal(size=4))
    return atoms


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 99),
    scale=SCALES,
    changes=CHANGES,
    extras=st.sets(st.sampled_from(["initial_charges", "initial_magmoms"])),
    lost=st.sets(st.sampled_from(["initial_charges", "initial_magmoms"])),
    ignored=st.sets(st.sampled_from(all_changes), max_size=2),
    tol=st.sampled_from([1e-15, 1e-8, 0.0]),
    nan_in_both=st.booleans(),
)
def test_changes_are_those_that_ase_finds(
    seed, scale, changes, extras, lost, ignored, tol, nan_in_both
):
    one = structure(np.random.default_rng(seed), extras)
    if nan_in_both:
        one.positions[0, 0] = np.nan
    other = one.copy()
    for name in lost & extras:
        del other.arrays[name]
    for name in changes:
        if name == "fewer atoms":
            del other[-1]
        elif name == "info":
            other.info["charge"] = 1
        elif name == "cell":
            other.cell.array[1, 2] += scale
        elif name == "pbc":
            other.pbc = [True, False, True]
        elif name == "numbers":
            other.numbers[0] += 1
        elif name == "momenta":
            other.set_momenta(np.ones((len(other), 3)))
        elif name in other.arrays:
            other.arrays[name].flat[-1] += scale
    for first, second in ((one, other), (other, one), (one, one)):
        found = changes_between(first, second, tol, ignored)
        expected = compare_atoms(first, second, tol, excluded_properties=ignored)
        assert sorted(found) == sorted(expected)


def test_everything_changed_since_nothing():
    assert changes_between(None, Atoms("H")) == compare_atoms(None, Atoms("H")) == all_changes
