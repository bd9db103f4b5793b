# %% [markdown]
# # Molecular dynamics under watch
#
# One line around the calculator; everything else is plain ASE. Needs `platonic_ase[chgnet]`.

# %%
from pathlib import Path

import numpy as np
from ase import units
from ase.io import read
from ase.md.bussi import Bussi
from ase.md.velocitydistribution import thermalize_momenta
from chgnet.model.dynamics import CHGNetCalculator

from platonic_ase import PlatonicCalculator
from platonic_ase.report.report import write_report

# %%
structures = Path(__file__).parent / "structures"
atoms = read(structures / "NaCl.cif")
atoms.calc = PlatonicCalculator(CHGNetCalculator(), log="md.jsonl")

# %%
rng = np.random.default_rng(0)
thermalize_momenta(atoms, 300, rng=rng)
dynamics = Bussi(atoms, 2 * units.fs, 300, taut=100 * units.fs, rng=rng)
atoms.calc.attach(dynamics)  # optional: graceful stops, energy drift in NVE runs
dynamics.run(50)

# %% [markdown]
# The latest diagnosis has one number a structure, one an atom, and the alarms that are up.

# %%
for name, value in atoms.calc.diagnosis.scalars.items():
    print(f"{name:22s} {value:10.4f}")
print(atoms.calc.summary())

# %% [markdown]
# Per-atom values go into any format that keeps arrays; the log becomes a report.

# %%
atoms.calc.annotate(atoms)
atoms.write("md_annotated.xyz")
atoms.calc.close()
print(write_report("md.jsonl", "md.html"))
