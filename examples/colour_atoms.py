# %% [markdown]
# # Atoms coloured by what was seen of them, in OVITO and ASE GUI
#
# Each frame of a trajectory in extended XYZ holds one column a diagnostic. Needs
# `platonic_ase[chgnet]`, and `pip install ovito` for the picture.
#
# - **OVITO**: open the file, add the modification *Color coding*, choose
#   `platonic_force_error_bound`. Or open `colour_atoms.ovito`, which the last cell writes.
# - **ASE GUI**: `ase gui colour_atoms.xyz`, then *View → Colors* and *By user-defined
#   "platonic_force_error_bound"*.

# %%
import matplotlib.pyplot as plt
from ase.build import bulk
from chgnet.model.dynamics import CHGNetCalculator
from ovito import scene
from ovito.io import import_file
from ovito.modifiers import ColorCodingModifier
from ovito.vis import ColorLegendOverlay, TachyonRenderer, Viewport

from platonic_ase import PlatonicCalculator
from platonic_ase.runs.md import run_md

# %% [markdown]
# Two atoms change places, and the crystal is hot: some atoms are worse off than others. In a
# shell, `platonic-ase md NaCl.cif --trajectory colour_atoms.xyz` writes such a file.

# %%
atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat((2, 2, 2))
atoms.positions[[0, 1]] = atoms.positions[[1, 0]]
result = run_md(
    atoms,
    PlatonicCalculator(CHGNetCalculator(), on_warning="ignore"),
    temperature=600,
    steps=20,
    trajectory="colour_atoms.xyz",
    trajectory_interval=5,
    seed=0,
    progress=False,
)
print(result.summary)
print([name for name in atoms.calc.annotate(atoms).arrays if name.startswith("platonic")])

# %%
pipeline = import_file("colour_atoms.xyz")
pipeline.modifiers.append(ColorCodingModifier(property="platonic_force_error_bound"))
pipeline.add_to_scene()
viewport = Viewport(type=Viewport.Type.Perspective, camera_dir=(-2, 1, -1))
viewport.overlays.append(
    ColorLegendOverlay(
        modifier=pipeline.modifiers[0],
        title="90 % bound of the force error (eV/Å)",
        format_string="%.2f",
    )
)
viewport.zoom_all()
viewport.render_image(
    filename="colour_atoms.png",
    size=(700, 500),
    frame=pipeline.num_frames - 1,
    background=(1, 1, 1),
    renderer=TachyonRenderer(),
)
scene.save("colour_atoms.ovito")
print(pipeline.num_frames, "frames")

# %%
figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
axes.imshow(plt.imread("colour_atoms.png"))
axes.set_axis_off()
