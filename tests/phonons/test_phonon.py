import json
import warnings

import numpy as np
import phonopy
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet
from phonopy.structure.atoms import PhonopyAtoms

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.errors import NoticeWarning, PhononWarning, WarningRaised
from platonic_ase.phonons import assess_phonopy, run_phonon
from platonic_ase.phonons import run as workflow
from platonic_ase.phonons.linear import LinearPart
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.phonons.spectra import log_frequency
from platonic_ase.phonons.spectrum import choose_mesh
from platonic_ase.phonons.structure import choose_supercell, face_distances, to_ase
from platonic_ase.report.columns import read_columns
from platonic_ase.report.verdict import verdict
from platonic_ase.testing import SpringCrystal, mock_anchors, spring_frequencies

CUBE = 2 * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])


def pack(error, odds=-2.0):
    """A calibration that predicts one error, and one risk of imaginary modes, for everything."""
    part = LinearPart(("log_bond",), np.zeros(1), np.ones(1), np.zeros(1), float(np.sqrt(error)))
    rare = LinearPart(("log_bond",), np.zeros(1), np.ones(1), np.zeros(1), odds)
    return PhononRisk("constant", part, sigma=0.05, imaginary=rare)


def wrap(inner=None, **options):
    inner = inner or SpringCrystal()
    options = {"anchors": mock_anchors(find_encoder(inner)), "on_warning": "ignore", **options}
    return PlatonicCalculator(inner, **options)


def run(calc, atoms=None, **options):
    atoms = calc.calculator.structure() if atoms is None else atoms
    options = {"relax": False, "supercell": CUBE, "mesh": (9, 9, 9), "progress": False, **options}
    return run_phonon(atoms, calc, **options)


class Interrupted(SpringCrystal):
    """Presses Ctrl-C at its n-th calculation."""

    def __init__(self, at=0, **kwargs):
        super().__init__(**kwargs)
        self.at = at

    def calculate(self, *args, **kwargs):
        self.at -= 1
        if self.at == 0:
            raise KeyboardInterrupt
        super().calculate(*args, **kwargs)


def test_springs_have_their_exact_frequencies():
    calc = wrap()
    result = run(calc)
    mesh = result.phonon.mesh
    exact = spring_frequencies(calc.calculator, result.atoms, mesh.qpoints)
    assert np.abs(np.sort(result.spectrum.frequencies, axis=1) - exact).max() < 1e-4
    everything = np.sort(np.repeat(exact, mesh.weights, axis=0).ravel())
    ranks = np.maximum(np.ceil(np.linspace(0, 1, 17) * len(everything)).astype(int), 1)
    assert np.allclose(result.spectrum.quantiles, everything[ranks - 1], atol=1e-4)
    assert result.spectrum.mean == pytest.approx(
        np.average(exact.mean(axis=1), weights=mesh.weights)
    )
    assert not result.spectrum.imaginary
    assert result.spectrum.modes == ()
    assert max(result.force_constant_errors.values()) < 1e-9
    assert result.features.neighbour_share == pytest.approx(1)
    assert result.features.softest_curvature == pytest.approx(6)
    # the moved atoms alone give the trace of the dynamical matrix, so the mean square frequency
    squares = (exact**2).mean(axis=1)
    rms = np.sqrt(np.average(squares, weights=mesh.weights))
    assert np.exp(result.features.log_frequency) == pytest.approx(rms, rel=1e-4)
    assert np.exp(log_frequency(result.spectrum.quantiles)) == pytest.approx(rms, rel=0.02)


def test_heat_capacity_of_the_mesh():
    result = run(wrap())
    spectrum = result.spectrum
    x = 6.62607015e-34 * np.repeat(spectrum.frequencies, spectrum.weights, axis=0) * 1e12
    x = x[x > 6.62607015e-34 * 1e11] / (1.380649e-23 * 300)
    capacity = 8.314462618 * (x**2 * np.exp(x) / np.expm1(x) ** 2).sum() / 9**3
    at = int(np.argmin(np.abs(spectrum.temperatures - 300)))
    assert spectrum.heat_capacity[at] == pytest.approx(capacity, rel=1e-4)


