# %% [markdown]
# # Will these phonons be right? Asked of phonopy
#
# A loop over the displaced supercells of phonopy, as everybody writes it. The wrapper recognises
# them, and says after the last one, before any force constants exist, how wrong the spectrum is
# likely to be. Needs `platonic_ase[chgnet]`.

# %%
# %matplotlib inline
import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE
from chgnet.model.dynamics import CHGNetCalculator
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms

from platonic_ase import PlatonicCalculator
from platonic_ase.phonons import assess_phonopy
from platonic_ase.phonons.figures import bands_and_dos
from platonic_ase.stability.run import run_forecast

calc = PlatonicCalculator(CHGNetCalculator())


def phonopy_of(atoms):
    cell = PhonopyAtoms(atoms.get_chemical_symbols(), cell=atoms.cell, positions=atoms.positions)
    phonon = Phonopy(cell, supercell_matrix=np.diag([2, 2, 2]), primitive_matrix="F")
    phonon.generate_displacements(distance=0.03)
    return phonon


def to_ase(cell):
    return Atoms(cell.symbols, positions=cell.positions, cell=cell.cell, pbc=True)


# %% [markdown]
# ## A loop of your own
#
# Boron phosphide is a hard case: CHGNet makes its bonds far too soft.

# %%
crystal = bulk("BP", "zincblende", a=4.54, cubic=True)
crystal.calc = calc.calculator
FIRE(FrechetCellFilter(crystal), logfile=None).run(fmax=1e-3)
phonon = phonopy_of(crystal)
calc.reset_reference(to_ase(phonon.supercell))
forces = []
for supercell in phonon.supercells_with_displacements:
    atoms = to_ase(supercell)
    atoms.calc = calc
    forces.append(atoms.get_forces())

for name, value in calc.diagnosis.risks.items():
    print(f"{name}: {value if isinstance(value, str) else round(value, 2)}")

# %% [markdown]
# ## The whole calculation
#
# `assess_phonopy` does the loop, and all that comes after it: bands, density of states, thermal
# properties, each with an estimated correction beside it, and a report to open in a browser.

# %%
result = assess_phonopy(phonopy_of(crystal), calc, report="BP.html", progress=False)
print(result.describe())

# %% [markdown]
# Blue: as computed. Dashed: the estimated correction, with its band.

# %%
corrected = () if result.corrected is None else tuple(result.corrected.spectra.values())
figure = bands_and_dos(result.spectrum, corrected)
figure.savefig("phonopy_loop.png", dpi=100)
figure

# %% [markdown]
# ## Will the symmetry hold?
#
# Cubic strontium titanate, from the symmetric structure alone.

# %%
a = 3.94
cubic = Atoms(
    "SrTiO3",
    scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)],
    cell=[a, a, a],
    pbc=True,
)
print(run_forecast(cubic, calc, progress=False).forecast)
