"""Other people's programs give the same numbers, to the last bit, with the wrapped calculator.

They run in an environment of their own (``.ci/clients``) and are skipped where they are missing.
Each client is a function of a calculator that returns arrays; it is run with the bare model and
with the wrapped one.

atomate2 is not among them: the version that pip finds beside the others (0.0.18) cannot be
imported with their emmet-core (0.87.3 has no ``ValueEnum``). What its force-field jobs take, a
callable by its module path, is ``platonic_ase.watched``.
"""

import threading

import numpy as np
import pytest
from ase.build import bulk

from platonic_ase import PlatonicCalculator

pytestmark = [pytest.mark.client, pytest.mark.slow]


def crystal():
    """A rattled primitive cell of rock salt."""
    atoms = bulk("NaCl", "rocksalt", a=5.65)
    atoms.rattle(0.02, seed=1)
    return atoms


def arrays(result, names):
    return {name: np.asarray(result[name], dtype=float) for name in names}


def flat(atoms):
    return {
        "positions": atoms.positions.copy(),
        "cell": atoms.cell.array.copy(),
        "forces": atoms.get_forces(),
        "energy": np.array(atoms.get_potential_energy()),
    }


def matcalc_relaxation(calculator, folder):
    from matcalc import RelaxCalc

    result = RelaxCalc(calculator, fmax=0.05, max_steps=15).calc(crystal())
    return arrays(result, ("energy", "forces", "stress", "a", "volume"))


def matcalc_equation_of_state(calculator, folder):
    from matcalc import EOSCalc

    result = EOSCalc(calculator, n_points=5, relax_structure=False, max_steps=5).calc(crystal())
    return {"modulus": np.array(result["bulk_modulus_bm"])} | arrays(
        result["eos"], ("volumes", "energies")
    )


def matcalc_elasticity(calculator, folder):
    from matcalc import ElasticityCalc

    result = ElasticityCalc(calculator, relax_structure=False).calc(
        bulk("NaCl", "rocksalt", a=5.65)
    )
    return {"tensor": np.asarray(result["elastic_tensor"].voigt)}


def matcalc_phonons(calculator, folder):
    from matcalc import PhononCalc

    result = PhononCalc(
        calculator,
        supercell_matrix=np.diag([2, 2, 2]).tolist(),
        relax_structure=False,
        write_phonon=False,
    ).calc(bulk("NaCl", "rocksalt", a=5.65))
    return {"force_constants": np.asarray(result["phonon"].force_constants)}


def matcalc_md(calculator, folder):
    from ase.io import read
    from matcalc import MDCalc

    path = folder / "md.traj"
    MDCalc(
        calculator, ensemble="nve", temperature=300, steps=10, relax_structure=False, seed=3,
        trajfile=str(path),
    ).calc(crystal())  # fmt: skip
    frames = read(path, index=":")
    assert len(frames) > 5
    return {
        "energies": np.array([frame.get_potential_energy() for frame in frames]),
        "forces": np.array([frame.get_forces() for frame in frames]),
    }


def matcalc_nudged_elastic_band(calculator, folder):
    from matcalc import NEBCalc
    from pymatgen.io.ase import AseAtomsAdaptor

    start, end = crystal() * (2, 1, 1), crystal() * (2, 1, 1)
    end.positions[0] += 0.3
    result = NEBCalc(calculator, fmax=0.5, max_steps=3).calc_images(
        *map(AseAtomsAdaptor.get_structure, (start, end)), n_images=2
    )
    return arrays(result, ("barrier",))


def janus_single_point(calculator, folder):
    from janus_core.calculations.single_point import SinglePoint

    atoms = crystal()
    atoms.calc = calculator
    result = SinglePoint(
        struct=atoms, properties=["energy", "forces", "stress"], track_carbon=False
    ).run()
    return arrays(result, ("energy", "forces", "stress"))


def janus_optimisation(calculator, folder):
    from janus_core.calculations.geom_opt import GeomOpt

    atoms = crystal()
    atoms.calc = calculator
    run = GeomOpt(struct=atoms, fmax=0.05, steps=15, track_carbon=False)
    run.run()
    return flat(run.struct)


def janus_phonons(calculator, folder):
    from janus_core.calculations.phonons import Phonons

    atoms = bulk("NaCl", "rocksalt", a=5.65)
    atoms.calc = calculator
    run = Phonons(
        struct=atoms, supercell=[2, 2, 2], write_results=False, track_carbon=False,
        file_prefix=folder / "phonons",
    )  # fmt: skip
    run.calc_force_constants()
    return {"force_constants": np.asarray(run.results["phonon"].force_constants)}


def janus_md(calculator, folder):
    from janus_core.calculations.md import NVE

    atoms = crystal()
    atoms.calc = calculator
    run = NVE(
        struct=atoms, steps=10, temp=300, seed=1, track_carbon=False, file_prefix=folder / "md"
    )
    run.run()
    return flat(run.struct)


