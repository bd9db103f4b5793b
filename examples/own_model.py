# %% [markdown]
# # A torch model of your own
#
# Say where its per-atom features are, choose anchors among your structures, and it is watched like
# any foundation model. Nothing but the package itself is needed.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list
from ase.optimize import BFGS

from platonic_ase import PlatonicCalculator, TorchEncoder
from platonic_ase.models.default_reference import build_custom_space

# %% [markdown]
# A toy potential: radial basis functions of the neighbours, summed per atom, then a small network.


# %%
class Potential(torch.nn.Module):
    def __init__(self, cutoff=5.0, n_basis=12, width=16):
        super().__init__()
        torch.manual_seed(0)
        self.cutoff = cutoff
        self.register_buffer("centres", torch.linspace(1.0, cutoff, n_basis))
        self.features = torch.nn.Sequential(torch.nn.Linear(n_basis, width), torch.nn.Tanh())
        self.readout = torch.nn.Linear(width, 1)

    def forward(self, positions, pairs, shifts):
        vectors = positions[pairs[1]] + shifts - positions[pairs[0]]
        lengths = vectors.norm(dim=1, keepdim=True)
        envelope = 0.5 * (1 + torch.cos(torch.pi * lengths / self.cutoff))
        basis = torch.exp(-4 * (lengths - self.centres) ** 2) * envelope
        summed = torch.zeros(len(positions), len(self.centres)).index_add(0, pairs[0], basis)
        return self.readout(self.features(summed)).sum()


class PotentialCalculator(Calculator):
    implemented_properties = ("energy", "forces")

    def __init__(self, model):
        super().__init__()
        self.model = model

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        i, j, s = neighbor_list("ijS", atoms, self.model.cutoff)
        positions = torch.tensor(atoms.positions, dtype=torch.float32, requires_grad=True)
        shifts = torch.tensor(s @ atoms.cell.array, dtype=torch.float32)
        energy = self.model(positions, torch.tensor(np.stack([i, j])), shifts)
        (gradient,) = torch.autograd.grad(energy, positions)
        self.results = {"energy": energy.item(), "forces": -gradient.numpy()}


# %% [markdown]
# Where to listen, and anchors from structures that matter to you.

# %%
calc = PotentialCalculator(Potential())
encoder = TorchEncoder(calc, "model.features", width=16, name="toy potential")

structures = []
for a in np.linspace(3.9, 4.3, 200):
    crystal = bulk("Al", "fcc", a=a, cubic=True)
    crystal.rattle(0.1, seed=round(10000 * a))
    crystal.info["group"] = f"Al, a = {a:.3f} Å"  # copies that must stay on one side of a split
    structures.append(crystal)
anchors, reference = build_custom_space(
    encoder, structures, n=20, source="strained, rattled fcc Al", progress=False
)
anchors.save("toy.anchors.safetensors")

# %%
atoms = bulk("Al", "fcc", a=4.05, cubic=True)
atoms.rattle(0.05, seed=1)
atoms.calc = PlatonicCalculator(
    calc, encoder=encoder, anchors="toy.anchors.safetensors", reference=reference
)
BFGS(atoms, logfile=None).run(fmax=0.01, steps=20)
print(atoms.calc.platonic.shape)
for name, value in atoms.calc.diagnosis.scalars.items():
    print(f"{name:24s} {value:10.4f}")

# %% [markdown]
# The distance from what the anchors cover: small for their lattice parameters, and far above the
# threshold outside.

# %%
watched = PlatonicCalculator(
    calc, encoder=encoder, anchors=anchors, reference=reference, on_warning="ignore"
)
lattice = np.linspace(3.6, 4.8, 49)
scores = []
for a in lattice:
    strained = bulk("Al", "fcc", a=a, cubic=True)
    strained.rattle(0.05, seed=2)
    strained.calc = watched
    strained.get_forces()
    scores.append(watched.diagnosis.scalars["extrapolation_score"])

# %%
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
axes.axvspan(3.9, 4.3, color="#009E73", alpha=0.15, label="covered by the anchors' structures")
axes.plot(lattice, scores, color="#0072B2", label="worst atom")
axes.axhline(1, color="#D55E00", linestyle="dashed", label="threshold of the element")
axes.set(xlabel="lattice parameter (Å)", ylabel="distance from the reference\n/ threshold")
axes.legend()
figure.savefig("own_model.png", dpi=100)
