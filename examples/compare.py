# %% [markdown]
# # Two checkpoints of one architecture, compared
#
# Do CHGNet 0.3.0 and 0.2.0 arrange the same atoms in the same way? Both embed the same crystals;
# anchors, the same environments for both, give them common axes. Needs `platonic_ase[chgnet]`.

# %%
# %matplotlib inline
from functools import partial

from ase.build import bulk

from platonic_ase.compare import compare_models
from platonic_ase.compare.figures import draw_all
from platonic_ase.compare.report import write_report
from platonic_ase.models import load_calculator

# %% [markdown]
# Any structures will do; here are rattled salts, oxides and semiconductors.

# %%
CRYSTALS = {
    "rocksalt": {"NaCl": 5.64, "LiF": 4.03, "KBr": 6.60, "MgO": 4.21, "CaO": 4.81},
    "zincblende": {"GaAs": 5.65, "ZnS": 5.41, "InP": 5.87, "SiC": 4.36, "AgI": 6.47},
}
structures = []
for prototype, lattices in CRYSTALS.items():
    for k, (name, a) in enumerate(lattices.items()):
        for copy in range(2):
            atoms = bulk(name, prototype, a=a, cubic=False).repeat((2, 1, 1))
            atoms.rattle(0.1, seed=10 * k + copy)
            structures.append(atoms)

# %%
comparison, views = compare_models(
    structures,
    {name: partial(load_calculator, name) for name in ("chgnet-0.3.0", "chgnet-0.2.0")},
    folder="embeddings",
    k=5,
    n_resamples=20,
    n_permutations=20,
    progress=False,
)
for row in comparison.similarity:
    print(f"{row.measure:20s} {row.space:13s} {row.estimate.value:.2f}")
for row in comparison.transport:
    print(f"transport   {row.space:13s} {row.estimate.value:.2f} on the same {row.label}")

# %%
print(write_report(comparison, views, "compare.html", structures))

# %% [markdown]
# Both models' maps of the same atoms, each by itself above, on common axes below.

# %%
figure = draw_all(comparison, views)["maps"].figure
figure.savefig("compare.png", dpi=100)
figure