def test_imaginary_modes_name_their_atoms():
    calc = wrap(SpringCrystal(k=-0.3))
    result = run(calc)
    assert result.spectrum.imaginary
    worst = result.spectrum.modes[0]
    assert worst.commensurate
    assert worst.q == (0.0, 0.0, 0.0)
    exact = spring_frequencies(calc.calculator, result.atoms, np.zeros((1, 3)))
    assert worst.frequency == pytest.approx(exact.min(), abs=1e-4)
    m = dict(zip(result.phonon.primitive.symbols, result.phonon.primitive.masses, strict=True))
    shares = dict(zip(worst.symbols, worst.shares, strict=True))
    assert shares["Na"] == pytest.approx(m["Cl"] / (m["Na"] + m["Cl"]), abs=1e-3)
    assert any("Thermal properties" in remark for remark in result.remarks)


def test_found_imaginary_modes_are_judged_by_depth_and_softness(monkeypatch):
    calc = wrap(SpringCrystal(k=-0.3), phonon_risk=pack(0.1))
    assert run(calc).probability_spurious is None  # this calibration says nothing of them
    asked = []

    def says(_, features, numbers, lowest, unlike):
        asked.append((features, numbers.tolist(), lowest, unlike))
        return 0.77

    monkeypatch.setattr(PhononRisk, "probability_spurious", says)
    result = run(calc, displacement=0.01)
    assert result.probability_spurious == result.to_dict()["probability_spurious"] == 0.77
    (one,) = asked
    assert one == (result.features, result.phonon.supercell.numbers.tolist(),
                   result.spectrum.lowest, ("displacement",))  # fmt: skip
    (said,) = [remark for remark in result.remarks if "the model's own" in remark]
    assert "probability of 0.77" in said
    assert run(calc, displacement=0.08).probability_spurious is None  # of no calibration
    assert run(wrap(phonon_risk=pack(0.1))).probability_spurious is None  # none are found


def test_json_schema(tmp_path):
    path = tmp_path / "out.json"
    result = run(wrap(phonon_risk=pack(0.1)), json=path)
    values = json.loads(path.read_text())
    low, high = (np.sqrt(0.1) + 0.05 * np.array([-1.644854, 1.644854])) ** 2
    assert values["risk"] == {
        "relative_error": pytest.approx(0.1),
        "interval": [pytest.approx(low, rel=1e-5), pytest.approx(high, rel=1e-5)],
        "probability_above_15_percent": pytest.approx(0.0778, rel=0.01),
        "probability_above_25_percent": pytest.approx(1.190e-4, rel=0.01),
        "probability_worst_third": None,
        "probability_imaginary": pytest.approx(1 / (1 + np.exp(2))),
        "calibration": "constant",
        "outside": [],
    }
    assert len(values["frequency_quantiles_THz"]) == 17
    assert values["imaginary"] is False
    assert values["imaginary_modes"] == values["events"] == []
    assert values["features"]["force_share"] == pytest.approx(6 / 7)
    assert values["settings"]["supercell"] == CUBE.tolist()
    assert values["settings"]["displacement_A"] == pytest.approx(0.03)
    assert values["settings"]["relaxation"]["done"] is False
    assert values["settings"]["mesh"] == [9, 9, 9]
    assert result.files == {"json": path}


def test_without_a_pack_the_risk_is_uncalibrated():
    values = run(wrap(phonon_risk=None)).to_dict()["risk"]
    assert values["calibration"] == "uncalibrated"
    assert values["relative_error"] is None
    assert values["probability_imaginary"] is None


def test_phonopy_reads_the_parameters(tmp_path):
    path = tmp_path / "phonopy_params.yaml"
    result = run(wrap(), params=path)
    loaded = phonopy.load(path, log_level=0)
    loaded.run_mesh([9, 9, 9], is_gamma_center=True)
    assert np.allclose(loaded.mesh.frequencies, result.spectrum.frequencies, atol=1e-4)