def quacc_runner(calculator, folder):
    from quacc.runners.ase import Runner

    run = Runner(crystal(), calculator).run_opt(fmax=0.05, max_steps=10)
    return flat(run.atoms)


def jobflow_relaxation(calculator, folder):
    from ase.optimize import FIRE
    from jobflow import Flow, job, run_locally

    @job
    def relax():
        atoms = crystal()
        atoms.calc = calculator
        FIRE(atoms, logfile=None).run(fmax=0.05, steps=10)
        return {name: value.tolist() for name, value in flat(atoms).items()}

    made = relax()
    output = run_locally(Flow([made]), ensure_success=True, log=False)[made.uuid][1].output
    return {name: np.asarray(value) for name, value in output.items()}


def phonopy_loop(calculator, folder):
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    unit = bulk("NaCl", "rocksalt", a=5.65)
    phonon = Phonopy(_phonopy(PhonopyAtoms, unit), supercell_matrix=np.diag([2, 2, 2]))
    phonon.generate_displacements(distance=0.01)
    phonon.forces = _forces(phonon.supercells_with_displacements, calculator)
    phonon.produce_force_constants()
    return {"force_constants": phonon.force_constants}


def phono3py_loop(calculator, folder):
    from phono3py import Phono3py
    from phonopy.structure.atoms import PhonopyAtoms

    unit = bulk("NaCl", "rocksalt", a=5.65)
    phonon = Phono3py(_phonopy(PhonopyAtoms, unit), supercell_matrix=np.diag([1, 1, 2]))
    phonon.generate_displacements(distance=0.03)
    return {"forces": _forces(phonon.supercells_with_displacements[:12], calculator)}


def ase_phonons(calculator, folder):
    from ase.phonons import Phonons

    run = Phonons(
        bulk("NaCl", "rocksalt", a=5.65), calculator, supercell=(2, 2, 2), delta=0.02,
        name=str(folder / "ase"),
    )  # fmt: skip
    run.run()
    run.read(acoustic=True)
    return {"force_constants": run.get_force_constant()}


def ase_socket(calculator, folder):
    from ase.calculators.socketio import SocketClient, SocketIOCalculator

    name = f"platonic-{folder.name}"
    failure = []

    def serve():
        try:
            SocketClient(unixsocket=name).run(served, use_stress=False)
        except Exception as error:
            failure.append(error)

    served, atoms = crystal(), crystal()
    served.calc = calculator
    with SocketIOCalculator(unixsocket=name) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        atoms.calc = server
        forces = []
        for shift in (0.0, 0.01, 0.02):
            atoms.positions[0, 0] += shift
            forces.append(atoms.get_forces())
    thread.join(timeout=60)
    assert not failure
    return {"forces": np.array(forces)}


def _phonopy(kind, atoms):
    return kind(
        numbers=atoms.numbers, cell=atoms.cell.array, scaled_positions=atoms.get_scaled_positions()
    )


def _forces(supercells, calculator):
    from platonic_ase.phonons.structure import to_ase

    forces = []
    for cell in supercells:
        atoms = to_ase(cell)
        atoms.calc = calculator
        forces.append(atoms.get_forces())
    return np.array(forces)


CLIENTS = {
    "matcalc": (
        matcalc_relaxation,
        matcalc_equation_of_state,
        matcalc_elasticity,
        matcalc_phonons,
        matcalc_md,
        matcalc_nudged_elastic_band,
    ),
    "janus_core": (janus_single_point, janus_optimisation, janus_phonons, janus_md),
    "quacc": (quacc_runner,),
    "jobflow": (jobflow_relaxation,),
    "phonopy": (phonopy_loop,),
    "phono3py": (phono3py_loop,),
    "ase": (ase_phonons, ase_socket),
}


@pytest.mark.parametrize(
    ("package", "client"),
    [(package, client) for package, clients in CLIENTS.items() for client in clients],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_results_are_those_of_the_bare_model(package, client, chgnet, tmp_path, monkeypatch):
    pytest.importorskip(package, reason=f"{package} is not installed; .ci/clients installs it")
    monkeypatch.chdir(tmp_path)
    for name in ("bare", "wrapped"):
        (tmp_path / name).mkdir()
    chgnet.reset()
    bare = client(chgnet, tmp_path / "bare")
    chgnet.reset()
    calculator = PlatonicCalculator(chgnet, on_warning="ignore")
    wrapped = client(calculator, tmp_path / "wrapped")
    assert bare.keys() == wrapped.keys()
    for name, value in bare.items():
        assert value.size
        assert np.isfinite(value).all()
        np.testing.assert_array_equal(wrapped[name], value, err_msg=name)
