# %% [markdown]
# # A relaxation that breaks a symmetry
#
# Cubic BaTiO3 is unstable: displaced a little and relaxed, it leaves Pm-3m. The reference is the
# ideal structure, so the watch knows what "symmetric" means. Needs `platonic_ase[chgnet]`.

# %%
import warnings
from pathlib import Path

from ase.io import read
from ase.optimize import FIRE
from chgnet.model.dynamics import CHGNetCalculator

from platonic_ase import PlatonicCalculator
from platonic_ase.errors import SymmetryWarning

# %%
atoms = read(Path(__file__).parent / "structures" / "BaTiO3.cif")
atoms.calc = PlatonicCalculator(CHGNetCalculator())
atoms.calc.reset_reference(atoms)
atoms.rattle(0.01, seed=0)

# %%
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", SymmetryWarning)
    FIRE(atoms, logfile=None).run(fmax=0.01, steps=200)

for warning in caught:
    if issubclass(warning.category, SymmetryWarning):
        print(warning.message)
print(atoms.calc.summary())
