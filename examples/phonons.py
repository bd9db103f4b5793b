# %% [markdown]
# # Phonons by finite displacements
#
# `ase.phonons` moves one atom at a time; each displaced supercell is one forward pass, diagnosed
# like any other. Needs `platonic_ase[chgnet]`.

# %%
import matplotlib.pyplot as plt
from ase.build import bulk
from ase.phonons import Phonons
from chgnet.model.dynamics import CHGNetCalculator

from platonic_ase import PlatonicCalculator

# %%
atoms = bulk("Si", "diamond", a=5.431)
calc = PlatonicCalculator(CHGNetCalculator())
phonons = Phonons(atoms, calc, supercell=(3, 3, 3), delta=0.03, name="phonons_cache")
phonons.clean()
phonons.run()
phonons.read(acoustic=True)
phonons.clean()

# %% [markdown]
# After the last displacement, before any force constants exist, the risks of these phonons are
# known. Silicon's highest frequency is 15.5 THz in experiment.

# %%
for name, value in calc.diagnosis.risks.items():
    print(f"{name}: {value if isinstance(value, str) else round(value, 2)}")
print(calc.summary())

# %%
THZ = 0.0041357  # eV
bands = phonons.get_band_structure(atoms.cell.bandpath("GXL", npoints=40))
print(f"highest frequency: {bands.energies.max() / THZ:.2f} THz")
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
places, ticks, labels = bands.get_labels()
axes.plot(places, bands.energies[0] / THZ, color="#0072B2")
axes.set(ylabel="frequency (THz)", xticks=ticks, xticklabels=labels, xlim=(ticks[0], ticks[-1]))
figure.savefig("phonons.png", dpi=100)
