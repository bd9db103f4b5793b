# %% [markdown]
# # A nudged elastic band with one calculator for all images
#
# A vacancy in aluminium hops. All images share one wrapped model; each keeps a history of its own.
# Needs `platonic_ase[chgnet]`.

# %%
import matplotlib.pyplot as plt
from ase.build import bulk
from ase.mep import NEB
from ase.optimize import FIRE
from chgnet.model.dynamics import CHGNetCalculator

from platonic_ase import PlatonicCalculator

# %%
crystal = bulk("Al", "fcc", a=4.04, cubic=True).repeat((2, 2, 1))
initial, final = crystal.copy(), crystal.copy()
del initial[0]
del final[1]  # the neighbour's site is empty instead
final.positions[0] = crystal.positions[0]  # it has hopped onto the first site
order = [0, *range(1, len(initial))]
final = final[order]

calc = PlatonicCalculator(CHGNetCalculator())
images = [initial, *(initial.copy() for _ in range(3)), final]
for image in images:
    image.calc = calc

# %%
band = NEB(images, allow_shared_calculator=True)
band.interpolate(mic=True)
FIRE(band, logfile=None).run(fmax=0.3, steps=5)

# %% [markdown]
# Each image is diagnosed by itself: how far is the hopping atom from the environments that the
# model is known to handle? Above 1 it is further than what is usual for aluminium.

# %%
energies, scores = [], []
for image in images:
    energies.append(image.get_potential_energy())
    scores.append(calc.diagnosis.per_atom["extrapolation_score"][0])
print(f"barrier so far: {max(energies) - energies[0]:.2f} eV")
print(calc.summary())

# %%
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
axes.plot([energy - energies[0] for energy in energies], "o-", color="#0072B2")
axes.set(xlabel="image", ylabel="energy (eV)", xticks=range(len(images)))
beside = axes.twinx()
beside.bar(range(len(images)), scores, width=0.3, alpha=0.4, color="#D55E00")
beside.set_ylabel("extrapolation score\nof the hopping atom")
figure.savefig("neb.png", dpi=100)
