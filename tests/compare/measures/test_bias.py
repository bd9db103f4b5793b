import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.neighbors import NearestNeighbors

from platonic_ase.compare.measures.anchor_bias import anchor_bias
from platonic_ase.compare.measures.bias import (
    anchor_departure,
    group_bias,
    neighbour_departure,
    row_departure,
)


def models(n=200, anchors=12, n_models=4, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, anchors))
    return {f"model {i}": shared + noise * rng.normal(size=(n, anchors)) for i in range(n_models)}


def test_row_departure_follows_the_definition():
    arrays = models(n=30)
    standard = {name: (z - z.mean(0)) / z.std(0) for name, z in arrays.items()}
    consensus = np.median([standard[f"model {i}"] for i in (0, 2, 3)], axis=0)
    expected = [
        1 - np.corrcoef(a, b)[0, 1] for a, b in zip(standard["model 1"], consensus, strict=True)
    ]
    np.testing.assert_allclose(row_departure(arrays)["model 1"], expected, atol=1e-12)
    by_anchor = [
        1 - np.corrcoef(standard["model 1"][:, k], consensus[:, k])[0, 1] for k in range(12)
    ]
    np.testing.assert_allclose(anchor_departure(arrays)["model 1"], by_anchor, atol=1e-12)


def test_neighbour_departure_follows_the_definition():
    arrays = models(n=40)
    sets = {
        name: [
            set(row[1:])
            for row in NearestNeighbors(n_neighbors=6).fit(z).kneighbors(z, return_distance=False)
        ]
        for name, z in arrays.items()
    }
    expected = [
        1 - np.median([len(sets["model 0"][i] & sets[f"model {j}"][i]) for j in (1, 2, 3)]) / 5
        for i in range(40)
    ]
    np.testing.assert_allclose(neighbour_departure(arrays, k=5)["model 0"], expected, atol=1e-12)


def test_units_and_offsets_of_an_anchor_do_not_matter_nor_do_rotations_for_neighbours():
    arrays = models()
    moved = {name: z * (1 + i) + i for i, (name, z) in enumerate(arrays.items())}
    for name, value in row_departure(arrays).items():
        np.testing.assert_allclose(row_departure(moved)[name], value, atol=1e-9)
    rotated = {name: z @ ortho_group.rvs(12, random_state=1) for name, z in arrays.items()}
    for name, value in neighbour_departure(arrays).items():
        np.testing.assert_allclose(neighbour_departure(rotated)[name], value, atol=1e-9)


def test_models_that_agree_do_not_depart_and_a_foreign_one_does_everywhere():
    arrays = models(noise=0.0)
    arrays["foreign"] = np.random.default_rng(5).normal(size=(200, 12))
    departures = row_departure(arrays)
    np.testing.assert_allclose(departures["model 0"], 0, atol=1e-12)
    assert departures["foreign"].mean() == pytest.approx(1, abs=0.1)
    found = group_bias(departures, "foreign", np.arange(200) % 4)
    assert (found.q_value < 0.01).all()
    assert anchor_departure(arrays)["foreign"].min() > 0.7


def planted(seed, strength):
    """Ten elements over 50 structures; in model 0 element 3 is displaced at random."""
    rng = np.random.default_rng(seed)
    arrays = models(n=500, seed=seed)
    element, structure = np.tile(np.arange(10), 50), np.repeat(np.arange(50), 10)
    displaced = element == 3
    arrays["model 0"][displaced] += strength * rng.normal(size=(displaced.sum(), 12))
    return row_departure(arrays), element, structure


def test_bias_names_the_planted_element_and_model():
    departures, element, structure = planted(0, strength=1.0)
    found = group_bias(departures, "model 0", element, structures=structure)
    assert found.labels[found.q_value < 0.01].tolist() == [3]
    assert found.n_atoms.tolist() == found.n_structures.tolist() == [50] * 10
    assert found.departure[3] == pytest.approx(departures["model 0"][element == 3].mean())
    others = [departures[f"model {i}"] for i in (1, 2, 3)]
    excess = departures["model 0"] - np.median(others, axis=0)
    assert found.excess[3] == pytest.approx(excess[element == 3].mean())
    for innocent in ("model 1", "model 2", "model 3"):
        assert group_bias(departures, innocent, element, structures=structure).q_value[3] > 0.05


