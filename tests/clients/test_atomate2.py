"""The makers in a flow of atomate2, in the place of its own force-field maker."""

import numpy as np
import pytest
from ase.build import bulk

pytestmark = [pytest.mark.client, pytest.mark.slow]


def test_an_equation_of_state_is_that_of_its_own_maker(tmp_path):
    jobs = pytest.importorskip(
        "atomate2.forcefields.jobs", reason="atomate2 is not installed; .ci/clients installs it"
    )
    from atomate2.forcefields.flows.eos import ForceFieldEosMaker
    from jobflow import run_locally
    from pymatgen.io.ase import AseAtomsAdaptor

    from platonic_ase.integrations.jobflow import PlatonicRelaxMaker

    structure = AseAtomsAdaptor.get_structure(bulk("NaCl", "rocksalt", a=5.65))
    found = []
    own = jobs.ForceFieldRelaxMaker(
        force_field_name="CHGNet", relax_cell=False, steps=3, relax_kwargs={"fmax": 0.05}
    )
    watched = PlatonicRelaxMaker(calculator="chgnet", options={"fmax": 0.05, "steps": 3})
    for name, maker in (("own", own), ("watched", watched)):
        flow = ForceFieldEosMaker(
            initial_relax_maker=None, eos_relax_maker=maker, number_of_frames=4
        ).make(structure)
        folder = tmp_path / name
        folder.mkdir()
        done = run_locally(
            flow, root_dir=folder, create_folders=True, ensure_success=True, log=False
        )
        found.append(done[flow.jobs[-1].uuid][1].output)
    for key in ("energy", "volume"):
        one, other = (np.array(each["relax"][key]) for each in found)
        assert one.shape == (4,)
        assert np.allclose(one, other, atol=1e-5)
