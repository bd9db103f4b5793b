# %% [markdown]
# # The figures of the Platonic representation, in kind
#
# Li and Walsh (arXiv:2512.05349) put seven potentials into one space and drew maps, similarity
# matrices, transport plans, analogies and biases. The same figures here, of three checkpoints that
# need no download and 100 small crystals, as PDF, SVG and PNG. Needs
# `platonic_ase[chgnet,sevennet]`; SevenNet embeds for a minute or two.

# %%
# %matplotlib inline
from functools import partial
from math import sqrt

from ase.build import bulk
from ase.data import atomic_numbers, covalent_radii

from platonic_ase.compare import compare_models
from platonic_ase.compare.figures import draw_all, save_all
from platonic_ase.compare.retrieval import pooled
from platonic_ase.models import load_calculator

MODELS = ("chgnet-0.3.0", "chgnet-r2scan", "7net-0")

# %% [markdown]
# Salts, oxides, semiconductors and nitrides, so that many groups of elements are there, each
# element in enough crystals for the test of bias; rattled, so that atoms are distinct.

# %%
FAMILIES = (
    ("rocksalt", "Li Na K Rb", "F Cl Br I"),
    ("rocksalt", "Mg Ca Sr Ba", "O S Se Te"),
    ("zincblende", "Al Ga In", "N P As"),
    ("rocksalt", "Ti V Cr", "C N O"),
)
BOND_TO_LATTICE = {"rocksalt": 2, "zincblende": 4 / sqrt(3)}

structures = []
for prototype, cations, anions in FAMILIES:
    for a in cations.split():
        for b in anions.split():
            bond = covalent_radii[atomic_numbers[a]] + covalent_radii[atomic_numbers[b]]
            for _ in range(2):
                atoms = bulk(a + b, prototype, a=BOND_TO_LATTICE[prototype] * bond)
                atoms = atoms.repeat((2, 1, 1))
                atoms.rattle(0.08, seed=len(structures))
                structures.append(atoms)

# %%
comparison, views = compare_models(
    structures,
    {name: partial(load_calculator, name, device="cpu") for name in MODELS},
    folder="embeddings",
    n_resamples=20,
    n_permutations=20,
    transport_atoms=300,
    progress=False,
)

# %% [markdown]
# How many atoms does a transport plan find again, from one architecture to the other?

# %%
for row in comparison.transport:
    if row.label == "atom" and (row.a, row.b) == ("chgnet-0.3.0", "7net-0"):
        found = row.estimate
        print(f"{row.space:13s} {found.value:.3f} (right elements only: {found.baseline_mean:.3f})")

# %% [markdown]
# Analogies such as NaCl - Na + K → KCl, formed in one model and answered in another.

# %%
for (model, target, space), scores in pooled(comparison.analogies).items():
    if space in ("composition", "standardised"):
        print(f"{model:16s} → {target:16s} MRR {scores['mean_reciprocal_rank']:.2f}")

# %%
drawings = draw_all(comparison, views)
for name, drawing in drawings.items():
    print(f"{name:11s} {drawing.title}")
print(*save_all(drawings, "figures"), sep="\n")

# %% [markdown]
# One of them: how similar the models are, by measure and space.

# %%
drawings["similarity"].figure
