import subprocess
import sys

MODULES = (
    "selection",
    "compare.anchor_bias",
    "compare.arithmetic",
    "compare.bias",
    "compare.dimension",
    "compare.kernel_alignment",
    "compare.mutual_neighbours",
    "compare.nearest",
    "compare.prepared",
    "compare.procrustes",
    "compare.significance",
    "compare.stitching",
    "compare.transport",
)


def test_heavy_packages_are_imported_on_use_only():
    lines = [f"import platonic_ase.space.{module}" for module in MODULES]
    lines.append("import sys; print({'ot', 'sklearn', 'torch', 'scipy'} & set(sys.modules))")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
