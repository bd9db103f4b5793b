# %% [markdown]
# # Molecular dynamics with MACE under watch
#
# Needs `platonic_ase[mace]`, in an environment of its own: MACE pins an e3nn that others cannot
# use. The weights are downloaded at first use; `model_path=` takes a file that is here already.

# %%
import numpy as np
from ase import units
from ase.build import bulk
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet

from platonic_ase import PlatonicCalculator
from platonic_ase.models import load_calculator

# %%
atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
atoms.calc = PlatonicCalculator(
    load_calculator("mace-mp-0-small"),
    layer="first",  # the invariants of the first layer, as in the paper; also "last" and "all"
    log="mace_md.jsonl",
)

# %%
thermalize_momenta(atoms, 300, rng=np.random.default_rng(0))
dynamics = VelocityVerlet(atoms, 1 * units.fs)
atoms.calc.attach(dynamics)  # graceful stops, and the drift of the total energy
dynamics.run(20)

# %%
print(atoms.calc.summary())
for name, value in atoms.calc.diagnosis.scalars.items():
    print(f"{name:22s} {value:10.4f}")
atoms.calc.close()
