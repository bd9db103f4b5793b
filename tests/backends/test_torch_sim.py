"""torch-sim: the same outputs, and diagnostics of a whole batch; in an environment of its own."""

import numpy as np
import pytest

pytest.importorskip("torch_sim.models.interface", reason="pip install torch-sim-atomistic")

import torch
import torch_sim as ts
from ase.build import bulk
from torch_sim.models.interface import ModelInterface, validate_model_outputs
from torch_sim.models.lennard_jones import LennardJonesModel
from torch_sim.neighbors import torchsim_nl

from platonic_ase.errors import ModelMismatchError
from platonic_ase.integrations.torch_sim import (
    PlatonicModel,
    converged_or_alarmed,
    diagnostics_to_report,
)
from platonic_ase.models.torch_module import TorchEncoder
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.reference_fit import fit_reference

pytestmark = pytest.mark.backend("torch_sim")
CPU = torch.device("cpu")


class Features(torch.nn.Module):
    """Sums of Gaussians over neighbours: invariant, and of each system by itself."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.mix = torch.nn.Parameter(
            torch.randn(6, 6, dtype=torch.float64, generator=generator), requires_grad=False
        )

    def forward(self, state):
        pairs, system, shifts = torchsim_nl(
            state.positions, state.cell, state.pbc, 5.0, state.system_idx
        )
        cell = state.row_vector_cell[system]
        apart = state.positions[pairs[1]] - state.positions[pairs[0]]
        apart = apart + torch.einsum("pi,pij->pj", shifts.to(apart), cell)
        centres = torch.linspace(2.0, 4.5, 6, dtype=torch.float64)
        waves = torch.exp(-10 * (apart.norm(dim=1)[:, None] - centres) ** 2)
        sums = torch.zeros(int(state.n_atoms), 6, dtype=torch.float64)
        return (sums.index_add(0, pairs[0], waves) - 2) @ self.mix


class Watched(ModelInterface):
    """Lennard-Jones with embeddings, which counts its forward passes."""

    def __init__(self):
        super().__init__()
        self._device, self._dtype = CPU, torch.float64
        self._compute_forces = self._compute_stress = True
        self.potential = LennardJonesModel(
            sigma=2.3, epsilon=0.1, cutoff=5.0, compute_stress=True, dtype=torch.float64
        )
        self.features = Features()
        self.passes = 0

    def forward(self, state, **kwargs):
        self.passes += 1
        self.features(state)
        return self.potential(state)


def crystals(count, rattle=0.05):
    found = []
    for index in range(count):
        atoms = bulk("Cu", a=3.5 + 0.01 * (index % 20), cubic=True)
        atoms.rattle(rattle, seed=index)
        found.append(atoms)
    return found


def state_of(atoms):
    return ts.initialize_state(atoms, CPU, torch.float64)


@pytest.fixture(scope="module")
def parts():
    model = Watched()
    encoder = TorchEncoder(model, "features", width=6, name="toy")
    pool = crystals(40)
    with encoder.capture() as capture:
        model(state_of(pool))
    rows = capture.take(160).numpy()
    anchors = AnchorSet(rows[::20], np.full(8, 29), encoder.identity, provenance={})
    reference = fit_reference(
        anchors.project(rows), np.full(160, 29), np.repeat(np.arange(40), 4),
        [str(k) for k in range(40)], anchors, level=0.8, alarm_level=0.85,
    )  # fmt: skip
    return model, encoder, anchors, reference


@pytest.fixture
def watched(parts):
    return PlatonicModel(*parts)


def test_torch_sims_own_conformance_test(watched):
    validate_model_outputs(watched, CPU, torch.float64)


def test_outputs_are_passed_on_from_one_forward_pass(watched):
    state = state_of(crystals(5))
    bare = watched.model(state)
    before = watched.model.passes
    output = watched(state)
    assert watched.model.passes == before + 1
    for name, value in bare.items():
        assert torch.equal(output[name], value)


def test_diagnostics_are_those_of_the_ase_side(watched, parts):
    _, encoder, anchors, reference = parts
    state = state_of(crystals(5, rattle=0.4))
    output = watched(state)
    with encoder.capture() as capture:
        watched.model(state)
    numbers = np.full(20, 29)
    distances = reference.distances(anchors.project(capture.take(20).numpy()), numbers)
    # references are stored in single precision
    assert np.allclose(output["manifold_distance"].numpy(), distances, rtol=1e-5)
    scores = reference.scores(distances, numbers)
    assert np.allclose(output["extrapolation_score"].numpy(), scores, rtol=1e-5)
    assert not output["extrapolation_score"].requires_grad


def test_a_batch_of_fifty_gives_the_numbers_of_one_by_one(watched):
    structures = crystals(50)
    together = watched(state_of(structures))
    for index, atoms in enumerate(structures):
        alone = watched(state_of([atoms]))
        for name in ("forces", "manifold_distance", "extrapolation_score"):
            rows = together[name][4 * index : 4 * index + 4]
            assert torch.allclose(rows, alone[name], rtol=1e-9, atol=1e-11)
        assert torch.allclose(together["energy"][index], alone["energy"][0], rtol=1e-12)


def test_systems_with_an_alarm_are_ejected_and_the_others_relaxed(watched):
    far = bulk("Cu", a=2.9, cubic=True)
    far.rattle(0.2, seed=1)
    calm = crystals(2)
    convergence = converged_or_alarmed(watched, ts.generate_force_convergence_fn(0.05))
    final = ts.optimize(
        [calm[0], far, calm[1]], watched, optimizer=ts.Optimizer.fire, max_steps=200,
        convergence_fn=convergence, steps_between_swaps=1,
    )  # fmt: skip
    assert watched.alarms(final).tolist()[1] is True
    forces = [final.forces[final.system_idx == k].norm(dim=1).max().item() for k in range(3)]
    assert forces[1] > 1
    # the outlier left at once
    moved = (final.positions[final.system_idx == 1] - torch.as_tensor(far.positions)).abs().max()
    assert moved < 0.5


def test_reporters_store_the_diagnostics(watched, tmp_path):
    reporter = ts.TrajectoryReporter(
        str(tmp_path / "run.h5"), prop_calculators=dict(diagnostics_to_report(1))
    )
    ts.integrate(
        crystals(1)[0], watched, integrator=ts.Integrator.nve, n_steps=4, temperature=100,
        timestep=0.001, trajectory_reporter=reporter,
    )  # fmt: skip
    with ts.TorchSimTrajectory(str(tmp_path / "run.h5"), mode="r") as trajectory:
        scores = trajectory.get_array("extrapolation_score")
    assert scores.shape == (5, 4)  # the start and four steps, four atoms
    assert (scores > 0).all()


class HalfForce:
    """In the place of a calibration: says which structure it was asked about, and how."""

    level = 0.9

    def require(self, anchors):
        pass

    def sizes(self, forces, platonic, embeddings, numbers):
        assert len(forces) == len(platonic) == len(embeddings) == len(numbers) == 4
        return 0.5 * np.linalg.norm(forces, axis=1)

    def bounds(self, sizes):
        return 2 * sizes


def test_force_bounds_are_made_structure_by_structure(parts):
    output = PlatonicModel(*parts, force_bound=HalfForce())(state_of(crystals(3)))
    assert torch.allclose(output["force_error_bound"], output["forces"].norm(dim=1), rtol=1e-12)


def test_anchors_of_another_model_are_refused(parts):
    model, _, anchors, reference = parts
    other = TorchEncoder(model, "features", width=6)
    other.identity = type(anchors.identity)(
        **{**anchors.identity.to_dict(), "fingerprint": "0" * 32}
    )
    with pytest.raises(ModelMismatchError, match="fingerprint"):
        PlatonicModel(model, other, anchors, reference)
