"""One calculator, many runs; threads; what no wrapper may lose, mix up or leave stale."""

import copy
import logging
import os
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import units
from ase.build import bulk
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase.mep import NEB

import platonic_ase
from platonic_ase import PlatonicCalculator
from platonic_ase.errors import DiagnosticFailedWarning, PlatonicError
from platonic_ase.models.embed import to_numpy
from platonic_ase.models.hooks import call_of
from platonic_ase.monitor import Diagnostic, EventGate, Finding, Signal
from platonic_ase.monitor.watch import Watch
from platonic_ase.report.columns import read_columns
from platonic_ase.report.reader import read_log
from platonic_ase.runs.md import run_md
from platonic_ase.runs.relax import run_relaxation
from platonic_ase.space.projection import TorchProjector
from platonic_ase.testing import (
    FrameKeeper,
    MockCalculator,
    MockEncoder,
    PlannedAlarm,
    mock_anchors,
)


def mock(**options):
    inner = options.pop("inner", None) or MockCalculator()
    anchors = mock_anchors(MockEncoder(inner))
    options = {"on_warning": "ignore", **options}
    return PlatonicCalculator(inner, anchors=anchors, reference=None, **options)


def salt():
    return bulk("NaCl", "rocksalt", a=5.6, cubic=True)


def walk(atoms, geometries):
    for _ in range(geometries):
        atoms.positions[0, 0] += 0.01
        atoms.get_forces()


# --- runs ---------------------------------------------------------------------------------------


def test_a_diagnosis_asked_for_later_is_that_of_its_geometry():
    """Every third geometry is diagnosed, and only in part; two more are computed before asking."""
    found = []
    for geometries in (13, 15):
        atoms = salt()
        atoms.calc = calc = mock(interval=3)
        walk(atoms, geometries)
        assert "closest_contact" not in calc.session._diagnosis.scalars
        found.append(calc.diagnosis)
    at_once, later = found
    assert at_once.index == later.index == 12
    assert at_once.scalars == later.scalars
    assert "closest_contact" in later.scalars


def test_the_summary_has_all_of_the_last_geometry():
    """Atoms come closer at each geometry, and the fourteenth is none at which all is computed."""
    atoms = salt()
    atoms.calc = calc = mock()
    walk(atoms, 14)
    worst = calc.summary().worst["closest_contact"]
    assert worst == calc.diagnosis.scalars["closest_contact"]


def test_each_run_of_a_calculator_is_logged_and_reported_by_itself(wrap, copper, tmp_path):
    calc = wrap(log=tmp_path / "run.jsonl")
    copper.rattle(0.05, seed=0)
    reports = []
    for number, steps in enumerate((4, 7)):
        result = run_md(
            copper.copy(), calc, temperature=300, steps=steps, progress=False, seed=3,
            report=tmp_path / f"{number}.html",
        )  # fmt: skip
        assert result.summary.evaluated == steps + 1
        reports.append(result.report.read_text())
    relaxed = run_relaxation(copper.copy(), calc, steps=3, progress=False)
    runs = read_log(tmp_path / "run.jsonl")
    assert [len(run.geometries) for run in runs[:2]] == [5, 8]
    assert len(runs[2].geometries) == relaxed.summary.diagnosed
    assert all(run.summary is not None and run.damaged == 0 for run in runs)
    assert len({run.header["run"] for run in runs}) == 3
    assert reports[0] != reports[1]
    known = runs[1].header["provenance"]
    assert (known["ensemble"], known["seed"], known["timestep_fs"]) == ("nvt", 3, 2.0)
    assert known["temperature_K"] == 300
    assert known["formula"] == "Cu4"
    assert known["host"]
    assert "pytest" in known["command"]
    assert runs[2].header["provenance"]["dynamics"] == "FIRE"


