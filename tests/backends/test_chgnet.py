"""CHGNet, with the real weights that come with its package."""

import numpy as np
import pytest
from contract import BackendContract, salt

from platonic_ase import find_encoder
from platonic_ase.models import load_calculator
from platonic_ase.models.embed import embed_one

pytest.importorskip("chgnet", reason="pip install 'platonic_ase[chgnet]'")
pytestmark = pytest.mark.backend("chgnet")


class TestCHGNet(BackendContract):
    @classmethod
    def load(cls, folder, seed=0):
        return load_calculator(("chgnet-0.3.0", "chgnet-0.2.0")[seed], device="cpu")


def test_equals_atom_features_of_chgnet():
    calculator = load_calculator("chgnet-r2scan", device="cpu")
    atoms = salt()
    atoms.rattle(0.05, seed=0)
    found = embed_one(find_encoder(calculator), atoms)
    from pymatgen.io.ase import AseAtomsAdaptor

    graph = calculator.model.graph_converter(AseAtomsAdaptor.get_structure(atoms))
    own = calculator.model.predict_graph(graph, task="e", return_atom_feas=True)
    assert np.array_equal(found, own["atom_fea"])


def test_loading_prints_nothing(capsys):
    load_calculator("chgnet", device="cpu")
    assert capsys.readouterr().out == ""
