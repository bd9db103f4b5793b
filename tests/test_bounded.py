"""The bounds of the fuzz notice what they are for."""

import time

import bounded
import numpy as np
import pytest


def for_ever():
    while True:
        pass


def test_what_keeps_the_processor_is_ended(monkeypatch):
    monkeypatch.setattr(bounded, "PROCESSOR_SECONDS", 0.1)
    with pytest.raises(bounded.Slow, match="processor"), bounded.bounded():
        for_ever()


def test_what_waits_is_ended(monkeypatch):
    monkeypatch.setattr(bounded, "WALL_SECONDS", 0.1)
    with pytest.raises(bounded.Slow, match="longer"), bounded.bounded():
        time.sleep(5)


def test_memory_that_was_given_back_counts(monkeypatch):
    monkeypatch.setattr(bounded, "BYTES", 50 * 1024**2)
    with bounded.bounded():
        pass
    with pytest.raises(AssertionError, match="GB"), bounded.bounded():
        np.ones(20 * 1024**2).sum()
