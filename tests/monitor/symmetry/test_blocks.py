import numpy as np
import pytest

from platonic_ase.monitor.symmetry.blocks import BlockVariance, TaperedMean


def feed(series, labels=None):
    variance = BlockVariance(np.zeros(series.shape[1], dtype=int) if labels is None else labels)
    for frame in series:
        variance.add(frame)
    return variance


def test_variance_of_means_of_white_noise():
    series = np.random.default_rng(0).normal(scale=2.0, size=(4096, 50, 3))
    variance = feed(series)
    for length in (1, 8, 64):
        assert variance.variance(length).mean() == pytest.approx(4 / length, rel=0.15)
    assert variance.length == 1


def test_a_constant_shift_is_no_correlation():
    rng = np.random.default_rng(1)
    series = rng.normal(size=(512, 10, 3))
    assert feed(series + 100.0).length == feed(series).length


def autoregressive(tau, steps, rng):
    x = np.zeros((steps, 20, 3))
    for t in range(1, steps):
        kick = rng.normal(size=(20, 3)) * np.sqrt(1 - np.exp(-2 / tau))
        x[t] = x[t - 1] * np.exp(-1 / tau) + kick
    return x


@pytest.mark.parametrize("tau", [5.0, 20.0])
def test_blocks_outlast_the_correlation(tau):
    length = feed(autoregressive(tau, 4096, np.random.default_rng(2))).length
    assert 3 * tau <= length <= 30 * tau


def test_no_length_while_the_correlation_outlasts_the_series():
    assert feed(autoregressive(3000.0, 1000, np.random.default_rng(3))).length is None


def test_the_slow_orbit_counts():
    rng = np.random.default_rng(4)
    fast, slow = rng.normal(size=(2048, 20, 3)), autoregressive(30.0, 2048, rng)
    series = np.concatenate([fast, 0.1 * slow], axis=1)
    assert feed(series, np.repeat([0, 1], 20)).length > 30


def test_memory_grows_with_the_logarithm():
    variance = feed(np.random.default_rng(5).normal(size=(4096, 2, 3)))
    assert len(variance._levels) == 13


def test_the_taper_keeps_constants_and_drops_vibrations():
    for period in (10.0, 23.7, 40.0):
        block = TaperedMean(100, (1, 3))
        for t in range(100):
            assert not block.full
            block.add(np.array([[[3.0, np.sin(2 * np.pi * t / period), 0.0]]]))
        assert block.full
        assert block.mean[0, 0] == pytest.approx(3.0)
        assert abs(block.mean[0, 1]) < 0.03
