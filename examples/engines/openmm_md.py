# %% [markdown]
# # OpenMM
#
# OpenMM-ML takes any ASE calculator, so that the watched one stands where the bare one would. Given
# the Atoms object rather than the calculator, OpenMM-ML moves that object, and what is found of it
# can be read at any time. OpenMM computes in double precision on its reference platform, on which
# the forces are those of the model; other platforms round them to single precision.

# %%
import numpy as np
import openmm
from ase.build import bulk
from openmm import app, unit
from openmmml import MLPotential

import platonic_ase


# %%
def topology_of(atoms):
    """OpenMM's description of an orthorhombic crystal: one residue, no bonds."""
    topology = app.Topology()
    residue = topology.addResidue("CRY", topology.addChain())
    for symbol in atoms.symbols:
        topology.addAtom(symbol, app.Element.getBySymbol(symbol), residue)
    topology.setPeriodicBoxVectors(atoms.cell.array * unit.angstrom)
    return topology


def run(calculator, steps=5, seed=1):
    """NVE at 300 K; the structure at the end, and the potential energies in kJ/mol."""
    atoms = bulk("NaCl", "rocksalt", a=5.65, cubic=True)
    atoms.rattle(0.02, seed=1)
    atoms.calc = calculator
    topology = topology_of(atoms)
    system = MLPotential("ase").createSystem(topology, aseAtoms=atoms)
    engine = app.Simulation(
        topology,
        system,
        openmm.VerletIntegrator(1 * unit.femtosecond),
        openmm.Platform.getPlatformByName("Reference"),
    )
    engine.context.setPositions(atoms.positions * unit.angstrom)
    engine.context.setVelocitiesToTemperature(300 * unit.kelvin, seed)
    energies = []
    for _ in range(steps):
        engine.step(1)
        state = engine.context.getState(getEnergy=True)
        energies.append(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole))
    return atoms, np.array(energies)


# %%
def main():
    calculator = platonic_ase.watched("chgnet", log="openmm-run.jsonl")
    _, energies = run(calculator)
    print("potential energy (kJ/mol):", *np.round(energies, 3))
    print(calculator.summary())
    print("report: platonic-ase report openmm-run.jsonl")


if __name__ == "__main__":
    main()
