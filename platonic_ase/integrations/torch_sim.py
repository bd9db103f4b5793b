"""torch-sim: diagnostics of a whole batch, from the forward pass that it makes anyway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch_sim.models.interface import ModelInterface

from platonic_ase.models.embed import to_numpy
from platonic_ase.models.encoder import Encoder
from platonic_ase.space.projection import TorchProjector
from platonic_ase.space.reference import NEIGHBOURS, ReferenceManifold

if TYPE_CHECKING:
    from torch_sim.state import SimState

    from platonic_ase.monitor.force_bound import ForceBound
    from platonic_ase.space.anchors import AnchorSet

DISTANCE, SCORE, BOUND = "manifold_distance", "extrapolation_score", "force_error_bound"
"""What is added to the outputs; tensors of shape (n_atoms,)."""
_BLOCK = 4096  # atoms whose distances are held at once


class PlatonicModel(ModelInterface):
    """A torch-sim model with per-atom diagnostics beside its energies, forces and stresses.

    All outputs of the inner model are passed on as they are. With a reference the distance to the
    nearest reference environments and the extrapolation score are added, with a calibration the
    bound of the force error (eV/Å): detached tensors of shape (n_atoms,), which torch-sim keeps
    with its states and hands to its reporters.

    Parameters
    ----------
    model : torch_sim.models.interface.ModelInterface
    encoder : Encoder
        Reads the embeddings of this model:
        ``TorchEncoder(model, "path.to.module", width=...)``, or the encoder of its package, such
        as ``SevenNetEncoder(model)``, where anchors of the ASE calculator are to fit.
    anchors : AnchorSet
    reference : ReferenceManifold, optional
    force_bound : ForceBound, optional

    Raises
    ------
    ModelMismatchError
        If anchors, reference or bound belong to another model.
    """

    def __init__(
        self,
        model: ModelInterface,
        encoder: Encoder,
        anchors: AnchorSet,
        reference: ReferenceManifold | None = None,
        force_bound: ForceBound | None = None,
    ) -> None:
        super().__init__()
        anchors.require(encoder.identity)
        if reference is not None:
            reference.require(anchors)
        if force_bound is not None:
            force_bound.require(anchors)
        self.model = model
        self.encoder = encoder
        self.reference = reference
        self.force_bound = force_bound
        self._project = TorchProjector(anchors.embeddings, anchors.centre)
        self._near = None if reference is None else TorchReference(reference)

    def forward(self, state: SimState, **kwargs: Any) -> dict[str, Tensor]:
        """Outputs of the model, and the diagnostics of all atoms of the batch.

        Parameters
        ----------
        state : SimState
        **kwargs
            For the model.

        Raises
        ------
        CaptureError
            If the forward pass cannot be observed.
        """
        with self.encoder.capture() as capture:
            output: dict[str, Tensor] = self.model(state, **kwargs)
        embeddings = torch.as_tensor(capture.take(int(state.n_atoms)))
        platonic = self._project(embeddings)
        extras: dict[str, Tensor] = {}
        with torch.no_grad():
            if self._near is not None:
                distances = self._near.distances(platonic, state.atomic_numbers)
                extras[DISTANCE] = distances
                extras[SCORE] = self._near.scores(distances, state.atomic_numbers)
            if self.force_bound is not None and "forces" in output:
                bounds = self._bounds(state, output["forces"], platonic, embeddings)
                extras[BOUND] = torch.as_tensor(bounds, device=platonic.device).to(platonic.dtype)
        return {**output, **extras}

    def _bounds(
        self, state: SimState, forces: Tensor, platonic: Tensor, embeddings: Tensor
    ) -> np.ndarray:
        """Bounds of all atoms, on the host: the calibration judges one structure at a time."""
        assert self.force_bound is not None
        systems = to_numpy(state.system_idx)
        arrays = [
            to_numpy(each.detach()) for each in (forces, platonic, embeddings, state.atomic_numbers)
        ]
        sizes = np.empty(len(systems))
        for system in np.unique(systems):
            rows = systems == system
            sizes[rows] = self.force_bound.sizes(*(array[rows] for array in arrays))
        return self.force_bound.bounds(sizes)

    def alarms(self, state: SimState) -> Tensor:
        """Which systems have an atom beyond the alarm of the reference, shape (n_systems,).

        Parameters
        ----------
        state : SimState
            One that this model has evaluated; False for all where it has not.
        """
        raised = torch.zeros(int(state.n_systems), dtype=torch.bool, device=state.device)
        scores = getattr(state, SCORE, None)
        if scores is None or self.reference is None:
            return raised
        beyond = state.system_idx[scores > self.reference.alarm]
        raised[beyond] = True
        return raised

    # --- what torch-sim asks of a model: that of the inner one --------------------------------

    @property
    def device(self) -> torch.device:
        """Of the model."""
        device: torch.device = self.model.device
        return device

    @device.setter
    def device(self, device: torch.device) -> None:
        self.model.device = device

    @property
    def dtype(self) -> torch.dtype:
        """Of the model."""
        dtype: torch.dtype = self.model.dtype
        return dtype

    @dtype.setter
    def dtype(self, dtype: torch.dtype) -> None:
        self.model.dtype = dtype

    @property
    def compute_stress(self) -> bool:
        """Whether the model computes stresses."""
        return bool(self.model.compute_stress)

    @compute_stress.setter
    def compute_stress(self, compute_stress: bool) -> None:
        self.model.compute_stress = compute_stress

    @property
    def compute_forces(self) -> bool:
        """Whether the model computes forces."""
        return bool(self.model.compute_forces)

    @compute_forces.setter
    def compute_forces(self, compute_forces: bool) -> None:
        self.model.compute_forces = compute_forces

    @property
    def memory_scales_with(self) -> str:
        """What the memory that the model needs is proportional to."""
        return str(self.model.memory_scales_with)


class TorchReference:
    """Distances to a reference manifold, on the device of the coordinates.

    Parameters
    ----------
    reference : ReferenceManifold
    """

    def __init__(self, reference: ReferenceManifold) -> None:
        self._all = torch.as_tensor(reference.platonic)
        numbers = torch.as_tensor(reference.numbers)
        self._by_element = {z: self._all[numbers == z] for z in sorted(reference.elements)}
        # element 0 to the heaviest, so that a tensor of atomic numbers picks them out
        scale = torch.full((120,), float(reference.pooled_threshold), dtype=torch.float64)
        for z, threshold in reference.thresholds.items():
            scale[int(z)] = float(threshold)
        self._scale = scale

    def distances(self, platonic: Tensor, numbers: Tensor) -> Tensor:
        """Mean distance to the nearest references of the same element, shape (n_atoms,).

        Parameters
        ----------
        platonic : Tensor, shape (n_atoms, K)
        numbers : Tensor of int, shape (n_atoms,)
        """
        result = platonic.new_empty(len(platonic))
        for z in torch.unique(numbers).tolist():
            references = self._by_element.get(int(z), self._all).to(platonic)
            k = min(NEIGHBOURS, len(references))
            for rows in torch.split(torch.nonzero(numbers == z).flatten(), _BLOCK):
                # differences, not products: exact where they are small
                apart = torch.cdist(
                    platonic[rows], references, compute_mode="donot_use_mm_for_euclid_dist"
                )
                result[rows] = apart.topk(k, dim=1, largest=False).values.mean(dim=1)
        return result

    def scores(self, distances: Tensor, numbers: Tensor) -> Tensor:
        """Distances over the threshold of each atom's element, shape (n_atoms,).

        Parameters
        ----------
        distances : Tensor, shape (n_atoms,)
        numbers : Tensor of int, shape (n_atoms,)
        """
        return distances / self._scale.to(distances)[numbers.to(distances.device).long()]


def converged_or_alarmed(
    model: PlatonicModel, convergence: Callable[[Any, Tensor], Tensor]
) -> Callable[[Any, Tensor], Tensor]:
    """Convergence function for ``torch_sim.optimize`` that also ejects systems with an alarm.

    Ask :meth:`PlatonicModel.alarms` of the final state which of the systems were ejected.

    Parameters
    ----------
    model : PlatonicModel
    convergence : callable
        Such as ``torch_sim.generate_force_convergence_fn(0.02)``.
    """

    def done(state: Any, last_energy: Tensor) -> Tensor:
        return convergence(state, last_energy) | model.alarms(state)

    return done


def diagnostics_to_report(every: int = 1) -> Mapping[int, Mapping[str, Callable[..., Tensor]]]:
    """``prop_calculators`` for a ``TrajectoryReporter``: the diagnostics of each atom.

    Parameters
    ----------
    every : int
        Steps between records.

    Examples
    --------
    >>> torch_sim.TrajectoryReporter(  # doctest: +SKIP
    ...     "run.h5", prop_calculators=diagnostics_to_report(10)
    ... )
    """

    def read(name: str) -> Callable[..., Tensor]:
        def value(state: Any, model: Any = None) -> Tensor:
            found: Tensor | None = getattr(state, name, None)
            # an integrator that keeps no extras: one more pass
            return model(state)[name] if found is None else found

        return value

    return {every: {name: read(name) for name in (DISTANCE, SCORE)}}
