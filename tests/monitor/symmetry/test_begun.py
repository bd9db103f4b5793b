"""A run that starts from a thermal frame says so; an ideal structure is completed by the live."""

import warnings

import numpy as np
import pytest
from ase.build import bulk, fcc100
from ase.constraints import FixAtoms
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from platonic_ase.errors import NoticeWarning
from platonic_ase.monitor.symmetry.kinds import complete_ideal
from platonic_ase.report.columns import read_columns
from platonic_ase.report.verdict import verdict


def copper():
    return bulk("Cu", cubic=True, a=3.6) * (2, 2, 2)


def frame(momenta=True):
    atoms = copper()
    atoms.rattle(0.08, seed=0)
    if momenta:
        thermalize_momenta(atoms, 300, rng=np.random.default_rng(0))
    return atoms


def notices(run):
    with warnings.catch_warnings(record=True) as issued:
        warnings.simplefilter("always")
        run()
    return [str(item.message) for item in issued if issubclass(item.category, NoticeWarning)]


@pytest.mark.parametrize("momenta", [True, False])
def test_a_thermal_frame_is_said_once_with_the_remedy(momenta, wrap, tmp_path):
    atoms = frame(momenta)
    calc = wrap(log=tmp_path / "run.jsonl", on_warning="warn", without=["extrapolation"])
    atoms.calc = calc
    said = notices(lambda: BFGS(atoms, logfile=None).run(steps=4))
    assert len(said) == 1
    assert "reset_reference" in said[0]
    assert "--ideal" in said[0]
    calc.close()
    assert calc.summary().raised == {}  # a notice is no event
    (run,) = read_columns(tmp_path / "run.jsonl")
    assert said[0] in verdict(run).remarks
    again = frame(momenta)
    again.calc = calc
    assert notices(again.get_forces) == []  # a single point is no run
    assert notices(lambda: BFGS(again, logfile=None).run(steps=2)) == said  # a new one is


def test_nothing_is_said_where_symmetry_can_be_watched(wrap):
    calc = wrap(on_warning="warn", without=["extrapolation"])
    ideal = copper()
    ideal.calc = calc
    hot = copper()  # at its sites, with velocities
    hot.calc = calc
    thermalize_momenta(hot, 300, rng=np.random.default_rng(0))
    assert notices(ideal.get_forces) == []
    assert notices(lambda: VelocityVerlet(hot, 1.0).run(3)) == []
    calc.reset_reference(copper())
    given = frame()
    given.calc = calc
    assert notices(lambda: BFGS(given, logfile=None).run(steps=2)) == []
    assert "orbit_splitting" in calc.diagnosis.scalars


def test_one_atom_off_its_site_is_no_thermal_frame(wrap):
    calc = wrap(on_warning="warn", without=["extrapolation", "displacement"])
    atoms = copper()
    atoms.positions[0] += (0.05, 0.03, 0.01)
    atoms.calc = calc
    assert notices(lambda: BFGS(atoms, logfile=None).run(steps=2)) == []


def test_it_is_not_said_where_warnings_are_ignored(wrap):
    calc = wrap(on_warning="ignore")
    atoms = frame()
    atoms.calc = calc
    assert notices(lambda: BFGS(atoms, logfile=None).run(steps=2)) == []
    assert "notice" in calc.diagnosis.facts["symmetry"]


def slab():
    atoms = fcc100("Cu", (2, 2, 4), a=3.6, vacuum=6.0)
    atoms.pbc = True
    return atoms


def test_a_given_ideal_has_the_constraints_of_the_live_structure(wrap):
    calc = wrap()
    atoms = slab()
    atoms.set_constraint(FixAtoms(mask=atoms.positions[:, 2] < atoms.positions[:, 2].mean()))
    atoms.calc = calc
    calc.reset_reference(slab())
    atoms.get_forces()
    with_ideal = calc.watch.track(atoms).states["symmetry"].orbits.labels
    calc.reset_reference()
    atoms.get_forces()
    without = calc.watch.track(atoms).states["symmetry"].orbits.labels
    assert len(np.unique(with_ideal)) == 4
    assert np.array_equal(with_ideal, without)


@pytest.mark.parametrize("name", ["masses", "initial_magmoms"])
def test_a_given_ideal_has_masses_and_moments_of_the_live_structure(name):
    live, ideal = copper(), copper()
    live.set_array(name, np.arange(32.0) + 1)
    assert np.array_equal(complete_ideal(ideal, live).arrays[name], live.arrays[name])
    assert name not in ideal.arrays
    ideal.set_array(name, np.ones(32))
    assert np.array_equal(complete_ideal(ideal, live).arrays[name], np.ones(32))


def test_constraints_of_the_ideal_itself_count():
    live, ideal = copper(), copper()
    live.set_constraint(FixAtoms([0]))
    ideal.set_constraint(FixAtoms([1]))
    assert complete_ideal(ideal, live).constraints[0].index.tolist() == [1]
    assert complete_ideal(copper(), live).constraints[0].index.tolist() == [0]