def test_the_warning_comes_before_diagonalisation(monkeypatch):
    def never(*_):
        raise AssertionError("diagonalised")

    monkeypatch.setattr(workflow, "compute_spectrum", never)
    with pytest.raises(WarningRaised, match="likely to be wrong") as raised:
        run(wrap(phonon_risk=pack(0.6), on_warning="raise"))
    assert raised.value.event.kind == "phonon_error"
    with pytest.warns(PhononWarning):
        stopped = run(wrap(phonon_risk=pack(0.6), on_warning="stop"))
    assert stopped.spectrum is None
    assert "likely to be wrong" in stopped.ended
    assert stopped.to_dict()["frequency_quantiles_THz"] is None


def test_one_warning_per_crystal():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = run(wrap(phonon_risk=pack(0.6), on_warning="warn"))
    assert [e.kind for e in result.events] == ["phonon_error"]
    assert len([w for w in caught if w.category is PhononWarning]) == 1
    assert set(result.events[0].atoms) == {r.atom for r in result.responses}


def test_a_good_crystal_is_quiet():
    assert run(wrap(phonon_risk=pack(0.05))).events == ()


def test_loose_relaxation_is_said():
    calc = wrap()
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    atoms.positions[0] += [0.01, 0.004, 0.0]
    result = run(calc, atoms, supercell=(1, 1, 1), mesh=(1, 1, 1))
    kinds = [event.kind for event in result.events]
    assert kinds == ["loose_relaxation"]
    assert result.residual_force == pytest.approx(6 * np.hypot(0.01, 0.004), rel=1e-3)
    assert 0 in result.events[0].atoms


def test_relaxation_keeps_the_symmetry():
    calc = wrap(EMT())
    atoms = bulk("Cu", "fcc", a=3.7)
    result = run_phonon(atoms, calc, supercell=(3, 3, 3), mesh=(9, 9, 9), progress=False)
    assert atoms.cell.lengths()[0] == pytest.approx(3.7 / np.sqrt(2))  # the caller's is untouched
    assert result.relaxation.converged
    assert result.relaxation.space_group == "Fm-3m (225)"
    assert result.relaxation.max_force < 1e-3
    assert abs(result.relaxation.pressure) < 0.1
    assert result.spectrum.lowest > -0.01


@pytest.mark.parametrize("at", [1, 2, 3])
def test_ctrl_c_loses_nothing(tmp_path, at):
    whole = run(wrap())
    store = tmp_path / "parts"
    first = run(wrap(Interrupted(at=at + 1)), store=store)  # one pass is the structure itself
    assert first.ended == "interrupted"
    assert first.spectrum is None
    again = run(wrap(), store=store)
    assert again.ended == "finished"
    assert again.resumed == at - 1
    assert np.array_equal(again.phonon.forces, whole.phonon.forces)
    assert again.features == whole.features
    assert not store.exists()


def test_parts_of_another_model_are_not_taken(tmp_path):
    store = tmp_path / "parts"
    run(wrap(Interrupted(at=3)), store=store)
    assert len(list(store.iterdir())) == 2
    assert run(wrap(SpringCrystal(k=2.0)), store=store).resumed == 0


def phonopy_object(calc, matrix=CUBE):
    a = calc.calculator.structure()
    unit = PhonopyAtoms(
        numbers=a.numbers,
        cell=a.cell,
        scaled_positions=a.get_scaled_positions(),
        masses=a.get_masses(),
    )
    return phonopy.Phonopy(unit, supercell_matrix=matrix)


def test_an_existing_phonopy_object():
    calc = wrap()
    made = phonopy_object(calc)
    made.generate_displacements(distance=0.02)
    result = assess_phonopy(made, calc, mesh=(9, 9, 9), progress=False)
    assert result.phonon is made
    assert result.settings["displacement_A"] == pytest.approx(0.02)
    assert result.spectrum.mean == pytest.approx(run(wrap()).spectrum.mean, abs=1e-4)


