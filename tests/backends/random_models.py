"""Tiny models with each package's real architecture and seeded random weights, in its own files.

Each function writes a file (MatGL: a folder) that the package's own loader reads. Orb is not tiny:
its loaders build the released architectures.
"""

from pathlib import Path

import numpy as np

SYMBOLS = ("H", "O", "Na", "Si", "Cl", "Ti")
NUMBERS = (1, 8, 11, 14, 17, 22)


def save_mace(path: Path, seed: int = 0, heads: tuple[str, ...] = ("Default",)) -> Path:
    import torch
    from mace import modules  # mace goes before e3nn

    # isort: split
    from e3nn import o3

    torch.manual_seed(seed)
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    model = modules.ScaleShiftMACE(
        r_max=4.5,
        num_bessel=6,
        num_polynomial_cutoff=5,
        max_ell=2,
        interaction_cls=block,
        interaction_cls_first=block,
        num_interactions=2,
        num_elements=len(NUMBERS),
        hidden_irreps=o3.Irreps("16x0e + 16x1o"),
        MLP_irreps=o3.Irreps("8x0e"),
        gate=torch.nn.functional.silu,
        atomic_energies=np.zeros((len(heads), len(NUMBERS))),
        avg_num_neighbors=12.0,
        atomic_numbers=list(NUMBERS),
        correlation=2,
        radial_type="bessel",
        atomic_inter_scale=[1.0] * len(heads),
        atomic_inter_shift=[0.0] * len(heads),
        heads=list(heads),
    )
    torch.save(model.float(), path)
    return path


def save_orb(path: Path, kind: str, seed: int = 0) -> Path:
    """Kinds: orb_v2, orb_v3_conservative, orb_v3_direct."""
    import torch
    from orb_models.forcefield import pretrained

    torch.manual_seed(seed)
    model = getattr(pretrained, f"{kind}_architecture")(device="cpu")
    torch.save(model.state_dict(), path)
    return path


def save_mattersim(path: Path, seed: int = 0) -> Path:
    import torch
    from mattersim.forcefield.m3gnet.m3gnet import M3Gnet

    torch.manual_seed(seed)
    model = M3Gnet(num_blocks=2, units=32, device="cpu")
    contents = {"model_name": "m3gnet", "model_args": model.model_args}
    torch.save({**contents, "model": model.state_dict()}, path)
    return path


def save_matgl(path: Path, kind: str, seed: int = 0) -> Path:
    """Kinds: M3GNet, TensorNet, CHGNet."""
    import torch
    from matgl import models
    from matgl.apps.pes import Potential

    torch.manual_seed(seed)
    model = getattr(models, kind)(element_types=SYMBOLS, is_intensive=False)
    Potential(model).save(path)
    return path


def save_fairchem(path: Path, kind: str, seed: int = 0) -> Path:
    """Kinds: uma (mixture of experts, tasks omat and omol), esen, esen_direct (task omol)."""
    import hydra
    import torch
    from fairchem.core.units.mlip_unit.api.inference import MLIPInferenceCheckpoint

    torch.manual_seed(seed)
    uma, direct = kind == "uma", kind == "esen_direct"
    datasets = {name: name for name in (("omat", "omol") if uma else ("omol",))}
    models = "fairchem.core.models.uma"
    backbone = {
        "model": f"{models}.escn_moe.eSCNMDMoeBackbone",
        "num_experts": 4 if uma else 0,
        "sphere_channels": 16,
        "edge_channels": 16,
        "hidden_channels": 16,
        "num_distance_basis": 16,
        "num_layers": 2,
        "lmax": 2,
        "mmax": 2,
        "cutoff": 5.0,
        "otf_graph": True,
        "always_use_pbc": False,
        "ff_type": "spectral",
        "direct_forces": direct,
        "regress_stress": not direct,
        "dataset_mapping": datasets,
        **({"use_composition_embedding": True, "moe_dropout": 0.0} if uma else {}),
    }
    gradients = {"module": f"{models}.escn_md.MLP_EFS_Head"}
    mixture = {
        "module": f"{models}.escn_moe.DatasetSpecificMoEWrapper",
        "dataset_mapping": datasets,
        "head_cls": f"{models}.escn_md.MLP_EFS_Head",
        "head_kwargs": {"wrap_property": False},
    }
    if direct:
        energy = {"module": f"{models}.escn_md.MLP_Energy_Head"}
        heads = {"energy": energy, "forces": {"module": f"{models}.escn_md.Linear_Force_Head"}}
    else:
        heads = {"efs": mixture if uma else gradients}
    config = {
        "_target_": "fairchem.core.models.base.HydraModel",
        "backbone": backbone,
        "heads": heads,
        "pass_through_head_outputs": not direct,
        **({"model_id": "UMA-RANDOM"} if uma else {}),
    }
    model = torch.optim.swa_utils.AveragedModel(hydra.utils.instantiate(config))
    shapes = {"energy": [1], "forces": [3]} | ({} if direct else {"stress": [1, 9]})
    tasks = [
        _fairchem_task(f"{dataset}_{name}" if uma else name, name, shape, dataset)
        for dataset in datasets
        for name, shape in shapes.items()
    ]
    state = {"model_state_dict": model.module.state_dict(), "ema_state_dict": model.state_dict()}
    torch.save(MLIPInferenceCheckpoint(model_config=config, tasks_config=tasks, **state), path)
    return path


