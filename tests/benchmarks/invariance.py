"""Invariance of embeddings and overhead of capture, for every potential installed here, as JSON.

python tests/benchmarks/invariance.py [NAME...]

CHGNet and SevenNet have their real weights, the others random ones in the real architecture.
"""

import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch
from ase.build import bulk
from ase.spacegroup import crystal

sys.path.insert(0, str(Path(__file__).parents[1] / "backends"))
import random_models

from platonic_ase.audit.invariance import symmetry_error
from platonic_ase.models import Encoder, find_encoder, find_entry, load_calculator
from platonic_ase.models.packages import PACKAGES

CASES = {
    "chgnet-0.3.0": None,
    "7net-0": None,
    "7net-l3i5": None,
    "7net-mf-0": None,
    "mace-mp-0-small": random_models.save_mace,
    "orb-v2": lambda path: random_models.save_orb(path, "orb_v2"),
    "orb-v3-direct-inf-omat": lambda path: random_models.save_orb(path, "orb_v3_direct"),
    "orb-v3-conservative-inf-omat": lambda path: random_models.save_orb(
        path, "orb_v3_conservative"
    ),
    "mattersim-v1-1m": random_models.save_mattersim,
    "tensornet-pes-matpes-pbe-2025.2": lambda path: random_models.save_matgl(path, "TensorNet"),
    "m3gnet-mp-2021.2.8-pes": lambda path: random_models.save_matgl(path, "M3GNet"),
    "chgnet-pes-matpes-pbe-2025.2.10": lambda path: random_models.save_matgl(path, "CHGNet"),
    "uma-s-1p1": lambda path: random_models.save_fairchem(path, "uma"),
    "esen-sm-conserving-all-omol": lambda path: random_models.save_fairchem(path, "esen"),
    "nequip-oam-l": random_models.save_nequip,
    "metatomic": random_models.save_pet,
}
OPTIONS = {"orb": {"compile": False}, "fairchem": {"inference_settings": "batch"}}
RUTILE = crystal(
    ["Ti", "O"],
    [(0, 0, 0), (0.305, 0.305, 0)],
    spacegroup=136,
    cellpar=[4.59, 4.59, 2.96, 90, 90, 90],
)


def capture_overhead(encoder: Encoder, n_atoms: int = 64, repeats: int = 300) -> float:
    """Microseconds to listen, keep the embeddings of one forward pass and stop listening."""
    tensors = [torch.zeros(n_atoms, encoder.width)] * encoder.captures_per_forward
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        with encoder.capture() as capture:
            for tensor in tensors:
                capture.receive(tensor)
        best = min(best, time.perf_counter() - start)
    return 1e6 * best


def measure(name: str, folder: Path) -> dict[str, object]:
    family = find_entry(name)[0].family
    save = CASES[name]
    path = None if save is None else save(folder / name)
    calculator = load_calculator(name, model_path=path, device="cpu", **OPTIONS.get(family, {}))
    encoder = find_encoder(calculator)
    silicon = symmetry_error(encoder, bulk("Si", cubic=True))
    rutile = symmetry_error(encoder, RUTILE)
    return {
        "package": f"{encoder.package} {PACKAGES[family].installed}",
        "weights": "real" if save is None else "random",
        "layer": encoder.layer,
        "width": encoder.width,
        "rotation": max(silicon.rotation, rutile.rotation),
        "inversion": max(silicon.inversion, rutile.inversion),
        "permutation": max(silicon.permutation, rutile.permutation),
        "forces_rotation_eV_per_A": max(silicon.forces, rutile.forces),
        "diamond_sites": silicon.sites,
        "rutile_sites": rutile.sites,
        "capture_us": round(capture_overhead(encoder), 1),
    }


def main() -> None:
    warnings.simplefilter("ignore")
    if len(sys.argv) == 2:  # some packages change global settings of torch: one process each
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(sys.argv[1], Path(folder))))
        return
    found = {}
    for name in sys.argv[1:] or CASES:
        if find_entry(name)[0].package.installed is not None:
            done = subprocess.run(
                [sys.executable, __file__, name], stdout=subprocess.PIPE, text=True, check=True
            )
            found[name] = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
