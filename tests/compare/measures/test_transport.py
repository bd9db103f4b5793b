import itertools

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import ortho_group, wasserstein_distance

from platonic_ase.compare.measures.transport import (
    chance_accuracy,
    entropic_transport,
    exact_transport,
    gromov_wasserstein,
    label_accuracy,
    wasserstein,
)


def clouds(n=30, m=20, width=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, width)), rng.normal(size=(m, width)) + 0.5


def test_exact_plan_is_the_best_assignment():
    x, y = clouds(25, 25)
    squared = cdist(x, y, "sqeuclidean")
    rows, columns = linear_sum_assignment(squared)
    found = exact_transport(x, y)
    expected = np.zeros((25, 25))
    expected[rows, columns] = 1 / 25
    np.testing.assert_allclose(found.plan, expected, atol=1e-12)
    assert found.cost == pytest.approx(squared[rows, columns].mean(), abs=1e-9)


def test_wasserstein_of_a_shift_is_its_length():
    x, _ = clouds()
    shift = np.array([3.0, 0.0, 4.0, 0.0])
    assert wasserstein(x, x + shift) == pytest.approx(5, abs=1e-9)
    assert wasserstein(x, x) == pytest.approx(0, abs=1e-6)


def test_wasserstein_on_a_line_is_that_of_the_quantiles():
    x, y = clouds(40, 40, width=1)
    expected = np.sqrt(np.mean((np.sort(x[:, 0]) - np.sort(y[:, 0])) ** 2))
    assert wasserstein(x, y) == pytest.approx(expected, abs=1e-9)
    assert wasserstein(x, y) >= wasserstein_distance(x[:, 0], y[:, 0])


@pytest.mark.parametrize("regularisation", [1.0, 0.05, 0.01])
def test_entropic_plan_is_that_of_pots_log_domain_solver(regularisation):
    x, y = clouds()
    found = entropic_transport(
        x, y, regularisation=regularisation, tolerance=1e-10, max_iterations=100_000
    )
    cost = cdist(x, y, "sqeuclidean")
    expected = ot.sinkhorn(
        np.full(30, 1 / 30),
        np.full(20, 1 / 20),
        cost,
        regularisation * cost.mean(),
        method="sinkhorn_log",
        stopThr=1e-11,
        numItermax=100_000,
    )
    np.testing.assert_allclose(found.plan[:], expected, atol=1e-9)
    np.testing.assert_allclose(found.plan[3:7], expected[3:7], atol=1e-9)
    assert found.cost == pytest.approx((expected * cost).sum(), abs=1e-6)


def test_entropic_plan_survives_clouds_far_apart_in_single_precision():
    x, _ = clouds(60, width=2)
    y = (x + 0.01).astype(np.float32)
    x[:5] += 50  # scalings that would leave the range of float32 outside the logarithmic domain
    found = entropic_transport(
        x.astype(np.float32), y, regularisation=0.02, tolerance=1e-3, max_iterations=50_000
    )
    for axis in (0, 1):
        assert np.linalg.norm(found.plan.sum(axis=axis) - 1 / 60) < 1.1e-3


def test_torch_tensors_give_the_same_and_stay_tensors():
    x, y = clouds()
    tensors = [torch.tensor(points, requires_grad=True) for points in (x, y)]
    for solve in (exact_transport, entropic_transport, gromov_wasserstein):
        array, tensor = solve(x, y), solve(*tensors)
        assert isinstance(tensor.plan[:], torch.Tensor)
        assert not tensor.plan[:].requires_grad
        np.testing.assert_allclose(tensor.plan[:].numpy(), array.plan[:], atol=1e-9)
        assert tensor.cost == pytest.approx(array.cost, abs=1e-9)
        labels = np.arange(30) % 3, np.arange(20) % 3
        assert label_accuracy(tensor.plan, *labels) == pytest.approx(
            label_accuracy(array.plan, *labels), abs=1e-9
        )


def test_gromov_wasserstein_cost_follows_the_definition():
    x, y = clouds(8, 6, width=3)
    found = gromov_wasserstein(x, np.hstack([y, y[:, :1] ** 2]))
    first, second = cdist(x, x), cdist(np.hstack([y, y[:, :1] ** 2]), np.hstack([y, y[:, :1] ** 2]))
    first, second = (d / np.sqrt((d**2).mean()) for d in (first, second))
    total = sum(
        found.plan[i, j] * found.plan[k, m] * (first[i, k] - second[j, m]) ** 2
        for i, j, k, m in itertools.product(range(8), range(6), range(8), range(6))
    )
    assert found.cost == pytest.approx(total, abs=1e-9)


def explicit_distances(*clouds):
    return [cdist(x, x) / np.sqrt((cdist(x, x) ** 2).mean()) for x in clouds]


