# %% [markdown]
# # A relaxation that breaks a symmetry
#
# Cubic BaTiO3 is unstable: displaced a little and relaxed, it leaves Pm-3m. The reference is the
# ideal structure, so the watch knows what "symmetric" means. Needs `platonic_ase[chgnet]`.

# %%
# %matplotlib inline
import warnings

from ase.optimize import FIRE
from ase.spacegroup import crystal
from chgnet.model.dynamics import CHGNetCalculator

from platonic_ase import PlatonicCalculator
from platonic_ase.errors import SymmetryWarning
from platonic_ase.report.columns import read_columns
from platonic_ase.report.figures import drawings

# %%
atoms = crystal(
    ["Ba", "Ti", "O"],
    [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)],
    spacegroup=221,
    cellpar=[4.01, 4.01, 4.01, 90, 90, 90],
)
atoms.calc = PlatonicCalculator(CHGNetCalculator(), log="relaxation.jsonl")
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
atoms.calc.close()

# %% [markdown]
# The triangle is the warning: the energy falls along the asymmetry while the structure is still
# within a few hundredths of an ångström of the symmetric one.

# %%
figure = drawings(read_columns("relaxation.jsonl")[-1])["splitting"]()
figure.savefig("relaxation.png", dpi=100)
figure
