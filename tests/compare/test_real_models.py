from functools import partial

import pytest
from ase.build import bulk

from platonic_ase.compare import compare_models
from platonic_ase.compare.controls import load_model

pytestmark = [pytest.mark.slow, pytest.mark.backend("chgnet")]


def test_random_weights_are_foreign_and_checkpoints_are_kin(tmp_path):
    pytest.importorskip("chgnet")
    cells = []
    for k, name in enumerate(["NaCl", "KBr", "MgO", "CaO", "LiF", "RbI", "SrS", "BaO"]):
        for copy in range(3):
            atoms = bulk(name, "rocksalt", a=4.3 + 0.3 * k)
            atoms.rattle(0.1, seed=10 * k + copy)
            cells.append(atoms)
    names = ("chgnet-0.3.0", "chgnet-0.2.0", "chgnet-0.3.0*random")
    comparison, _ = compare_models(
        cells, {name: partial(load_model, name, device="cpu") for name in names},
        folder=tmp_path, k=5, n_resamples=0, n_permutations=20, progress=False,
    )  # fmt: skip
    cka = {
        (row.a, row.b): row.estimate.value
        for row in comparison.similarity
        if row.space == "platonic" and row.measure == "cka_linear_unbiased"
    }
    assert cka[names[0], names[1]] > 0.6
    for name in names[:2]:
        assert cka[name, names[2]] < 0.5 * cka[names[0], names[1]]
