# %% [markdown]
# # Molecular dynamics under watch
#
# One line around the calculator; everything else is plain ASE. Rock salt far above its melting
# point, so that there is something to see. Needs `platonic_ase[chgnet]`.

# %%
# %matplotlib inline
import warnings

import numpy as np
from ase import units
from ase.build import bulk
from ase.md.bussi import Bussi
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from chgnet.model.dynamics import CHGNetCalculator

from platonic_ase import PlatonicCalculator
from platonic_ase.errors import PlatonicWarning
from platonic_ase.report.columns import read_columns
from platonic_ase.report.figures import drawings
from platonic_ase.report.report import write_report

# %%
atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
atoms.calc = PlatonicCalculator(CHGNetCalculator(), log="md.jsonl")

# %% [markdown]
# Warnings arrive while the run goes on. They are ordinary Python warnings, lines of the log, and
# records of the logger `platonic_ase.events`; here they are collected and printed.

# %%
rng = np.random.default_rng(0)
thermalize_momenta(atoms, 2000, rng=rng)
Stationary(atoms)
dynamics = Bussi(atoms, 2 * units.fs, 2000, taut=100 * units.fs, rng=rng)
atoms.calc.attach(dynamics)  # optional: graceful stops, energy drift in NVE runs
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", PlatonicWarning)
    dynamics.run(200)
for warning in caught:
    if issubclass(warning.category, PlatonicWarning):
        print(warning.message)

# %% [markdown]
# The latest diagnosis has one number a structure, one an atom, and the alarms that are up.

# %%
for name, value in atoms.calc.diagnosis.scalars.items():
    print(f"{name:24s} {value:10.4f}")
print(atoms.calc.summary())

# %% [markdown]
# Per-atom values go into any format that keeps arrays. The log becomes a report to open in a
# browser; in a notebook, `platonic_ase.report.show("md.jsonl")` shows it in a cell.

# %%
atoms.calc.annotate(atoms)
atoms.write("md_annotated.xyz")
atoms.calc.close()
print(write_report("md.jsonl", "md.html"))

# %% [markdown]
# The same numbers as figures for a paper. The rms displacement passes the alarm: the crystal leaves
# its sites.

# %%
figure = drawings(read_columns("md.jsonl")[-1])["splitting"]()
figure.savefig("md.png", dpi=100)
figure
