import re
import warnings

import numpy as np
import pytest
from ase.build import bulk

from platonic_ase import PlatonicCalculator
from platonic_ase.models import find_encoder
from platonic_ase.monitor.second_opinion import SecondOpinion
from platonic_ase.report.reader import read_log
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.testing import (
    DirectForceMock,
    MockCalculator,
    PlannedAlarm,
    SilentMock,
    mock_anchors,
)


@pytest.fixture
def atoms():
    found = bulk("Cu", "fcc", a=3.6, cubic=True)
    found.rattle(0.1, seed=1)
    return found


def shared_anchors(calculator, seed=3):
    """Anchors of a few rattled cells: the same environments for every mock."""
    from platonic_ase.models.embed import embed

    pool = []
    for k in range(6):
        cell = bulk("Cu", "fcc", a=3.4 + 0.1 * k, cubic=True)
        cell.rattle(0.2, seed=seed + k)
        pool.append(cell)
    encoder = find_encoder(calculator)
    embedded = embed(encoder, pool, progress=False)
    return AnchorSet(
        embedded.embeddings, embedded.numbers, encoder.identity,
        provenance={"source": "test", "selection": "all"},
    )  # fmt: skip


def watched(atoms, other, anchors, *levels, **options):
    main = MockCalculator()
    return PlatonicCalculator(
        main, anchors=anchors(main), reference=None, diagnostics=[PlannedAlarm(*levels)],
        on_warning="ignore", second_opinion=other, **options,
    )  # fmt: skip


def test_other_model_is_run_on_an_alarm_only_and_once(atoms):
    other = MockCalculator(seed=5)
    opinion = SecondOpinion(other, shared_anchors(other))
    calc = watched(atoms, opinion, shared_anchors, 0.0, 2.0, 2.0)
    before = other.model.forwards
    atoms.calc = calc
    atoms.get_forces()
    assert other.model.forwards == before
    mine = calc.calculator.model.forwards
    atoms.rattle(0.01, seed=2)
    atoms.get_forces()
    assert other.model.forwards == before + 1
    assert calc.calculator.model.forwards == mine + 1
    atoms.rattle(0.01, seed=3)
    atoms.get_forces()  # the alarm is still up: no new event
    assert other.model.forwards == before + 1


def test_a_model_agrees_with_itself(atoms):
    other = MockCalculator()
    calc = watched(atoms, SecondOpinion(other, shared_anchors(other)), shared_anchors, 2.0)
    atoms.calc = calc
    atoms.get_forces()
    found = calc.diagnosis.per_atom
    assert found["second_opinion_agreement"] == pytest.approx(np.ones(4))
    assert found["second_opinion_force_difference"] == pytest.approx(np.zeros(4))


def test_difference_of_forces_is_what_was_planted(atoms):
    other = DirectForceMock(push=(0.03, 0.0, 0.04))
    calc = watched(atoms, SecondOpinion(other, shared_anchors(other)), shared_anchors, 2.0)
    atoms.calc = calc
    atoms.get_forces()
    assert calc.diagnosis.scalars["second_opinion_force_difference"] == pytest.approx(0.05)
    said = str(calc.diagnosis.events[0])
    assert "forces differ by up to 0.05 eV/Å" in said
    assert len(re.findall(r"[.!?](?=\s|$)", said)) == 2, f"not two sentences: {said}"


def test_energies_and_forces_are_not_touched(atoms):
    other = DirectForceMock(push=(9.0, 0.0, 0.0))
    atoms.calc = watched(atoms, SecondOpinion(other, shared_anchors(other)), shared_anchors, 2.0)
    bare = atoms.copy()
    bare.calc = MockCalculator()
    assert (atoms.get_forces() == bare.get_forces()).all()
    assert atoms.get_potential_energy() == bare.get_potential_energy()


def test_a_failing_opinion_does_not_kill_the_run(atoms):
    class Broken(MockCalculator):
        def _evaluate(self, atoms):
            raise RuntimeError("no such luck")

    atoms.calc = watched(atoms, Broken(), shared_anchors, 2.0)
    assert np.isfinite(atoms.get_forces()).all()
    assert "second opinion failed (RuntimeError: no such luck)" in str(
        atoms.calc.diagnosis.events[0]
    )
    assert atoms.calc.diagnosis.findings["second_opinion"].scalars == {}


def test_a_silent_model_does_not_kill_the_run(atoms):
    atoms.calc = watched(atoms, SilentMock(), shared_anchors, 2.0)
    atoms.get_forces()
    assert "second opinion failed (CaptureError" in str(atoms.calc.diagnosis.events[0])


def test_without_common_anchors_forces_are_compared_alone(atoms):
    other = MockCalculator(seed=5)
    opinion = SecondOpinion(other, mock_anchors(find_encoder(other)))
    atoms.calc = watched(atoms, opinion, shared_anchors, 2.0)
    atoms.get_forces()
    assert "second_opinion_agreement" not in atoms.calc.diagnosis.per_atom
    assert "forces differ" in str(atoms.calc.diagnosis.events[0])


def test_the_log_and_the_warning_say_it(atoms, tmp_path):
    other = MockCalculator(seed=5)
    opinion = SecondOpinion(other, shared_anchors(other))
    calc = watched(atoms, opinion, shared_anchors, 2.0, log=tmp_path / "run.jsonl")
    calc.policy.on_warning = "warn"
    atoms.calc = calc
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        atoms.get_forces()
    calc.close()
    assert any("second opinion of" in str(w.message) for w in caught)
    entry = read_log(tmp_path / "run.jsonl")[0].geometries[0]
    assert "second opinion of" in entry["events"][0]["advice"]
    logged = entry["scalars"]["second_opinion_disagreement"]
    assert logged == pytest.approx(calc.diagnosis.scalars["second_opinion_disagreement"], rel=1e-6)
    assert logged > 0


def test_anchors_of_another_model_are_refused():
    mine, other = MockCalculator(), MockCalculator(seed=5)
    with pytest.raises(ValueError, match="another model"):
        SecondOpinion(other, shared_anchors(mine))


def test_a_model_is_no_second_opinion_on_itself(atoms):
    main = MockCalculator()
    with pytest.raises(ValueError, match="another model"):
        PlatonicCalculator(main, anchors=shared_anchors(main), second_opinion=main)
