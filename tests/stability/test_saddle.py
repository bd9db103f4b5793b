"""Relaxations that end on a saddle point: found with few passes, and left on request."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.io import read
from ase.spacegroup import crystal

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.errors import SettingError, SymmetryWarning, WarningRaised
from platonic_ase.runs.relax import become, run_relaxation
from platonic_ase.stability.run import run_forecast
from platonic_ase.stability.saddle import MOST_PASSES, SaddleCheck, check_saddle
from platonic_ase.testing import DoubleWellCrystal, SpringCrystal, mock_anchors


def wrap(inner, **options):
    options = {"on_warning": "ignore", **options}
    return PlatonicCalculator(inner, anchors=mock_anchors(find_encoder(inner)), **options)


class Counting(DoubleWellCrystal):
    calls = 0

    def calculate(self, *args, **kwargs):
        type(self).calls += 1
        super().calculate(*args, **kwargs)


def double_well(**changes):
    inner = Counting(**{"depth": 0.8, "width": 0.3, **changes})
    Counting.calls = 0
    return inner, inner.structure()


def test_a_saddle_point_is_found_with_few_passes(tmp_path):
    inner, atoms = double_well()
    calc = wrap(inner, log=tmp_path / "run.jsonl")
    result = run_relaxation(atoms, calc, report=tmp_path / "r.html", progress=False)
    assert result.ended == "converged"
    (event,) = (each for each in result.events if each.kind == "saddle_point")
    assert event.signal.category is SymmetryWarning
    assert "--follow" in event.signal.advice
    assert f"{Counting.calls - 1} passes in" in event.signal.message
    assert Counting.calls - 1 <= MOST_PASSES + 11
    assert result.outcome  # what was relaxed is still known
    assert calc.summary().evaluated == 1  # the bare model was asked
    assert len(atoms) == 2
    kinds = [json.loads(line)["type"] for line in result.log.read_text().splitlines()]
    assert kinds.count("event") == 1
    assert "saddle point" in result.report.read_text()


def test_it_is_the_judgement_of_the_forecast():
    inner, atoms = double_well()
    check = check_saddle(atoms, wrap(inner))
    forecast = run_forecast(atoms, wrap(inner), relax=False, progress=False).forecast
    assert check.found
    assert check.judgement.curvature == pytest.approx(forecast.judgement.curvature, rel=1e-6)
    assert check.supercell == (2, 2, 2)


def test_the_mode_is_followed_to_the_lower_phase(tmp_path):
    inner, atoms = double_well()
    calc = wrap(inner, log=tmp_path / "run.jsonl")
    high = inner.get_potential_energy(atoms) / len(atoms)
    path = tmp_path / "t.traj"
    result = run_relaxation(
        atoms, calc, follow=True, fmax=1e-3, trajectory=path, report=tmp_path / "r.html",
        progress=False,
    )  # fmt: skip
    assert result.ended == "converged"
    assert "left a saddle point" in result.outcome
    low = inner.get_potential_energy(atoms) / len(atoms)
    # per anion three wells of depth b²/4c = b width²/4
    assert low == pytest.approx(high - 3 * 0.8 * 0.3**2 / 4 / 2, rel=1e-3)
    frames = read(path, ":")
    assert len(frames[0]) == 2
    assert len(frames[-1]) == len(atoms)
    assert np.allclose(frames[-1].positions, atoms.positions)
    assert not check_saddle(atoms, wrap(inner)).found
    # two runs in one log
    kinds = [json.loads(line)["type"] for line in result.log.read_text().splitlines()]
    assert kinds.count("header") == kinds.count("summary") == 2
    assert [each.name for each in tmp_path.glob("*.html")] == ["r.html"]
    assert result.report == tmp_path / "r.html"


def test_a_minimum_is_left_alone(tmp_path):
    inner, atoms = double_well(depth=-0.8)
    calc = wrap(inner, log=tmp_path / "run.jsonl")
    report = tmp_path / "r.html"
    result = run_relaxation(atoms, calc, follow=True, report=report, progress=False)
    assert result.report == report
    assert report.exists()
    assert not [event for event in result.events if event.kind == "saddle_point"]
    assert "saddle" not in result.outcome
    springs = SpringCrystal()
    assert not check_saddle(springs.structure(), wrap(springs)).found


def test_it_can_be_switched_off_and_the_policy_is_asked():
    inner, atoms = double_well()
    result = run_relaxation(atoms, wrap(inner), curvature=False, progress=False)
    assert Counting.calls == 1
    assert result.events == ()
    with pytest.raises(WarningRaised, match="saddle point"):
        run_relaxation(atoms, wrap(inner, on_warning="raise"), progress=False)
    for options in ({"curvature": False}, {"fix_symmetry": True}):
        with pytest.raises(SettingError, match="follow"):
            run_relaxation(atoms, wrap(inner), follow=True, progress=False, **options)


def test_where_it_says_nothing_it_says_why():
    calc = wrap(EMT())
    held = bulk("Cu", cubic=True)
    held.set_constraint(FixAtoms([0]))
    molecule = Atoms("N2", [[0, 0, 0], [0, 0, 1.1]])
    for atoms, why in ((held, "constraints"), (molecule, "no crystal")):
        check = check_saddle(atoms, calc)
        assert not check.found
        assert why in check.why
        result = run_relaxation(atoms, wrap(EMT()), fmax=0.1, progress=False)
        assert result.outcome.endswith(f"not looked at whether it is a saddle point: {check.why}")
    free = run_relaxation(bulk("Cu", cubic=True), wrap(EMT()), fmax=0.1, progress=False)
    assert "saddle" not in free.outcome
    rattled = bulk("Cu", cubic=True)
    rattled.rattle(0.05, seed=1)
    assert check_saddle(rattled, calc) == SaddleCheck()  # no symmetry keeps it on one
    few = check_saddle(bulk("Cu", cubic=True), calc, most_passes=0)
    assert "1 displaced supercells, more than 0" in few.why
    assert few.passes == 0


def test_an_atoms_object_becomes_another():
    atoms = bulk("Cu", cubic=True)
    atoms.set_constraint(FixAtoms([0]))
    atoms.arrays["mine"] = np.arange(4)
    other = bulk("NaCl", "rocksalt", 5.6)
    become(atoms, other)
    assert atoms == other
    assert set(atoms.arrays) == {"numbers", "positions"}
    assert not atoms.constraints


@pytest.mark.slow
def test_a_cubic_perovskite_of_chgnet_is_a_saddle_point(chgnet):
    sites = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]
    a = 6.3
    atoms = crystal(["Cs", "Pb", "I"], sites, spacegroup=221, cellpar=[a, a, a, 90, 90, 90])
    calc = PlatonicCalculator(chgnet, on_warning="ignore")
    energies = []
    for follow in (False, True):
        relaxed = atoms.copy()
        result = run_relaxation(relaxed, calc, cell=True, follow=follow, progress=False)
        energies.append(relaxed.get_potential_energy() / len(relaxed))
        assert ("left a saddle point" in result.outcome) is follow
        assert follow or "saddle_point" in [event.kind for event in result.events]
    assert energies[1] < energies[0] - 1e-3
