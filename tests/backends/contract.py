"""What every potential has to pass, as a class of tests to inherit from."""

import runpy
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.errors import ModelMismatchError
from platonic_ase.testing import CALCULATOR_CHECKS, ENCODER_CHECKS, EncoderTraits, small_space


def salt() -> Atoms:
    return bulk("NaCl", "rocksalt", a=5.6, cubic=True)


def run_example(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an example in a folder, with a small Platonic space in place of the default one."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(
        "platonic_ase.models.default_reference.default_space",
        lambda encoder, *_, **options: small_space(encoder, [salt()]),
    )
    runpy.run_path(str(Path(__file__).parents[2] / "examples" / name))


class BackendContract:
    """Tests of one potential; a subclass says how to load it."""

    traits: ClassVar[EncoderTraits] = EncoderTraits()
    exempt: ClassVar[dict[str, str]] = {}

    @classmethod
    def load(cls, folder: Path, seed: int = 0) -> Any:
        """A calculator; other weights for another seed."""
        raise AssertionError("a subclass loads its potential")

    @pytest.fixture(scope="class")
    @classmethod
    def calculator(cls, tmp_path_factory):
        return cls.load(tmp_path_factory.mktemp("model"))

    @pytest.fixture(scope="class")
    @classmethod
    def space(cls, calculator):
        return small_space(find_encoder(calculator), [salt()])

    @pytest.fixture
    def wrap(self, calculator, space):
        def make(**options):
            options = {"on_warning": "ignore", **options}
            return PlatonicCalculator(calculator, anchors=space[0], reference=space[1], **options)

        return make

    @pytest.mark.parametrize("check", ENCODER_CHECKS, ids=lambda check: check.__name__)
    def test_encoder(self, check, calculator):
        check(lambda: find_encoder(calculator), salt, self.traits)

    @pytest.mark.parametrize("check", CALCULATOR_CHECKS, ids=lambda check: check.__name__)
    def test_wrapped(self, check, wrap):
        if check.__name__ in self.exempt:
            pytest.skip(self.exempt[check.__name__])
        check(wrap, salt)

    def test_ten_steps_of_dynamics_are_the_bare_ones(self, calculator, wrap):
        runs = []
        for calc in (calculator, wrap()):
            atoms = salt()
            thermalize_momenta(atoms, 300, rng=np.random.default_rng(0))
            atoms.calc = calc
            VelocityVerlet(atoms, 1 * units.fs).run(10)
            runs.append(atoms)
        bare, wrapped = runs
        assert np.array_equal(bare.positions, wrapped.positions)
        assert np.array_equal(bare.get_momenta(), wrapped.get_momenta())
        assert wrapped.calc.summary().diagnosed == 11
        assert np.isfinite(wrapped.calc.platonic).all()

    def test_a_relaxation_is_the_bare_one(self, calculator, wrap):
        energies = []
        for calc in (calculator, wrap()):
            atoms = salt()
            atoms.rattle(0.05, seed=0)
            atoms.calc = calc
            start = atoms.get_potential_energy()
            BFGS(atoms, logfile=None, maxstep=0.02).run(fmax=1e-6, steps=5)
            energies.append((start, atoms.get_potential_energy()))
        assert energies[0] == energies[1]
        assert energies[1][1] < energies[1][0]

    def test_anchors_of_other_weights_are_refused(self, space, tmp_path):
        other = self.load(tmp_path, seed=1)
        with pytest.raises(ModelMismatchError, match="fingerprint"):
            PlatonicCalculator(other, anchors=space[0], reference=None)
