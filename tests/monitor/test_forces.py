"""The force error diagnostic, with a bound that is known."""

import numpy as np
import pytest
from ase import Atoms

from platonic_ase.errors import ForceErrorWarning
from platonic_ase.monitor import EventGate, ForceErrorBound, Frame
from platonic_ase.monitor.watch import Watch


class TwiceTheForce:
    """A bound of twice the force, and an error above l with the probability 1 - l / 2 |F|."""

    name, level, alarm, elements = "mock", 0.9, 0.4, (11,)

    def sizes(self, forces, platonic, embeddings, numbers):
        assert platonic.shape[0] == embeddings.shape[0] == len(numbers) == len(forces)
        return np.linalg.norm(forces, axis=1)

    def bounds(self, sizes):
        return 2 * sizes

    def probabilities(self, sizes, limit):
        return np.maximum(0.0, 1 - limit / np.maximum(2 * sizes, 1e-9))


def make_frame(forces, index=0, revisited=False, moving=False):
    atoms = Atoms(f"Na{len(forces) - 1}Cl", positions=np.eye(3).repeat(9, axis=0)[: len(forces)])
    n = len(forces)
    return Frame(
        index,
        atoms,
        np.zeros((n, 4)),
        np.zeros((n, 2)),
        {"forces": forces},
        revisited=revisited,
        moving=moving,
    )


def started(**options):
    diagnostic = ForceErrorBound(TwiceTheForce(), **options)
    return diagnostic, diagnostic.start(make_frame(np.zeros((2, 3))).atoms)


def lone_force(size, n=20):
    forces = np.zeros((n, 3))
    forces[7, 1] = size
    return forces


def test_bounds_scalars_and_what_the_calibration_has_not_seen():
    forces = np.diag([1.0, 2.0, 4.0])
    diagnostic, state = started(limit=1.0)
    finding = diagnostic.examine(make_frame(forces), state)
    np.testing.assert_allclose(finding.per_atom["force_error_bound"], [2, 4, 8])
    np.testing.assert_allclose(finding.per_atom["force_error_probability"], [0.5, 0.75, 0.875])
    assert finding.scalars == {
        "force_error_bound": 8.0,
        "median_force_error_bound": 4.0,
        "force_error_probability": 0.875,
    }
    assert finding.risks == {"force_error": 0.875}
    assert finding.facts["uncalibrated_elements"] == ["Cl"]
    assert finding.facts["limits"] == {"force_error_probability": TwiceTheForce.alarm}


def test_an_alarm_has_to_last():
    diagnostic, state = started(persistence=3)

    def level(size, moving=True):
        frame = make_frame(lone_force(size), moving=moving)
        return diagnostic.examine(frame, state).signals[0].level

    assert level(0.1) < 1
    assert [level(5.0) >= 1 for _ in range(3)] == [False, False, True]
    assert level(5.0) == pytest.approx(0.95 / TwiceTheForce.alarm)
    assert level(0.1) < 1
    assert level(5.0, moving=False) == pytest.approx(0.95 / TwiceTheForce.alarm)  # judged by itself


def test_the_alarm_names_the_atom_its_probability_and_the_limit():
    diagnostic, state = started(persistence=1)
    (signal,) = diagnostic.examine(make_frame(lone_force(5.0)), state).signals
    assert signal.atoms == (7,)
    assert (signal.value, signal.threshold) == (0.95, TwiceTheForce.alarm)
    assert signal.unit == "probability of an error above 0.5 eV/Å"
    assert signal.category is ForceErrorWarning
    assert "Na atom 7 (5.00 eV/Å) is wrong by more than 0.5 eV/Å with probability 0.95" in (
        signal.message
    )


def test_the_limit_and_the_probability_are_the_users():
    frame = make_frame(lone_force(1.0))  # an error above l: 1 - l / 2
    for limit, probability, alarm in ((0.5, 0.7, True), (0.5, 0.8, False), (1.5, 0.2, True)):
        diagnostic, state = started(limit=limit, probability=probability)
        (signal,) = diagnostic.examine(frame, state).signals
        assert (signal.level >= 1) == alarm


def test_geometries_seen_again_do_not_count():
    diagnostic, state = started(persistence=2)
    quiet = diagnostic.examine(make_frame(lone_force(0.1), moving=True), state)
    for _ in range(5):
        frame = make_frame(lone_force(9.0), revisited=True, moving=True)
        finding = diagnostic.examine(frame, state)
    assert finding.signals[0].level == quiet.signals[0].level < 1


def test_forces_at_rest_and_missing_ones():
    diagnostic, state = started()
    finding = diagnostic.examine(make_frame(np.zeros((4, 3))), state)
    assert finding.signals[0].level == 0
    frame = make_frame(np.zeros((4, 3)))
    energy_only = Frame(0, frame.atoms, frame.embeddings, frame.platonic, {"energy": 1.0})
    assert not diagnostic.examine(energy_only, state).per_atom


def test_one_event_for_an_alarm_that_stays():
    watch = Watch((ForceErrorBound(TwiceTheForce()),), EventGate())
    owner = make_frame(lone_force(5.0)).atoms
    events = []
    for step in range(10):
        owner.positions[0, 0] += 0.01
        frame = make_frame(lone_force(5.0), step)
        diagnosis = watch.observe(
            owner, owner.copy(), frame.embeddings, frame.platonic, frame.results
        )
        events += diagnosis.events
    assert [event.kind for event in events] == ["force_error"]
    assert events[0].index == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"persistence": 0}, "at least 1 geometry"),
        ({"limit": 0.0}, "positive force error"),
        ({"probability": 1.0}, "between 0 and 1"),
    ],
)
def test_impossible_parameters_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        ForceErrorBound(**given)
