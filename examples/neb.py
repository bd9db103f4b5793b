# %% [markdown]
# # A nudged elastic band with one calculator for all images
#
# A vacancy in aluminium hops. All images share one wrapped model; each keeps a history of its own.
# Needs `platonic_ase[chgnet]`.

# %%
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
energies = [image.get_potential_energy() for image in images]
print("barrier so far: %.2f eV" % (max(energies) - energies[0]))
print(calc.summary())
