# %% [markdown]
# # i-PI
#
# A driver for i-PI 3 that returns the diagnostics with the forces: i-PI writes what it finds in
# `extras` beside its trajectory. ASE's driver hands the calculator a new Atoms object in each step;
# this one keeps one object, which is what a history belongs to. With several beads the history
# would jump from one to the next: give each a driver of its own.

# %%
import json
from pathlib import Path

from ase.build import bulk
from ase.io import write
from ipi.engine.simulation import Simulation
from ipi.pes._ase import ASEDriver

import platonic_ase

__DRIVER_NAME__ = "platonic"
__DRIVER_CLASS__ = "PlatonicDriver"


class PlatonicDriver(ASEDriver):
    """An ASE driver around a potential that is watched."""

    def __init__(self, template, model="chgnet", log=None, **options):
        self.model, self.log = model, log
        super().__init__(template, **options)

    def check_parameters(self):
        super().check_parameters()
        self.ase_calculator = platonic_ase.watched(self.model, log=self.log)
        self.atoms = self.template_ase.copy()
        self.atoms.calc = self.ase_calculator

    def compute_structure(self, cell, pos):
        cell, positions = self.convert_units(cell, pos)
        self.atoms.set_cell(cell)
        self.atoms.positions[:] = positions
        found = {
            "energy": self.atoms.get_potential_energy(),
            "forces": self.atoms.get_forces(),
            "stress": self.atoms.get_stress(),  # of six numbers, also of CHGNet
        }
        energy, forces, virial, _ = self.post_process(found, self.atoms)
        return energy, forces, virial, json.dumps(self.extras())

    def extras(self):
        """Numbers only: i-PI writes lists and floats."""
        diagnosis = self.ase_calculator.diagnosis
        return {
            "extrapolation_score": [diagnosis.scalars["extrapolation_score"]],
            "manifold_distance": diagnosis.per_atom["manifold_distance"].tolist(),
            "warnings": [float(len(diagnosis.events))],
        }


# %% [markdown]
# Five steps of 1 fs. `pes="custom"` takes the driver from this file.


# %%
def simulation(structure, driver):
    return f"""
<simulation verbosity='quiet' threading='false'>
  <output prefix='ipi'>
    <properties stride='1'> [step, conserved, temperature{{kelvin}}] </properties>
    <trajectory filename='score' stride='1' extra_type='extrapolation_score'> extras </trajectory>
  </output>
  <total_steps>5</total_steps>
  <ffdirect name='watched'>
    <pes>custom</pes>
    <pes_path>{driver}</pes_path>
    <parameters>{{template: {structure}, log: ipi-run.jsonl}}</parameters>
  </ffdirect>
  <system>
    <initialize nbeads='1'>
      <file mode='ase'>{structure}</file>
      <velocities mode='thermal' units='kelvin'>300</velocities>
    </initialize>
    <forces><force forcefield='watched'/></forces>
    <ensemble><temperature units='kelvin'>300</temperature></ensemble>
    <motion mode='dynamics'>
      <dynamics mode='nve'><timestep units='femtosecond'>1</timestep></dynamics>
    </motion>
  </system>
</simulation>
"""


def main():
    atoms = bulk("NaCl", "rocksalt", a=5.65, cubic=True)
    atoms.rattle(0.02, seed=1)
    write("start.xyz", atoms)
    Simulation.load_from_xml(simulation("start.xyz", Path(__file__).absolute())).run()
    print(Path("ipi.score_0").read_text())
    print("report: platonic-ase report ipi-run.jsonl")


if __name__ == "__main__":
    main()
