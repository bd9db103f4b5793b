"""A wrapped run is the bare run, to the last bit: optimisers, dynamics, bands, phonons."""

import copy

import numpy as np
import pytest
from ase import optimize, units
from ase.build import bulk, fcc100, molecule
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.filters import FrechetCellFilter
from ase.mep import NEB
from ase.phonons import Phonons

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.testing import MockCalculator, MockEncoder, mock_anchors, small_space


def alloy(repeat=1):
    atoms = bulk("Cu", cubic=True) * (repeat, 1, 1)
    atoms.symbols[0] = "Au"
    atoms.rattle(0.08, seed=1)
    return atoms


@pytest.fixture(scope="module")
def emt_space():
    return small_space(find_encoder(EMT()), [alloy()])


@pytest.fixture
def wrap(emt_space):
    def make(**options):
        anchors, reference = emt_space
        options = {"on_warning": "ignore", **options}
        return PlatonicCalculator(EMT(), anchors=anchors, reference=reference, **options)

    return make


class Tape:
    """What a run looked like at each step, to the last bit."""

    def __init__(self, atoms):
        self.atoms, self.frames = atoms, []

    def __call__(self):
        atoms = self.atoms
        frame = [atoms.positions.copy(), atoms.cell.array.copy(), atoms.get_potential_energy()]
        frame += [atoms.get_forces(), atoms.get_stress()]
        frame += [atoms.get_momenta()]
        if "magmoms" in atoms.calc.implemented_properties and "magmoms" in atoms.calc.results:
            frame += [atoms.get_magnetic_moments()]
        self.frames.append(frame)

    def assert_equal(self, other, steps):
        assert len(self.frames) == len(other.frames) > steps
        for number, (mine, theirs) in enumerate(zip(self.frames, other.frames, strict=True)):
            assert len(mine) == len(theirs)
            for one, two in zip(mine, theirs, strict=True):
                assert np.array_equal(one, two), f"runs differ at step {number}"


def taped(atoms, calc, start, steps):
    atoms = atoms.copy()
    atoms.calc = calc
    dynamics = start(atoms)
    tape = Tape(atoms)
    dynamics.attach(tape, interval=1)
    if isinstance(calc, PlatonicCalculator):
        calc.attach(dynamics)
    dynamics.run(steps=steps)
    return tape


OPTIMISERS = [
    "BFGS", "BFGSLineSearch", "LBFGS", "LBFGSLineSearch", "GPMin", "MDMin", "FIRE", "FIRE2",
    "ODE12r", "GoodOldQuasiNewton", "CellAwareBFGS",
]  # fmt: skip


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers(name, wrap):
    from ase.optimize.cellawarebfgs import CellAwareBFGS
    from ase.optimize.ode import ODE12r

    classes = {"CellAwareBFGS": CellAwareBFGS, "ODE12r": ODE12r}
    kind = classes.get(name) or getattr(optimize, name)

    def start(atoms):
        target = FrechetCellFilter(atoms, exp_cell_factor=1.0) if name == "CellAwareBFGS" else atoms
        return kind(target, logfile=None)

    calc = wrap()
    bare = taped(alloy(), EMT(), start, 12)
    taped(alloy(), calc, start, 12).assert_equal(bare, 3)
    assert calc.diagnosis is not None
    assert calc.summary().switched_off == {}