def _fairchem_task(name: str, quantity: str, shape: list[int], dataset: str) -> dict:
    unit = "fairchem.core.units.mlip_unit.mlip_unit"
    normalizer = "fairchem.core.modules.normalization.normalizer.Normalizer"
    return {
        "_target_": f"{unit}.Task",
        "name": name,
        "level": "atom" if quantity == "forces" else "system",
        "property": quantity,
        "out_spec": {"_target_": f"{unit}.OutputSpec", "dim": shape, "dtype": "float32"},
        "normalizer": {"_target_": normalizer, "mean": 0.0, "rmsd": 1.0},
        "datasets": [dataset],
    }


def save_nequip(path: Path, seed: int = 0) -> Path:
    import lightning
    import torch
    from nequip.train import NequIPLightningModule
    from nequip.utils import get_current_code_versions
    from nequip.utils.global_state import set_global_state

    set_global_state()
    model = {
        "_target_": "nequip.model.NequIPGNNModel",
        "seed": seed,
        "model_dtype": "float32",
        "type_names": list(SYMBOLS),
        "r_max": 4.5,
        "l_max": 1,
        "parity": True,
        "num_layers": 2,
        "num_features": 16,
        "radial_mlp_depth": 1,
        "radial_mlp_width": 16,
        "avg_num_neighbors": 12.0,
    }
    info = {
        "versions": get_current_code_versions(verbose=False),
        "training_module": {"_target_": "nequip.train.NequIPLightningModule"},
    }
    module = NequIPLightningModule(
        model=model, num_datasets={"train": 1, "val": 0, "test": 0}, info_dict=info
    )
    contents = {
        "state_dict": module.state_dict(),
        "hyper_parameters": dict(module.hparams),
        "pytorch-lightning_version": lightning.__version__,
    }
    torch.save(contents, path)
    return path


def save_pet(path: Path, seed: int = 0) -> Path:
    """PET of metatrain, exported as a metatomic model."""
    import torch
    from metatrain.pet import __model__ as model_class
    from metatrain.utils.architectures import get_default_hypers
    from metatrain.utils.data import DatasetInfo
    from metatrain.utils.data.target_info import get_energy_target_info

    torch.manual_seed(seed)
    hypers = get_default_hypers("pet")["model"]
    hypers.update(d_pet=8, d_head=8, d_node=16, d_feedforward=8, num_heads=1, cutoff=4.0)
    hypers.update(num_attention_layers=1, num_gnn_layers=1)
    energy = get_energy_target_info("energy", {"unit": "eV"}, add_position_gradients=True)
    info = DatasetInfo("angstrom", atomic_types=list(NUMBERS), targets={"energy": energy})
    model_class(hypers, info).export().save(str(path))
    return path


def save_grace(path: Path, seed: int = 0) -> Path:
    """A potential of GRACE's kind FS that returns its features, as a saved model."""
    import tensorpotential  # goes before tensorflow

    # isort: split
    import tensorflow as tf
    from tensorpotential.potentials.presets import FS
    from tensorpotential.tensorpot import TensorPotential
    from tensorpotential.tpmodel import ComputeStructureEnergyAndForcesAndVirial
    from tensorpotential.uq.factories import patch_instructions_for_basis_rp_features

    tf.random.set_seed(seed)
    no_limit = (None, None)
    instructions = FS(
        {symbol: k for k, symbol in enumerate(sorted(SYMBOLS))},
        rcut=4.5, lmax=(2, 2), Lmax=(None, 0), max_sum_l=no_limit, lmax_hist=no_limit,
        n_rad_base=6, n_rad_max=(6, 4), embedding_size=8, max_order=2,
    ).get_instructions()  # fmt: skip
    patch_instructions_for_basis_rp_features(instructions, out_dim=16)
    potential = TensorPotential(
        potential=instructions,
        model_compute_function=ComputeStructureEnergyAndForcesAndVirial(
            extra_return_keys=["features"]
        ),
    )
    potential.save_model(exact_path=str(path))
    assert tensorpotential
    return path
