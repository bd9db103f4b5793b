import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platonic_ase.monitor import EventGate, Signal


def run(levels, track=0, gate=None, **settings):
    gate = gate or EventGate(**settings)
    raised = [
        index
        for index, level in enumerate(levels)
        if gate.admit(Signal("kind", level, level, 1.0, "", "", ""), track, index)
    ]
    return raised, gate


def test_one_event_while_it_stays_up():
    assert run([2] * 500, cooldown=100)[0] == [0]


def test_it_is_armed_again_below_clear_only():
    assert run([2, 0.9, 2], cooldown=0, clear=0.8)[0] == [0]
    assert run([2, 0.7, 2], cooldown=0, clear=0.8)[0] == [0, 2]


def test_rate_limit():
    assert run([2, 0] * 6, cooldown=4)[0] == [0, 4, 8]


def test_nan_never_alarms_nor_clears():
    assert run([math.nan, 2, math.nan, 2], cooldown=0)[0] == [1]


def test_tracks_and_rearming_are_independent():
    _, gate = run([2])
    assert run([2], track=1, gate=gate)[0] == [0]
    event = EventGate().admit(Signal("kind", 2, 2, 1, "", "", ""), 0, 0)
    gate.rearm(event)
    assert run([2], gate=gate)[0] == [0]


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(0, 10), st.floats(0.1, 1.0))
def test_every_alarm_is_raised_or_counted(levels, cooldown, clear):
    raised, gate = run(levels, cooldown=cooldown, clear=clear)
    alarms = [index for index, level in enumerate(levels) if level >= 1]
    assert gate.raised["kind"] + gate.held_back["kind"] == len(alarms)
    assert set(raised) <= set(alarms)
    assert raised[:1] == alarms[:1]
    assert all(b - a >= cooldown for a, b in pairwise(raised))


@pytest.mark.parametrize(
    ("settings", "message"), [({"clear": 0}, "clear = 0"), ({"cooldown": -1}, "cooldown = -1")]
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        EventGate(**settings)