def thermostats():
    from ase.md.andersen import Andersen
    from ase.md.bussi import Bussi
    from ase.md.langevin import Langevin
    from ase.md.langevinbaoab import LangevinBAOAB
    from ase.md.melchionna import MelchionnaNPT
    from ase.md.nose_hoover_chain import MTKNPT, IsotropicMTKNPT, NoseHooverChainNVT
    from ase.md.nptberendsen import NPTBerendsen
    from ase.md.nvtberendsen import NVTBerendsen
    from ase.md.verlet import VelocityVerlet

    dt, kelvin, rng = 2 * units.fs, {"temperature_K": 300}, np.random.RandomState
    return {
        "VelocityVerlet": lambda a: VelocityVerlet(a, dt),
        "Langevin": lambda a: Langevin(a, dt, friction=0.01, rng=rng(0), **kelvin),
        "LangevinBAOAB": lambda a: LangevinBAOAB(
            a, dt, T_tau=50 * units.fs, rng=np.random.default_rng(0), **kelvin
        ),
        "Andersen": lambda a: Andersen(a, dt, andersen_prob=0.1, rng=rng(0), **kelvin),
        "Bussi": lambda a: Bussi(a, dt, taut=50 * units.fs, rng=np.random.default_rng(0), **kelvin),
        "NVTBerendsen": lambda a: NVTBerendsen(a, dt, taut=50 * units.fs, **kelvin),
        "NPTBerendsen": lambda a: NPTBerendsen(
            a, dt, pressure_au=0.0, compressibility_au=1.0, taut=50 * units.fs, **kelvin
        ),
        "NoseHooverChainNVT": lambda a: NoseHooverChainNVT(a, dt, tdamp=50 * units.fs, **kelvin),
        "IsotropicMTKNPT": lambda a: IsotropicMTKNPT(
            a, dt, pressure_au=0.0, tdamp=50 * units.fs, pdamp=500 * units.fs, **kelvin
        ),
        "MTKNPT": lambda a: MTKNPT(
            a, dt, pressure_au=0.0, tdamp=50 * units.fs, pdamp=500 * units.fs, **kelvin
        ),
        "MelchionnaNPT": lambda a: MelchionnaNPT(
            a, dt, externalstress=0.0, ttime=50 * units.fs, pfactor=1.0, **kelvin
        ),
    }


def warm(atoms, kelvin=300, seed=3):
    rng = np.random.default_rng(seed)
    scale = np.sqrt(atoms.get_masses() * units.kB * kelvin)[:, None]
    atoms.set_momenta(scale * rng.normal(size=(len(atoms), 3)))
    return atoms


@pytest.mark.parametrize("name", list(thermostats()))
def test_dynamics(name, wrap):
    start, calc = thermostats()[name], wrap()
    bare = taped(warm(alloy()), EMT(), start, 25)
    taped(warm(alloy()), calc, start, 25).assert_equal(bare, 25)
    assert calc.summary().diagnosed == calc.summary().evaluated >= 26


def test_drift_is_measured_in_nve_only(wrap):
    for name, measured in (("VelocityVerlet", True), ("Langevin", False), ("Bussi", False)):
        calc = wrap()
        taped(warm(alloy()), calc, thermostats()[name], 110)
        assert ("energy_drift" in calc.diagnosis.scalars) == measured


def hop(images):
    initial = fcc100("Al", size=(2, 2, 2), vacuum=6.0)
    initial.set_constraint(FixAtoms([atom.index for atom in initial if atom.tag == 2]))
    final = initial.copy()
    initial.positions[-1] += [0.05, 0, 0.1]
    final.positions[-1] += [0.6, 0.6, 0.4]
    chain = [initial] + [initial.copy() for _ in range(images)] + [final]
    return chain


def test_images_of_a_band_share_a_calculator(wrap):
    found = []
    for calc in (EMT(), wrap()):
        chain = hop(3)
        for image in chain:
            image.calc = calc
        band = NEB(chain, allow_shared_calculator=True, method="improvedtangent")
        band.interpolate()
        optimize.FIRE(band, logfile=None).run(fmax=0.01, steps=5)
        found.append([(image.positions.copy(), image.get_potential_energy()) for image in chain])
    for bare, wrapped in zip(*found, strict=True):
        assert np.array_equal(bare[0], wrapped[0])
        assert bare[1] == wrapped[1]
    assert calc.summary().tracks == 5
    assert calc.summary().switched_off == {}


def test_phonons_of_ase(wrap, tmp_path):
    constants = []
    for number, calc in enumerate((EMT(), wrap())):
        phonons = Phonons(bulk("Cu"), calc, supercell=(3, 3, 3), name=tmp_path / str(number))
        phonons.run()
        phonons.read(acoustic=True)
        constants.append(phonons.get_force_constant())
    assert np.array_equal(*constants)
    # six displacements of one atom and the structure at rest, all of one supercell
    assert calc.summary().evaluated == 7
    assert calc.summary().tracks == 1