def test_q_values_are_benjamini_and_hochbergs():
    departures, element, structure = planted(1, strength=0.15)
    found = group_bias(departures, "model 0", element, structures=structure)
    order = np.argsort(found.p_value)
    raw = found.p_value[order] * 10 / np.arange(1, 11)
    expected = np.empty(10)
    expected[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1)
    np.testing.assert_allclose(found.q_value, expected, atol=1e-12)


def test_equal_models_are_rarely_accused_even_when_atoms_of_a_structure_agree():
    rng = np.random.default_rng(3)
    structure = np.repeat(np.arange(30), 8)
    accused = {True: 0, False: 0}
    for seed in range(150):
        departures = {
            name: rng.normal(size=30)[structure] + 0.1 * rng.normal(size=240) for name in "abc"
        }
        for by_structure in accused:
            found = group_bias(
                departures,
                "a",
                np.zeros(240, int),
                structures=structure if by_structure else None,
                n_permutations=99,
                seed=seed,
            )
            accused[by_structure] += found.p_value[0] <= 0.05
    assert accused[True] / 150 == pytest.approx(0.05, abs=0.05)
    assert accused[False] / 150 > 0.2


def test_a_label_in_few_structures_cannot_be_significant():
    departures = {"a": np.ones(40), "b": np.zeros(40), "c": np.zeros(40)}
    found = group_bias(departures, "a", np.zeros(40), structures=np.arange(40) % 4)
    assert found.excess[0] == 1
    assert found.p_value[0] == pytest.approx(1 / 16, abs=0.02)


def test_bad_input_is_named():
    arrays = models()
    departures = row_departure(arrays)
    labels = np.zeros(200)
    with pytest.raises(ValueError, match="at least 3 models, got"):
        row_departure({"a": np.eye(3), "b": np.eye(3)})
    with pytest.raises(ValueError, match="different numbers of atoms"):
        neighbour_departure(arrays | {"model 0": arrays["model 0"][1:]})
    with pytest.raises(ValueError, match="different numbers of anchors"):
        row_departure(arrays | {"model 0": arrays["model 0"][:, 1:]})
    with pytest.raises(ValueError, match="all coordinates of model 0 are equal"):
        row_departure(arrays | {"model 0": np.full((200, 12), 0.1)})
    with pytest.raises(ValueError, match="model 2 has values that are not finite in 200"):
        anchor_departure(arrays | {"model 2": np.full((200, 12), np.nan)})
    with pytest.raises(ValueError, match="model is 'model 9'"):
        group_bias(departures, "model 9", labels)
    with pytest.raises(ValueError, match=r"labels has shape \(199,\)"):
        group_bias(departures, "model 0", labels[1:])
    with pytest.raises(ValueError, match=r"structures has shape \(199,\)"):
        group_bias(departures, "model 0", labels, structures=labels[1:])


def test_an_anchor_that_one_model_sees_otherwise_is_found_and_no_other():
    structures = np.repeat(np.arange(60), 4)
    arrays = models(n=240, anchors=12, noise=0.3)
    rng = np.random.default_rng(5)
    arrays["model 1"][:, 7] = rng.normal(size=240)
    found = anchor_bias(arrays, "model 1", structures=structures)
    assert found.labels.tolist() == list(range(12))
    assert np.flatnonzero(found.q_value < 0.01).tolist() == [7]
    assert found.excess[7] > 0.5
    expected = anchor_departure(arrays)
    np.testing.assert_allclose(found.departure, expected["model 1"])
    others = np.median([expected[f"model {i}"] for i in (0, 2, 3)], axis=0)
    np.testing.assert_allclose(found.excess, expected["model 1"] - others)
    assert not (anchor_bias(arrays, "model 0", structures=structures).q_value < 0.01).any()


def test_anchors_of_models_alike_are_significant_as_rarely_as_p_says():
    p_values = []
    for seed in range(40):
        arrays = models(n=120, anchors=6, noise=1.0, seed=seed)
        p_values += anchor_bias(arrays, "model 0", seed=seed).p_value.tolist()
    assert (np.array(p_values) < 0.05).mean() < 0.1
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.08)


def test_bad_input_of_anchor_bias_is_named():
    with pytest.raises(ValueError, match="model is 'x'"):
        anchor_bias(models(), "x")
    with pytest.raises(ValueError, match="interval from 2 groups"):
        anchor_bias(models(), "model 0", structures=np.arange(200) % 2)