def test_calculators_that_share_a_log_read_back_as_runs_of_their_own(tmp_path):
    path = tmp_path / "run.jsonl"
    calcs = [mock(log=path), mock(log=path)]
    structures = [salt(), salt()]
    for _ in range(3):
        for atoms, calc in zip(structures, calcs, strict=True):
            atoms.calc = calc
            walk(atoms, 1)
    walk(structures[1], 2)
    for calc in calcs:
        calc.close()
    runs = read_log(path)
    assert [len(run.geometries) for run in runs] == [3, 5]
    assert [run.summary["evaluated"] for run in runs] == [3, 5]
    assert [run.header["run"] for run in runs] == [calc.run_id for calc in calcs]


def test_a_geometry_reads_back_as_it_was_seen(tmp_path, wrap, copper):
    calc = wrap(log=tmp_path / "run.jsonl")
    copper.calc = calc
    walk(copper, 2)
    calc.close()
    (run,) = read_log(tmp_path / "run.jsonl")
    (last,) = run.geometries[1:]
    seen = calc.diagnosis
    assert last["scalars"] == pytest.approx(seen.scalars, rel=1e-6)
    assert {k: len(v) for k, v in last["series"].items()} == {
        k: len(v) for k, v in seen.series.items()
    }
    assert last["energy"] == pytest.approx(copper.get_potential_energy(), abs=1e-6)
    (series,) = read_columns(tmp_path / "run.jsonl")[0].series()
    assert series.columns["energy"][1] == last["energy"]
    assert series.paths["Cu"][1].tolist() == last["map"]["Cu"]


def test_a_new_run_begins_a_new_energy_drift(wrap, copper):
    calc = wrap()
    copper.calc = calc
    copper.set_momenta(np.random.default_rng(0).normal(size=(4, 3)))
    for scale in (1.0, 3.0):
        copper.set_momenta(copper.get_momenta() * scale)
        dynamics = VelocityVerlet(copper, 1 * units.fs)
        calc.attach(dynamics)
        dynamics.run(5)
    state = calc.watch.track(copper).states["physics"]
    assert state.drift.n == 6


def test_the_thermostat_says_its_temperature(tmp_path, wrap, copper):
    calc = wrap(log=tmp_path / "run.jsonl")
    copper.calc = calc
    calc.attach(Langevin(copper, 2 * units.fs, temperature_K=450, friction=0.01), seed=7)
    copper.get_forces()
    calc.close()
    (run,) = read_log(tmp_path / "run.jsonl")
    known = run.header["provenance"]
    assert known["temperature_K"] == pytest.approx(450)
    assert known["timestep_fs"] == pytest.approx(2)
    assert (known["dynamics"], known["seed"]) == ("Langevin", 7)


def test_a_log_that_is_removed_is_noticed(tmp_path):
    path = tmp_path / "run.jsonl"
    atoms = salt()
    atoms.calc = mock(log=path)
    walk(atoms, 1)
    path.unlink()
    with pytest.warns(platonic_ase.errors.RecordingWarning, match="was removed"):
        walk(atoms, 1)
    walk(atoms, 1)


def test_a_copy_goes_on_logging_under_an_id_of_its_own(tmp_path):
    path = tmp_path / "run.jsonl"
    calc, atoms = mock(log=path), salt()
    atoms.calc = calc
    walk(atoms, 2)
    for other in (copy.deepcopy(calc), pickle.loads(pickle.dumps(calc))):
        moved = salt()
        moved.calc = other
        walk(moved, 3)
        other.close()
    calc.close()
    runs = read_log(path)
    assert [len(run.geometries) for run in runs] == [2, 3, 3]
    assert "copy_of" not in runs[0].header["provenance"]
    assert [run.header["provenance"]["copy_of"] for run in runs[1:]] == [calc.run_id] * 2


def test_log_is_small(tmp_path, wrap):
    calc, atoms = wrap(log=tmp_path / "run.jsonl"), bulk("Cu", cubic=True) * (4, 4, 4)
    atoms.calc = calc
    for seed in range(6):
        atoms.rattle(0.01, seed=seed)
        atoms.get_forces()
    sizes = [
        len(line)
        for line in (tmp_path / "run.jsonl").read_bytes().splitlines()
        if b'"geometry"' in line and b'"events"' not in line
    ]
    assert max(sizes) < 400


