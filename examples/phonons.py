# %% [markdown]
# # Phonons by finite displacements
#
# `ase.phonons` moves one atom at a time; each displaced supercell is one forward pass, diagnosed
# like any other. Needs `platonic_ase[chgnet]`.

# %%
from ase.build import bulk
from ase.phonons import Phonons
from chgnet.model.dynamics import CHGNetCalculator

from platonic_ase import PlatonicCalculator

# %%
atoms = bulk("Si", "diamond", a=5.431)
calc = PlatonicCalculator(CHGNetCalculator())
phonons = Phonons(atoms, calc, supercell=(2, 2, 2), delta=0.03, name="phonons_cache")
phonons.clean()
phonons.run()
phonons.read(acoustic=True)
phonons.clean()

# %%
bands = phonons.get_band_structure(atoms.cell.bandpath("GXL", npoints=20))
print(f"highest frequency: {bands.energies.max() / 0.0041357:.2f} THz")
print(calc.summary())
