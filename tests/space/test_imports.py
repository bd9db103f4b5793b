import subprocess
import sys

MODULES = (
    "space.selection",
    "compare.measures.anchor_bias",
    "compare.measures.arithmetic",
    "compare.measures.bias",
    "compare.measures.dimension",
    "compare.measures.kernel_alignment",
    "compare.measures.mutual_neighbours",
    "compare.measures.nearest",
    "compare.measures.prepared",
    "compare.measures.procrustes",
    "compare.measures.significance",
    "compare.measures.stitching",
    "compare.measures.transport",
)


def test_heavy_packages_are_imported_on_use_only():
    lines = [f"import platonic_ase.{module}" for module in MODULES]
    lines.append("import sys; print({'matplotlib', 'ot', 'sklearn', 'torch'} & set(sys.modules))")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