# --- threads ------------------------------------------------------------------------------------


def test_threads_that_share_a_model_see_only_their_own_captures():
    inner = MockCalculator()
    other = MockCalculator()
    other.model = inner.model
    seen, wait = {}, threading.Barrier(2, timeout=30)

    def run(name, calculator, shift):
        atoms = salt()
        atoms.positions[0, 0] += shift
        encoder = MockEncoder(calculator)
        with encoder.capture() as capture:
            wait.wait()  # both listen
            calculator.get_forces(atoms)
            wait.wait()  # both have run
        seen[name] = len(capture), capture.take(8).clone()

    threads = [
        threading.Thread(target=run, args=args) for args in ((0, inner, 0.0), (1, other, 0.3))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0][0] == seen[1][0] == 1
    assert not torch.equal(seen[0][1], seen[1][1])


def test_spies_of_two_threads_can_end_in_any_order():
    class Owner:
        def double(self, number):
            return 2 * number

    owner, first, second = Owner(), [], []
    one = call_of(owner, "double", first.append, lambda n: n)
    two = call_of(owner, "double", second.append, lambda n: n)
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert owner.double(3) == 6
    two.__exit__(None, None, None)
    assert (first, second) == ([], [3])
    assert "double" not in vars(owner)


def band(make, images=4):
    chain = [salt() for _ in range(images)]
    for number, image in enumerate(chain):
        image.positions[0, 0] += 0.3 * number / images
        image.calc = make()
    return chain


@pytest.mark.parametrize("kind", ["mock", "chgnet"])
def test_a_band_in_threads_gives_the_numbers_of_one_in_a_row(kind, request, small_spaces):
    if kind == "chgnet":
        from chgnet.model.dynamics import CHGNetCalculator

        model = request.getfixturevalue("chgnet").model
        bare = lambda: CHGNetCalculator(model, use_device="cpu")  # noqa: E731
        anchors, reference = small_spaces(kind, platonic_ase.find_encoder(bare()), [salt()])
        make = lambda: PlatonicCalculator(  # noqa: E731
            bare(), anchors=anchors, reference=reference, on_warning="ignore"
        )
    else:
        shared = MockCalculator().model

        def bare():
            calculator = MockCalculator()
            calculator.model = shared
            return calculator

        make = lambda: mock(inner=bare())  # noqa: E731
    expected = NEB(band(bare))
    forces = expected.get_forces()
    chain = band(make)
    parallel = NEB(chain, parallel=True)
    assert np.array_equal(parallel.get_forces(), forces)
    assert np.array_equal(parallel.energies[1:-1], expected.energies[1:-1])
    for image in chain[1:-1]:
        assert image.calc.diagnosis is not None
        assert image.calc.summary().switched_off == {}


def test_in_a_thread_forces_flow_although_the_model_cannot_be_observed():
    from platonic_ase.testing import SilentMock

    atoms, found = salt(), []
    atoms.calc = mock(inner=SilentMock())
    thread = threading.Thread(target=lambda: found.append(atoms.get_forces()))
    with warnings.catch_warnings(record=True) as issued:
        warnings.simplefilter("always")
        thread.start()
        thread.join()
    assert [item.category for item in issued] == [DiagnosticFailedWarning]
    assert np.array_equal(found[0], MockCalculator().get_forces(salt()))


# --- results and diagnostics ----------------------------------------------------------------------


class Odd(Diagnostic):
    name = "odd"

    def __init__(self, **entries):
        self.entries = entries

    def examine(self, frame, state):
        return Finding(self.name, **self.entries)