def test_random_displacements_are_not_assessed():
    calc = wrap(phonon_risk=pack(0.6))
    made = phonopy_object(calc)
    made.generate_displacements(distance=0.02, number_of_snapshots=4, random_seed=1)
    result = assess_phonopy(made, calc, mesh=(3, 3, 3), progress=False)
    assert result.features is None
    assert result.risk.calibration == "uncalibrated"
    assert any("could not be assessed" in remark for remark in result.remarks)


@pytest.mark.parametrize("perfect", [True, False])
@pytest.mark.parametrize("same_object", [True, False])
def test_a_plain_loop_gives_the_same_risk(perfect, same_object):
    whole = run(wrap(phonon_risk=pack(0.6)))
    calc = wrap(phonon_risk=pack(0.6))
    made = phonopy_object(calc)
    made.generate_displacements(distance=0.03)
    cells = [made.supercell] * perfect + list(made.supercells_with_displacements)
    live = to_ase(cells[0])
    events = []
    for cell in cells:
        atoms = live if same_object else to_ase(cell)
        atoms.positions = cell.positions
        atoms.calc = calc
        atoms.get_forces()
        events += calc.diagnosis.events
    assert calc.diagnosis.risks["phonon_relative_error"] == pytest.approx(0.6)
    assert calc.diagnosis.risks["phonon_probability_above_25_percent"] > 0.99
    assert [e.kind for e in events] == ["phonon_error"]
    (crystal,) = calc.watch.track(atoms).states["displacement"].crystals
    assert crystal.inferred is not perfect
    features, expected = crystal.features().to_dict(), whole.features.to_dict()
    for name, value in expected.items():
        if perfect or name not in ("response", "locality", "restoring"):
            assert features[name] == pytest.approx(value, rel=2e-2, nan_ok=True), name


def test_a_few_atoms_at_once_are_seen_but_not_assessed():
    calc = wrap(phonon_risk=pack(0.6))
    atoms = to_ase(phonopy_object(calc).supercell)
    atoms.calc = calc
    atoms.get_forces()
    assert "displaced_atoms" not in calc.diagnosis.scalars
    rest = calc.platonic.copy()
    atoms.positions[[0, 40]] += [[0.03, 0, 0], [0, 0, 0.03]]
    atoms.get_forces()
    assert calc.diagnosis.scalars["displaced_atoms"] == 2
    assert calc.diagnosis.risks["phonon_relative_error"] == "uncalibrated"
    expected = np.linalg.norm(calc.platonic - rest, axis=1) / (0.03 * np.sqrt(2))
    assert np.allclose(calc.diagnosis.per_atom["displacement_response"], expected)
    atoms.positions[40, 2] += 0.01  # as in a relaxation: nobody displaced them
    atoms.get_forces()
    assert calc.diagnosis.scalars["displaced_atoms"] == 2
    assert "phonon_relative_error" not in calc.diagnosis.risks
    assert calc.diagnosis.findings["displacement"].notice == ""


def test_pairs_keep_the_risk_of_the_singles_before_them():
    calc = wrap(phonon_risk=pack(0.6))
    rest = to_ase(phonopy_object(calc).supercell)
    rest.calc = calc
    rest.get_forces()
    risks = []
    for moved in ([0], [32], [0, 40], [32, 5], [0, 41]):  # as phono3py does
        atoms = rest.copy()
        atoms.positions[moved] += [0.03, 0, 0]
        calc.get_forces(atoms)
        risks.append(calc.diagnosis.risks["phonon_relative_error"])
    assert risks == [pytest.approx(0.6)] * 5
    assert calc.summary().raised == {"phonon_error": 1}


@pytest.mark.parametrize("length", [0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.06, 0.1])
@pytest.mark.parametrize("same_object", [True, False])
def test_every_displacement_in_use_has_a_risk_or_one_notice(length, same_object, tmp_path):
    path = tmp_path / "run.jsonl"
    calc = wrap(log=path, on_warning="warn")  # the universal pack, as for any model
    live = to_ase(phonopy_object(calc).supercell)
    rest = live.positions.copy()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        calc.get_forces(live)
        for moved in (0, 32):
            atoms = live if same_object else live.copy()
            atoms.positions = rest
            atoms.positions[moved, 0] += length
            calc.get_forces(atoms)
    said = [str(w.message) for w in caught if issubclass(w.category, NoticeWarning)]
    risk = calc.diagnosis.risks["phonon_relative_error"]
    calc.close()
    found = verdict(read_columns(path)[0])
    if length <= 0.05:
        assert 0 < risk < 1
        assert said == []
        assert found.title != "Phonons not judged"
    else:
        assert risk == "uncalibrated"
        (notice,) = said
        assert f"displaced by up to {length:g} Å" in notice
        assert (found.kind, found.title) == ("unknown", "Phonons not judged")


