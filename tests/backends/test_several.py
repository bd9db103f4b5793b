"""Several calculators, images or models in one process."""

import numpy as np
import pytest
from ase.calculators.mixing import SumCalculator
from ase.mep import NEB
from contract import salt

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.models import load_calculator
from platonic_ase.testing import MockCalculator, small_space

pytest.importorskip("chgnet", reason="pip install 'platonic_ase[chgnet]'")
pytestmark = pytest.mark.backend("chgnet")


@pytest.fixture(scope="module")
def chgnet():
    return load_calculator("chgnet", device="cpu")


def wrap(calculator, **options):
    anchors, reference = small_space(find_encoder(calculator), [salt()])
    return PlatonicCalculator(
        calculator, anchors=anchors, reference=reference, on_warning="ignore", **options
    )


def rattled(seed):
    atoms = salt()
    atoms.rattle(0.05, seed=seed)
    return atoms


def test_images_of_a_band_share_one_model(chgnet):
    bands = []
    for calc in (chgnet, wrap(chgnet)):
        start, end = salt(), salt()
        end.positions[0, 2] += 0.4
        images = [start, *(start.copy() for _ in range(2)), end]
        band = NEB(images, allow_shared_calculator=True)
        band.interpolate()
        for image in images:
            image.calc = calc
        bands.append((band.get_forces(), calc))
    assert np.array_equal(bands[0][0], bands[1][0])
    assert bands[1][1].summary().tracks == 4


def test_two_wrapped_models_do_not_disturb_each_other(chgnet):
    older = load_calculator("chgnet-0.2.0", device="cpu")
    wrapped = [wrap(chgnet), wrap(older)]
    for step in range(2):
        bare = [c.get_forces(rattled(step)) for c in (chgnet, older)]
        for calc, expected in zip(wrapped, bare, strict=True):
            atoms = rattled(step)
            atoms.calc = calc
            assert np.array_equal(atoms.get_forces(), expected)
            assert calc.diagnosis.index == 0
        assert [calc.summary().diagnosed for calc in wrapped] == [step + 1] * 2
    assert not np.array_equal(wrapped[0].embeddings, wrapped[1].embeddings)


def test_two_wrappers_around_one_model_have_histories_of_their_own(chgnet):
    first, second = wrap(chgnet), wrap(chgnet)
    atoms = rattled(1)
    atoms.calc = first
    atoms.get_forces()
    other = rattled(1)
    other.calc = second
    for seed in (2, 3):
        other.positions = rattled(seed).positions
        other.get_forces()
    assert (first.summary().diagnosed, second.summary().diagnosed) == (1, 2)


def test_a_sum_of_a_model_and_a_correction_is_read(chgnet):
    calc = wrap(SumCalculator([chgnet, MockCalculator()]))
    atoms = rattled(1)
    atoms.calc = calc
    assert calc.encoder.name == "chgnet"
    both = chgnet.get_potential_energy(rattled(1)) + MockCalculator().get_potential_energy(
        rattled(1)
    )
    assert atoms.get_potential_energy() == pytest.approx(both, abs=1e-9)
    assert calc.summary().diagnosed == 1