@pytest.mark.parametrize(
    "entries",
    [
        {"scalars": {"x": object()}},
        {"scalars": {"x": "many"}},
        {"series": {"x": [object()]}},
        {"per_atom": {"x": np.zeros(3)}},
        {"per_atom": {"x": np.array([object()] * 8)}},
        {"risks": {"x": object()}},
        {"facts": {"x": {1: 2}}},
        {"facts": {"x": [object()]}},
    ],
    ids=str,
)
def test_what_json_cannot_hold_switches_off_one_diagnostic_alone(entries, tmp_path):
    keeper, atoms = FrameKeeper(), salt()
    calc = mock(diagnostics=[Odd(**entries), keeper], log=tmp_path / "run.jsonl")
    atoms.calc = calc
    with pytest.warns(DiagnosticFailedWarning, match="'odd' failed and is switched off"):
        walk(atoms, 3)
    assert len(keeper.frames) == 3
    assert set(calc.summary().switched_off) == {"odd"}
    calc.close()
    assert len(read_log(tmp_path / "run.jsonl")[0].geometries) == 3


def test_scalars_are_finite_python_floats():
    scalars = {"a": np.float32(0.5), "b": np.inf, "c": np.nan, "d": 2}
    atoms = salt()
    atoms.calc = mock(diagnostics=[Odd(scalars=scalars)])
    atoms.get_forces()
    assert atoms.calc.diagnosis.scalars == {"a": 0.5, "d": 2.0}
    assert all(type(v) is float for v in atoms.calc.diagnosis.scalars.values())


def test_nan_does_not_stick_in_the_worst_values():
    class Once(Diagnostic):
        name = "once"

        def examine(self, frame, state):
            return Finding(self.name, scalars={"x": np.nan if frame.index == 0 else frame.index})

    atoms = salt()
    atoms.calc = mock(diagnostics=[Once()])
    walk(atoms, 3)
    assert atoms.calc.summary().worst == {"x": 2.0}


def test_a_stress_of_none_switches_nothing_off():
    class Stressless(MockCalculator):
        def _evaluate(self, atoms):
            return {**super()._evaluate(atoms), "stress": None}

    atoms = salt()
    atoms.calc = mock(inner=Stressless())
    walk(atoms, 2)
    assert atoms.calc.summary().switched_off == {}
    assert atoms.calc.results["stress"] is None


def test_a_diagnostic_that_cannot_begin_on_one_structure_begins_on_the_next():
    class Picky(FrameKeeper):
        name = "picky"

        def start(self, reference):
            if len(reference) < 8:
                raise RuntimeError("too small")

    picky = Picky()
    calc = mock(diagnostics=[picky])
    with pytest.warns(DiagnosticFailedWarning, match="cannot begin on NaCl and is left out there"):
        calc.get_forces(bulk("NaCl", "rocksalt", a=5.6))
    calc.get_forces(salt())
    assert [len(frame.atoms) for frame in picky.frames] == [8]
    assert "picky" in calc.summary().switched_off


def test_bfloat16_embeddings_are_read():
    embeddings = torch.randn(5, 4).to(torch.bfloat16)
    assert np.array_equal(to_numpy(embeddings), embeddings.float().numpy())
    anchors = np.random.default_rng(0).normal(size=(3, 4))
    projected = TorchProjector(anchors)(embeddings)
    assert torch.equal(projected, TorchProjector(anchors)(embeddings.float()))


def test_alarms_of_one_kind_in_two_groups_are_two_alarms():
    calc = mock()
    signal = Signal("symmetry_forecast", 2, 2, 1, "", "", "", group="one crystal")
    other = Signal("symmetry_forecast", 2, 2, 1, "", "", "", group="another crystal")
    assert calc.report(signal) is not None
    assert calc.report(signal) is None
    assert calc.report(other) is not None


# --- attributes, annotations, the terminal --------------------------------------------------------


def test_what_only_the_inner_calculator_has_is_set_there():
    class Charged(MockCalculator):
        charge = 0

        def _evaluate(self, atoms):
            results = super()._evaluate(atoms)
            return {**results, "energy": results["energy"] + self.charge}

    atoms = salt()
    atoms.calc = mock(inner=Charged())
    neutral = atoms.get_potential_energy()
    atoms.calc.charge = 1
    assert atoms.calc.calculator.charge == 1
    assert "charge" not in vars(atoms.calc)
    assert atoms.get_potential_energy() == neutral + 1