def test_gromov_wasserstein_is_the_better_of_pots_plans_from_two_starts():
    better = 0
    for seed in range(8):
        x, y = clouds(25, 25, width=3, seed=seed)
        y = np.hstack([y, y[:, :1] ** 2])
        first, second = explicit_distances(x, y)
        # with as many points on both sides the quantiles are the sorted distances
        profile = cdist(np.sort(first, axis=1), np.sort(second, axis=1), "sqeuclidean")
        rows, columns = linear_sum_assignment(profile)
        start = np.zeros((25, 25))
        start[rows, columns] = 1 / 25
        uniform = ot.gromov.gromov_wasserstein2(first, second)
        matched = ot.gromov.gromov_wasserstein2(first, second, G0=start)
        assert gromov_wasserstein(x, y).cost == pytest.approx(min(uniform, matched), abs=1e-9)
        better += matched < uniform
    assert 0 < better < 8  # each start is of use


def test_entropic_gromov_wasserstein_is_pots():
    x, y = clouds(20, 20, width=3)
    found = gromov_wasserstein(x, y, regularisation=0.1)
    first, second = explicit_distances(x, y)
    plan, log = ot.gromov.entropic_gromov_wasserstein(
        first, second, epsilon=0.1, numItermax=10_000, log=True
    )
    assert found.cost == pytest.approx(log["gw_dist"], abs=1e-6)
    np.testing.assert_allclose(found.plan, plan, atol=1e-6)


def test_gromov_wasserstein_finds_a_rotated_copy_without_anchors():
    x, _ = clouds(25, width=3)
    order = np.random.default_rng(1).permutation(25)
    y = 7 * x[order] @ ortho_group.rvs(3, random_state=0) + 2
    found = gromov_wasserstein(x, y)
    assert found.cost == pytest.approx(0, abs=1e-8)
    assert label_accuracy(found.plan, np.arange(25), order) == pytest.approx(1)
    entropic = gromov_wasserstein(x, y, regularisation=0.1)
    assert label_accuracy(entropic.plan, np.arange(25), order) > 0.25


def test_accuracy_counts_the_mass_on_equal_labels():
    plan = np.array([[0.4, 0.1], [0.0, 0.25], [0.05, 0.2]])
    assert label_accuracy(plan, ["Na", "Cl", "Cl"], ["Na", "Cl"]) == pytest.approx(0.85)
    assert label_accuracy(plan, [0, 1, 2], [0, 1]) == pytest.approx(0.65)
    assert label_accuracy(plan, ["K", "K", "K"], ["Na", "Cl"]) == 0
    assert chance_accuracy(["Na", "Cl", "Cl"], ["Na", "Cl"]) == pytest.approx(0.5)
    uniform = np.full((3, 2), 1 / 6)
    assert label_accuracy(uniform, ["Na", "Cl", "Cl"], ["Na", "Cl"]) == pytest.approx(0.5)


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 10))
def test_costs_follow_rotation_scaling_and_order(seed, scale):
    x, y = clouds(15, 10, width=3, seed=seed)
    rotation = ortho_group.rvs(3, random_state=seed)
    order = np.random.default_rng(seed).permutation(15)
    moved = scale * x[order] @ rotation + 1, scale * y @ rotation + 1
    assert wasserstein(*moved) == pytest.approx(scale * wasserstein(x, y), rel=1e-6)
    options = {"tolerance": 1e-9, "max_iterations": 100_000}
    assert entropic_transport(*moved, **options).cost == pytest.approx(
        scale**2 * entropic_transport(x, y, **options).cost, rel=1e-6
    )


@pytest.mark.slow
def test_single_precision_with_thousands_of_points_agrees_with_double():
    x, y = clouds(3000, 2500, width=20)
    double = entropic_transport(x, y, tolerance=1e-5)
    single = entropic_transport(x.astype(np.float32), y.astype(np.float32), tolerance=1e-5)
    assert single.plan[:2].dtype == np.float32
    assert single.cost == pytest.approx(double.cost, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exact_transport(np.eye(3), np.eye(4)), "x has 3 columns and y has 4"),
        (lambda: entropic_transport(np.eye(3), np.nan * np.eye(3)), "y has values that are not"),
        (lambda: wasserstein(torch.eye(3) * torch.inf, torch.eye(3)), "x has values that are not"),
        (lambda: exact_transport(np.eye(3), torch.eye(3)), "a torch tensor and an array"),
        (lambda: entropic_transport(np.ones((3, 2)), np.ones((4, 2))), "all points are equal"),
        (lambda: entropic_transport(np.eye(3), np.eye(3), regularisation=0), "regularisation is 0"),
        (lambda: gromov_wasserstein(np.eye(3), np.ones((3, 2))), "all points of one cloud"),
        (lambda: label_accuracy(np.eye(3), [1, 2, 3], [1, 2]), "3 and 2 labels"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_no_plan_is_returned_that_has_not_converged():
    x, y = clouds()
    with pytest.raises(RuntimeError, match=r"marginal error of .* after 2 "):
        entropic_transport(x, y, regularisation=0.001, max_iterations=2)