def test_phonopy(wrap):
    phonopy = pytest.importorskip("phonopy")
    from ase import Atoms
    from phonopy.structure.atoms import PhonopyAtoms

    unit = bulk("Cu", cubic=True)
    frequencies = []
    for calc in (EMT(), wrap()):
        job = phonopy.Phonopy(
            PhonopyAtoms(
                unit.get_chemical_symbols(), cell=unit.cell.array, positions=unit.positions
            ),
            supercell_matrix=np.diag([2, 2, 2]),
            primitive_matrix="P",
        )
        job.generate_displacements(distance=0.03)
        forces = []
        for cell in job.supercells_with_displacements:
            atoms = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True, calculator=calc)
            forces.append(atoms.get_forces())
        job.forces = forces
        job.produce_force_constants()
        frequencies.append(job.run_qpoints([[0.5, 0.5, 0]]).frequencies)
    assert np.array_equal(*frequencies)
    assert frequencies[0].max() > 1


def test_a_molecule_without_a_cell(wrap):
    calc, atoms = wrap(), molecule("CH4")
    expected = EMT().get_forces(atoms)
    atoms.calc = calc
    assert np.array_equal(atoms.get_forces(), expected)
    assert "orbit_splitting" not in calc.diagnosis.scalars


def test_deep_copies_of_structures_go_on_alone(wrap):
    atoms = alloy()
    atoms.calc = wrap()
    before = atoms.get_potential_energy()
    other = copy.deepcopy(atoms)
    other.positions[0, 0] += 0.1
    assert other.get_potential_energy() != before
    assert atoms.calc.summary().evaluated == 1
    assert atoms.get_potential_energy() == before


def test_parameters_are_those_of_the_inner_calculator(wrap):
    atoms, calc = alloy(), wrap()
    atoms.calc = calc
    first = atoms.get_potential_energy()
    calc.set(asap_cutoff=True)
    assert calc.parameters["asap_cutoff"] is True
    bare = EMT(asap_cutoff=True)
    assert atoms.get_potential_energy() == bare.get_potential_energy(atoms) != first


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["chgnet", "sevennet"])
@pytest.mark.parametrize("job", ["dynamics", "relaxation", "cell relaxation"])
def test_whole_runs_of_real_models(kind, job, request, small_spaces):
    model = request.getfixturevalue(kind)
    salt = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    anchors, reference = small_spaces(kind, find_encoder(model), [salt])
    atoms, steps = salt.copy(), 50 if job == "dynamics" else 15
    if job == "dynamics":
        warm(atoms)
        start = thermostats()["VelocityVerlet"]
    elif job == "relaxation":
        atoms.rattle(0.1, seed=0)
        start = lambda a: optimize.FIRE(a, logfile=None)  # noqa: E731
    else:
        atoms.rattle(0.05, seed=0)
        start = lambda a: optimize.BFGS(FrechetCellFilter(a), logfile=None)  # noqa: E731
    calc = PlatonicCalculator(model, anchors=anchors, reference=reference, on_warning="ignore")
    model.reset()
    bare = taped(atoms, model, start, steps)
    model.reset()
    with calc.encoder.listen(lambda array: forwards.append(None)):
        forwards = []
        wrapped = taped(atoms, calc, start, steps)
    wrapped.assert_equal(bare, steps // 2)
    assert len(forwards) == calc.summary().evaluated == calc.summary().diagnosed
    assert calc.summary().switched_off == {}


@pytest.mark.slow
def test_memory_is_flat():
    psutil = pytest.importorskip("psutil")
    inner = MockCalculator()
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.calc = PlatonicCalculator(
        inner, anchors=mock_anchors(MockEncoder(inner)), reference=None, on_warning="ignore"
    )
    process, sizes = psutil.Process(), []
    rng = np.random.default_rng(0)
    for step in range(3000):
        atoms.positions += rng.normal(scale=1e-3, size=(2, 3))
        atoms.get_forces()
        if step % 1000 == 999:
            sizes.append(process.memory_info().rss)
    assert sizes[-1] - sizes[0] < 5e6
