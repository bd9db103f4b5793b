# %% [markdown]
# # A relaxation with Orb, which is not invariant
#
# Needs `platonic_ase[orb]`. The weights are downloaded at first use; `model_path=` takes a file
# that is here already. Orb compiles itself by default, which pays for long runs only.

# %%
from ase.optimize import FIRE
from ase.spacegroup import crystal

from platonic_ase import PlatonicCalculator
from platonic_ase.audit import audit
from platonic_ase.models import load_calculator

# %%
orb = load_calculator("orb-v3-direct-inf-omat", compile=False)
rutile = crystal(
    ["Ti", "O"],
    [(0, 0, 0), (0.305, 0.305, 0)],
    spacegroup=136,
    cellpar=[4.59, 4.59, 2.96, 90, 90, 90],
)

# %% [markdown]
# What the model gets wrong by construction: it tells the four equivalent oxygen atoms apart, and
# its forces are no gradient.

# %%
print(audit(orb, rutile))

# %% [markdown]
# The same under watch: while the geometry is symmetric, any splitting of an orbit is the model's.

# %%
rutile.calc = PlatonicCalculator(orb, on_warning="ignore", log="orb_relax.jsonl")
rutile.get_forces()
for signal in rutile.calc.diagnosis.alarms:
    print(signal.message, signal.advice)

# %%
FIRE(rutile, logfile=None).run(fmax=0.02, steps=10)
print(rutile.calc.summary())
rutile.calc.close()
