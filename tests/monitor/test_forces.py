"""The force error diagnostic, with a bound that is known."""

import numpy as np
import pytest
from ase import Atoms

from platonic_ase.errors import ForceErrorWarning
from platonic_ase.monitor import EventGate, ForceErrorBound, Frame
from platonic_ase.monitor.watch import Watch


class TwiceTheForce:
    """A bound of twice the force; alarm at 5 eV/Å, or at five times the rms force."""

    name, level, alarm, elements = "mock", 0.9, 5.0, (11,)

    def bounds(self, forces, platonic):
        return 2 * np.linalg.norm(forces, axis=1)

    def alarm_at(self, forces):
        return max(self.alarm, 5 * float(np.sqrt((forces**2).sum(axis=1).mean())))


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
    forces = np.diag([1.0, 2.0, 3.0])
    diagnostic, state = started()
    finding = diagnostic.examine(make_frame(forces), state)
    np.testing.assert_allclose(finding.per_atom["force_error_bound"], [2, 4, 6])
    assert finding.scalars == {"force_error_bound": 6.0, "median_force_error_bound": 4.0}
    assert finding.facts["uncalibrated_elements"] == ["Cl"]
    assert finding.facts["limits"] == {"force_error_bound": 5.0}
    assert not finding.risks


def test_an_alarm_has_to_last():
    diagnostic, state = started(persistence=3)

    def level(size, moving=True):
        frame = make_frame(lone_force(size), moving=moving)
        return diagnostic.examine(frame, state).signals[0].level

    assert level(0.1) < 1
    assert [level(4.0) >= 1 for _ in range(3)] == [False, False, True]
    assert level(4.0) == pytest.approx(8 / 5)
    assert level(0.1) < 1
    assert level(4.0, moving=False) == pytest.approx(8 / 5)  # no trajectory: judged by itself


def test_the_alarm_names_the_atom_and_its_threshold():
    diagnostic, state = started(persistence=1)
    (signal,) = diagnostic.examine(make_frame(lone_force(4.0)), state).signals
    assert signal.atoms == (7,)
    assert (signal.value, signal.threshold, signal.unit) == (8.0, 5.0, "eV/Å")
    assert signal.category is ForceErrorWarning
    assert "Na atom 7 (4.00 eV/Å) can be wrong by up to 8.00 eV/Å" in signal.message


def test_thermal_motion_is_no_alarm_however_hot():
    diagnostic, state = started()
    rng = np.random.default_rng(0)
    for _ in range(50):
        (signal,) = diagnostic.examine(make_frame(rng.normal(size=(20, 3)) * 10), state).signals
        assert signal.level < 1


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
    assert np.isfinite(finding.signals[0].threshold)
    frame = make_frame(np.zeros((4, 3)))
    energy_only = Frame(0, frame.atoms, frame.embeddings, frame.platonic, {"energy": 1.0})
    assert not diagnostic.examine(energy_only, state).per_atom


def test_one_event_for_an_alarm_that_stays():
    watch = Watch((ForceErrorBound(TwiceTheForce()),), EventGate())
    owner = make_frame(lone_force(4.0)).atoms
    events = []
    for step in range(10):
        owner.positions[0, 0] += 0.01
        frame = make_frame(lone_force(4.0), step)
        diagnosis = watch.observe(
            owner, owner.copy(), frame.embeddings, frame.platonic, frame.results
        )
        events += diagnosis.events
    assert [event.kind for event in events] == ["force_error"]
    assert events[0].index == 0


def test_a_persistence_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1 geometry"):
        ForceErrorBound(persistence=0)
