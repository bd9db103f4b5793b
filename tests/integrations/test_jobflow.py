"""jobflow makers, run with run_locally; skipped where jobflow is missing."""

import numpy as np
import pytest
from ase.build import bulk
from ase.units import GPa

pytest.importorskip("jobflow", reason="pip install 'platonic_ase[jobflow]'")

from jobflow import Flow, run_locally

from platonic_ase import find_encoder, register_encoder
from platonic_ase.integrations.jobflow import (
    PlatonicMDMaker,
    PlatonicPhononMaker,
    PlatonicRelaxMaker,
    PlatonicScreenMaker,
)
from platonic_ase.testing import MockCalculator, MockEncoder, small_space

MOCK = "platonic_ase.testing:MockCalculator"


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    register_encoder(MockEncoder)
    folder = tmp_path_factory.mktemp("space")
    anchors, reference = small_space(find_encoder(MockCalculator()), [bulk("Cu")])
    return {
        "calculator": MOCK,
        "settings": {
            "anchors": str(anchors.save(folder / "a.safetensors")),
            "reference": str(reference.save(folder / "r.safetensors")),
        },
    }


@pytest.fixture
def copper():
    atoms = bulk("Cu", a=3.55, cubic=True)
    atoms.rattle(0.05, seed=0)
    return atoms


def run(job, folder):
    done = run_locally(job, root_dir=folder, create_folders=True, ensure_success=True, log=False)
    return done[job.uuid][1].output


def test_a_relaxation_is_that_of_the_bare_calculator(options, copper, tmp_path):
    pymatgen = pytest.importorskip("pymatgen.io.ase")
    structure = pymatgen.AseAtomsAdaptor.get_structure(copper)
    maker = PlatonicRelaxMaker(options={"steps": 5}, **options)
    document = run(maker.make(structure), tmp_path)
    from ase.optimize import FIRE

    bare = structure.to_ase_atoms(msonable=False)
    bare.calc = MockCalculator()
    FIRE(bare, logfile=None).run(fmax=0.02, steps=5)
    assert document.energy == bare.get_potential_energy()
    assert document.atoms["positions"] == bare.positions.tolist()
    assert document.structure.num_sites == 4
    assert document.steps == 5
    assert document.worst["extrapolation_score"] > 0
    assert document.not_covered == ["forces: uncalibrated"]
    assert document.output.energy == document.energy
    assert document.output.forces == bare.get_forces().tolist()
    assert np.allclose(
        document.output.stress, bare.get_stress(voigt=False) * (-10 / GPa), rtol=1e-12
    )


def test_documents_flow_into_the_next_job(options, copper, tmp_path):
    relax = PlatonicRelaxMaker(options={"steps": 3}, **options).make(copper_dict(copper))
    phonon = PlatonicPhononMaker(
        options={"supercell": (2, 2, 2), "mesh": (2, 2, 2), "relax": False}, **options
    ).make(relax.output.atoms)
    md = PlatonicMDMaker(options={"steps": 2}, **options).make(relax.output.atoms)
    done = run_locally(
        Flow([relax, phonon, md]), root_dir=tmp_path, create_folders=True, ensure_success=True,
        log=False,
    )  # fmt: skip
    assert done[md.uuid][1].output.steps == 2
    assert "mean_frequency_THz" in done[phonon.uuid][1].output.found


def test_a_structure_that_fails_fails_its_job_but_not_a_screening(options, copper, tmp_path):
    bad = copper_dict(copper)
    bad["cell"] = [[0.0] * 3] * 3
    maker = PlatonicScreenMaker(**options)
    good, failed = run(maker.make([copper_dict(copper), bad]), tmp_path)
    assert good.ended == "finished"
    assert "volume" in failed.error
    with pytest.raises(RuntimeError, match="finish"):
        run(PlatonicRelaxMaker(**options).make(bad), tmp_path)


def copper_dict(atoms):
    from platonic_ase.screen.rows import structure_of

    return structure_of(atoms)
