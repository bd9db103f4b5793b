import numpy as np
import pytest

from platonic_ase.compare.measures.kernel_alignment import cka
from platonic_ase.compare.measures.mutual_neighbours import mutual_knn
from platonic_ase.compare.measures.prepared import two_step_measures
from platonic_ase.compare.measures.procrustes import angular_procrustes

ONE_STEP = {
    "mutual_knn": lambda x, y: mutual_knn(x, y, 7),
    **{
        f"cka_{kernel}_{estimator}": lambda x, y, k=kernel, e=estimator: cka(
            x, y, kernel=k, estimator=e
        )
        for kernel in ("linear", "rbf")
        for estimator in ("biased", "unbiased")
    },
    "procrustes": angular_procrustes,
}
MEASURES = [(step, name) for step in two_step_measures(7) for name in step.compare]


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 5)) + 2
    return x, x @ rng.normal(size=(5, 8)) + rng.normal(size=(90, 8))


def test_all_measures_are_there():
    assert {name for _, name in MEASURES} == set(ONE_STEP)


@pytest.mark.parametrize(("step", "name"), MEASURES, ids=[name for _, name in MEASURES])
def test_two_steps_give_what_one_gives(step, name, pair):
    x, y = pair
    first, second = step.prepare(x), step.prepare(y)
    assert step.compare[name](first, second) == pytest.approx(ONE_STEP[name](x, y), abs=1e-12)
    order = np.random.default_rng(1).permutation(len(y))
    moved = step.compare[name](first, second.permuted(order))
    assert moved == pytest.approx(ONE_STEP[name](x, y[order]), abs=1e-12)
    assert moved != pytest.approx(ONE_STEP[name](x, y), abs=1e-3)


@pytest.mark.parametrize(("step", "name"), MEASURES, ids=[name for _, name in MEASURES])
def test_single_precision_is_close(step, name, pair):
    x, y = (points.astype(np.float32) for points in pair)
    found = step.compare[name](step.prepare(x), step.prepare(y))
    assert found == pytest.approx(ONE_STEP[name](*pair), abs=1e-5)