def test_a_stale_diagnosis_is_not_annotated():
    atoms = salt()
    atoms.calc = mock(interval=2)
    walk(atoms, 1)
    atoms.calc.annotate(atoms)
    walk(atoms, 1)
    with pytest.raises(PlatonicError, match="another geometry"):
        atoms.calc.annotate(atoms)


SCRIPT = """
import numpy as np
from ase.build import bulk
from platonic_ase import PlatonicCalculator
from platonic_ase.testing import MockCalculator, MockEncoder, PlannedAlarm, mock_anchors
inner = MockCalculator()
atoms = bulk("NaCl", "rocksalt", a=5.6)
atoms.calc = PlatonicCalculator(inner, encoder=MockEncoder(inner),
    anchors=mock_anchors(MockEncoder(inner)), reference=None,
    diagnostics=[PlannedAlarm(2)], on_warning={policy!r})
atoms.get_forces()  # the user's line
"""


@pytest.mark.parametrize(("policy", "times"), [("ignore", 0), ("warn", 1)])
def test_a_plain_script_says_each_event_once_at_the_line_of_the_user(policy, times, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(policy=policy))
    root = str(Path(platonic_ase.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert run.stderr.count("a planned alarm") == times
    assert ("script.py:11" in run.stderr) == bool(times)
    assert run.stdout == ""


def test_ignored_events_are_logged_as_information(caplog):
    atoms = salt()
    atoms.calc = mock(diagnostics=[PlannedAlarm(2)])
    with caplog.at_level(logging.INFO, logger="platonic_ase"), warnings.catch_warnings():
        warnings.simplefilter("error")
        atoms.get_forces()
    (record,) = [r for r in caplog.records if "a planned alarm" in r.getMessage()]
    assert record.levelno == logging.INFO


# --- names ----------------------------------------------------------------------------------------


def test_a_model_is_opened_by_its_name(monkeypatch, tmp_path):
    asked = []

    def load(name, **options):
        asked.append((name, options))
        return MockCalculator()

    space = {"anchors": mock_anchors(MockEncoder(MockCalculator())), "reference": None}
    for user in ("calculator", "factory"):
        monkeypatch.setattr(f"platonic_ase.{user}.load_calculator", load)
    calc = PlatonicCalculator("chgnet-0.3.0", **space)
    assert isinstance(calc.calculator, MockCalculator)
    calc = platonic_ase.watched("7net-0", log=tmp_path / "a.jsonl", device="cpu", **space)
    calc.get_forces(bulk("Cu"))
    assert calc.log_path == tmp_path / "a.jsonl"
    assert [name for name, _ in asked] == ["chgnet-0.3.0", "7net-0"]
    assert asked[1][1]["device"] == "cpu"


def test_the_loader_is_public():
    from platonic_ase import load_calculator
    from platonic_ase.models import load_calculator as inside

    assert load_calculator is inside


def test_a_diagnosis_prints_as_a_few_lines(wrap, copper):
    calc = wrap(diagnostics=[PlannedAlarm(2), *wrap().watch.diagnostics])
    copper.calc = calc
    copper.get_forces()
    text = str(calc.diagnosis)
    assert len(text.splitlines()) <= 16
    assert "array" not in text
    assert "geometry 0" in text
    assert "a planned alarm" in text
    assert "max_force" in text


def test_a_watch_can_be_made_anew_with_its_settings():
    watch = Watch([FrameKeeper()], EventGate(clear=0.5, cooldown=7))
    fresh = watch.fresh()
    assert (fresh.gate.clear, fresh.gate.cooldown) == (0.5, 7)


def test_the_history_of_a_copy_begins_where_the_results_are_known_already(wrap, copper):
    calc = wrap()
    copper.calc = calc
    copper.get_forces()
    moved = copper.copy()
    moved.calc = calc
    moved.get_forces()  # from the cache: nothing is evaluated
    assert calc.summary().evaluated == 1
    moved.rattle(0.05, seed=0)
    moved.get_forces()
    assert calc.watch.track(moved).states["symmetry"].orbits.space_group == "Fm-3m (225)"
    assert calc.diagnosis.scalars["asymmetry"] > 0.01
