"""The force bound of a first use: exact where errors follow its form, and found again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from platonic_ase import PlatonicCalculator
from platonic_ase.doctor.frames import check_frames, labelled_frames
from platonic_ase.errors import UnsoundModelWarning
from platonic_ase.models import default_anchors, find_encoder
from platonic_ase.models import default_reference as defaults
from platonic_ase.models.first_look import EvaluatedFrame, first_look
from platonic_ase.monitor.error_scale import widths
from platonic_ase.monitor.first_bound import (
    FIRST_ALARM,
    FORM,
    FirstBound,
    first_force_bound,
)
from platonic_ase.monitor.force_bound import ForceBound
from platonic_ase.space.files import read_arrays
from platonic_ase.space.neighbours import distances_to_other_groups
from platonic_ase.testing import MockCalculator, mock_anchors, small_space


@pytest.fixture
def encoder():
    return find_encoder(MockCalculator())


@pytest.fixture
def anchors(encoder):
    return mock_anchors(encoder)


def made_frames(anchors, ratios, seed=0):
    """One atom each, all equally far from each other, with errors of given ratios to the size."""
    rng = np.random.default_rng(seed)
    width = anchors.embeddings.shape[1]
    frames = []
    for k, ratio in enumerate(ratios):
        force = rng.normal(size=(1, 3)) * 10 ** rng.uniform(-2, 1)
        size = (1e-3 + np.linalg.norm(force)) ** FORM.power
        off = rng.normal(size=(1, 3))
        embedding = np.zeros((1, width))
        embedding[0, 0] = 1.0
        atoms = Atoms(numbers=[3 + k], positions=[[0, 0, 0]])
        label = force - ratio * size * off / np.linalg.norm(off)
        frames.append(EvaluatedFrame(atoms, label, force, embedding))
    return frames


def test_the_bound_is_the_conformal_quantile_of_the_ratios(anchors):
    ratios = np.random.default_rng(1).permutation(np.arange(1, 31) / 30)
    bound = first_force_bound(anchors, made_frames(anchors, ratios))
    assert bound.quantile == pytest.approx(28 / 30)  # the 28th of 30: ceil(31 * 0.9)
    assert bound.ratios[[0, -1]] == pytest.approx([1 / 30, 1])
    assert bound.alarm == FIRST_ALARM
    assert bound.provenance["compounds"] == 30
    force = np.array([[0.0, 3.0, 4.0]])
    known = bound.scale.references[:1]
    sizes = bound.sizes(force, anchors.project(known), known, np.array([3]))
    assert sizes == pytest.approx([5.001**FORM.power])
    assert bound.bounds(sizes) == pytest.approx(28 / 30 * 5.001**FORM.power)
    halfway = bound.probabilities(sizes, float(0.5 * sizes[0]))
    assert halfway == pytest.approx(0.5, abs=0.04)


def test_the_form_is_the_best_for_all_models_of_the_benchmark():
    table = Path(__file__).parents[1] / "benchmarks" / "force_first.safetensors"
    arrays, header = read_arrays(table, "force_first_table")
    assert header["chosen by all"] == {**vars(FORM), "alarm": FIRST_ALARM}
    for name in header["models"]:
        within, atoms = arrays[f"{name} within, left out"], arrays[f"{name} atoms"]
        kinds = arrays[f"{name} kind"]
        for kind in range(3):
            assert (within / atoms)[kinds == kind].mean() > 0.87  # the level is 0.9


def test_unfamiliar_surroundings_widen_it(anchors):
    frames = made_frames(anchors, np.linspace(0.1, 1, 30))
    shifts = np.random.default_rng(2).normal(size=(30, anchors.embeddings.shape[1]))
    for frame, shift in zip(frames, shifts, strict=True):
        frame.embeddings[:] += shift
    bound = first_force_bound(anchors, frames)
    far = bound.scale.references[:1] + 1e3
    distance = bound.scale.distances(far, np.array([3]))
    force = np.ones((1, 3))
    size = bound.sizes(force, anchors.project(far), far, np.array([3]))
    expected = (1e-3 + np.sqrt(3)) ** FORM.power * widths(distance, bound.scale.reach, FORM.growth)
    assert size == pytest.approx(expected)
    assert size > 10 * (1e-3 + np.sqrt(3)) ** FORM.power


def test_an_atom_is_not_compared_with_its_own_compound(anchors):
    embeddings, numbers = np.array([[0.0], [0.1], [5.0], [9.0]]), np.array([3, 3, 3, 9])
    found = distances_to_other_groups(embeddings, numbers, np.array([0, 0, 1, 2]), np.arange(4), 3)
    # the last has an element of its own: the nearest of all elements
    assert found == pytest.approx([5.0, 4.9, 4.95, np.mean([9.0, 8.9, 4.0])])


def test_too_few_frames_give_no_bound(anchors):
    frames = made_frames(anchors, np.ones(9))
    assert first_force_bound(anchors, frames) is None
    assert first_force_bound(anchors, []) is None
    exact = made_frames(anchors, np.zeros(30))
    assert first_force_bound(anchors, exact) is None  # no size of the error can be told


class Counting(MockCalculator):
    calls = 0

    def calculate(self, *args, **kwargs):
        self.calls += 1
        super().calculate(*args, **kwargs)


@pytest.mark.parametrize("name", ["7net-mf-0:R2SCAN", "MACE-OFF23_small", "uma-s-1p1:omol"])
def test_labels_of_another_functional_are_no_errors(anchors, name):
    frames = made_frames(anchors, np.linspace(0.1, 1, 30))
    other = replace(anchors, identity=replace(anchors.identity, model=name))
    assert first_force_bound(other, frames) is None
    assert first_force_bound(anchors, frames) is not None


def test_the_doctor_and_the_bound_share_their_forward_passes():
    calculator = Counting()
    encoder = find_encoder(calculator)
    check_frames(calculator, encoder.elements)
    alone, calculator.calls = calculator.calls, 0
    with pytest.warns(UnsoundModelWarning):  # a mock is no potential
        frames = first_look(encoder)
    derivatives = calculator.calls - alone
    assert alone == len(frames) == len(labelled_frames())
    assert 0 < derivatives < 30
    for frame, atoms in zip(frames, labelled_frames(), strict=True):
        assert np.array_equal(frame.labels, atoms.arrays["dft_forces"])
        assert np.array_equal(frame.forces, calculator.get_forces(frame.atoms))
        assert len(frame.embeddings) == len(atoms)


class Broken(MockCalculator):
    def calculate(self, *_args, **_kwargs):
        raise RuntimeError("no small crystals")


def test_a_model_that_cannot_run_the_frames_has_no_bound(anchors):
    assert first_look(find_encoder(Broken())) == []


@pytest.fixture
def unknown(tmp_path, monkeypatch):
    """No model has stored packs, and what is made at first use is small."""
    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path))

    def space(encoder):
        return small_space(encoder, [bulk("Si"), bulk("NaCl", "rocksalt", a=5.6)])

    monkeypatch.setattr(
        default_anchors, "default_anchors", lambda encoder, progress: space(encoder)[0]
    )
    monkeypatch.setattr(
        defaults, "build_reference", lambda encoder, *_args, **_kwargs: space(encoder)[1]
    )
    monkeypatch.setattr(
        "platonic_ase.crystals.pool.generate_sample", lambda most, elements, seed: []
    )
    return tmp_path


def test_a_model_has_a_bound_from_its_first_use_on(unknown, recwarn):
    calc = PlatonicCalculator(MockCalculator(), on_warning="ignore", progress=False)
    assert "30 DFT-PBE frames at first use" in calc.force_bound.name
    again = PlatonicCalculator(MockCalculator(), on_warning="ignore", progress=False)
    assert again.force_bound.name == calc.force_bound.name
    assert again.force_bound.quantile == calc.force_bound.quantile
    assert again.force_bound.force_level == calc.force_bound.force_level
    assert again.phonon_risk.level == calc.phonon_risk.level == calc.force_bound.force_level > 0
    assert again.phonon_risk.name.endswith("by the force errors at its first use")
    assert len(list(unknown.glob("*.forces.safetensors"))) == 1
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.rattle(0.05, seed=0)
    atoms.calc = again
    atoms.get_forces()
    assert 0 <= again.diagnosis.risks["force_error"] <= 1
    for seed, without in ((1, {"force_bound": None}), (2, {"reference": None})):
        other = PlatonicCalculator(MockCalculator(seed=seed), on_warning="ignore", **without)
        assert other.force_bound is None


def test_a_cache_that_cannot_be_written_loses_nothing(unknown, monkeypatch, caplog):
    def full(*_args, **_kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(ForceBound, "save", full)
    calc = PlatonicCalculator(MockCalculator(), on_warning="ignore", progress=False)
    assert "at first use" in calc.force_bound.name
    assert "no space left" in caplog.text


def test_a_given_bound_is_used_and_none_is_none(anchors):
    first = FirstBound()
    first.bound = first_force_bound(anchors, made_frames(anchors, np.linspace(0.1, 1, 30)))
    assert first.resolve(anchors, None) is None
    assert first.resolve(anchors, "default") is first.bound
    other = first_force_bound(anchors, made_frames(anchors, np.linspace(0.2, 2, 30)))
    assert first.resolve(anchors, other) is other