def test_the_end_says_what_a_person_wants_to_know():
    calc = wrap(SpringCrystal(k=-0.3), phonon_risk=pack(0.1))
    lines = run(calc).describe().splitlines()
    assert lines[0].startswith("NaCl, 2 displaced supercells of 64 atoms: -")
    (worst,) = [line for line in lines if line.startswith("Worst mode: ")]
    assert "at (0, 0, 0): Na0 61 %, Cl1 39 %" in worst
    assert "% of the mesh imaginary" in worst
    (risk,) = [line for line in lines if line.startswith("Risk: ")]
    assert "an error of 10 % of the mean frequency (90 %: " in risk
    assert risk.endswith("(constant).")  # the modes are known: nothing is foretold of them
    assert any("No correction is offered" in line for line in lines)
    quiet = run(wrap()).describe()
    assert "No imaginary modes." in quiet
    wrong = run(wrap(phonon_risk=pack(0.1, odds=2.0))).describe()
    assert "No imaginary modes, although they were thought likely beforehand." in wrong
    stopped = run(wrap(Interrupted(at=2))).describe()
    assert "no phonons, interrupted" in stopped


def test_dynamics_and_relaxations_are_no_displacements():
    calc = wrap()
    atoms = calc.calculator.structure().repeat(2)
    atoms.calc = calc
    atoms.rattle(0.02, seed=1)
    atoms.get_forces()
    assert "phonon_relative_error" not in calc.diagnosis.risks
    atoms.set_momenta(np.random.default_rng(0).normal(size=(16, 3)))
    VelocityVerlet(atoms, 0.1).run(3)
    assert "phonon_relative_error" not in calc.diagnosis.risks


@pytest.mark.parametrize(
    ("atoms", "count"),
    [
        (bulk("NaCl", "rocksalt", a=5.64), 64),
        (bulk("Si", "diamond", a=5.43), 64),
        (bulk("CsCl", "cesiumchloride", a=4.12), 54),
        (bulk("Si", "diamond", a=5.43, cubic=True), 64),
    ],
)
def test_supercells_are_wide_and_small(atoms, count):
    matrix = choose_supercell(atoms)
    cell = matrix.T @ atoms.cell.array
    assert face_distances(cell).min() >= 10
    assert round(abs(np.linalg.det(matrix))) * len(atoms) == count
    assert np.allclose(cell @ cell.T, np.diag(np.diag(cell @ cell.T)), atol=1e-6)  # a cube


def test_supercells_have_a_limit():
    diamond = bulk("C", "diamond", a=3.57)
    matrix = choose_supercell(diamond, max_atoms=100)
    assert round(abs(np.linalg.det(matrix))) * 2 == 64


def test_mesh_is_odd_and_dense():
    assert choose_mesh([4.0, 4.0, 20.0]) == (15, 15, 9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"displacement": 0.0}, "positive length"),
        ({"supercell": (2, 2)}, "3 multiples"),
        ({"mesh": (9, 0, 9)}, "three positive"),
    ],
)
def test_settings_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        run(wrap(), **options)


def test_the_report_is_one_page(tmp_path):
    path = tmp_path / "out.html"
    run(wrap(SpringCrystal(k=-0.3), phonon_risk=pack(0.6)), report=path)
    text = path.read_text(encoding="utf-8")
    for part in (
        "Phonons of NaCl",
        "Imaginary modes",
        "likely to be wrong",
        "constant",
        'data-chart="bands"',
    ):
        assert part in text
    assert "http:" not in text.replace("http://www.w3.org", "")
    assert "https:" not in text
