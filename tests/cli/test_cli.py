import json
import re
import subprocess
import sys

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import read
from typer.testing import CliRunner

from platonic_ase import AnchorSet
from platonic_ase.cli import app, main

runner = CliRunner()


@pytest.fixture
def mock_model(monkeypatch):
    monkeypatch.setattr("platonic_ase.models.load_calculator", lambda name, device=None: EMT())


@pytest.fixture
def folder(tmp_path, monkeypatch, mock_model):
    monkeypatch.chdir(tmp_path)
    bulk("Cu", "fcc", a=3.6, cubic=True).write("Cu.cif")
    copies = []
    for k in range(60):
        atoms = bulk("Cu", "fcc", a=3.4 + 0.01 * k, cubic=True)
        atoms.rattle(0.1, seed=k)
        atoms.info["group"] = f"copy {k}"
        copies.append(atoms)
    from ase.io import write

    write("copies.xyz", copies)
    done = runner.invoke(
        app, ["anchors", "build", "--structures", "copies.xyz", "-o", "cu.anchors.safetensors",
              "-k", "10", "--quiet"]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return tmp_path


def test_anchors_are_built_and_shown(folder):
    anchors = AnchorSet.load("cu.anchors.safetensors")
    assert len(anchors) == 10
    shown = runner.invoke(app, ["anchors", "show", "cu.anchors.safetensors"])
    assert "10 anchors of" in shown.output
    assert "Cu" in shown.output


def test_md_writes_what_it_says(folder):
    done = runner.invoke(
        app, ["md", "Cu.cif", "--steps", "5", "--anchors", "cu.anchors.safetensors", "--quiet",
              "--seed", "1"]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    first, second, third, *files = done.stdout.splitlines()
    assert re.fullmatch(
        r"5 steps, finished: mean temperature \d+ K in the second half \(300 K asked for\)\.", first
    )
    assert second == "Quiet: 6 of 6 geometries diagnosed, no warning."
    assert third.startswith("There is no reference for this model, so extrapolation was not judged")
    assert [line.partition(":")[0] for line in files] == ["trajectory", "log", "report"]
    for name in ("Cu-md.traj", "Cu-md.jsonl", "Cu-md.html"):
        assert name in done.output
        assert (folder / name).stat().st_size > 0
    lines = [json.loads(line) for line in (folder / "Cu-md.jsonl").read_text().splitlines()]
    assert [line["type"] for line in lines].count("geometry") == 6
    assert lines[-1]["type"] == "summary"


def test_a_run_that_a_warning_stops_says_so(folder):
    bulk("Cu", "fcc", a=1.9, cubic=True).write("close.xyz")
    done = runner.invoke(
        app, ["md", "close.xyz", "--steps", "5", "--anchors", "cu.anchors.safetensors", "--quiet",
              "--on-warning", "stop", "--without", "extrapolation"]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    first, second, third, *_ = done.stdout.splitlines()
    assert first.startswith("0 steps, stopped by a warning")
    assert second.startswith("1 warning, 1 of 1 geometries diagnosed: contact")
    assert third.startswith("Last: geometry 0: Cu")
    assert "overlap" in third


def test_relax_writes_the_relaxed_structure(folder):
    done = runner.invoke(
        app, ["relax", "Cu.cif", "--cell", "--fix-symmetry", "--anchors",
              "cu.anchors.safetensors", "--quiet"]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert re.match(
        r"\d+ steps, converged: energy \S+ eV \(-0\.\d+\), largest force \S+ eV/Å, volume "
        r"-\S+ %, still Fm-3m \(225\)\.\n",
        done.output,
    )
    assert read("Cu-relaxed.xyz").cell.lengths()[0] != pytest.approx(3.6, abs=1e-3)


def test_audit_is_printed_and_written(folder):
    done = runner.invoke(
        app, ["audit", "Cu.cif", "--report", "audit.html", "--json", "audit.json", "--quiet"]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "forces as the gradient of an energy: yes" in done.output
    assert "All 6 laws are kept, up to rounding." in done.output
    values = json.loads((folder / "audit.json").read_text())
    assert all(law["holds"] for law in values["laws"])
    assert "All laws that were checked are kept" in (folder / "audit.html").read_text()


def test_a_run_is_audited_on_request(folder):
    done = runner.invoke(
        app, ["relax", "Cu.cif", "--audit", "--supercell", "2", "1", "1", "--anchors",
              "cu.anchors.safetensors", "--quiet"]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "audit: all laws checked are kept" in done.output
    lines = [json.loads(line) for line in (folder / "Cu-relax.jsonl").read_text().splitlines()]
    kinds = [line["type"] for line in lines]
    assert kinds[:2] == ["header", "audit"]
    assert kinds.index("audit") < kinds.index("geometry")
    assert lines[1]["structure"] == "Cu4 (4 atoms)"
    assert "equivalent Cu (4 atoms)" in (folder / "Cu-relax.html").read_text()


def test_replay_and_report(folder):
    arguments = ["--anchors", "cu.anchors.safetensors", "--quiet"]
    runner.invoke(app, ["md", "Cu.cif", "--steps", "20", *arguments])
    done = runner.invoke(app, ["replay", "Cu-md.traj", "--annotated", "a.xyz", *arguments])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("3 frames, finished.\nQuiet: 3 of 3 geometries diagnosed")
    assert len(read("a.xyz", ":")) == 3
    again = runner.invoke(app, ["report", "Cu-md-replay.jsonl", "-o", "again.html"])
    assert again.exit_code == 0, again.output
    assert "<html" in (folder / "again.html").read_text()[:200]


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "platonic_ase", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "python -m platonic_ase" in done.stdout


def test_models_lists_what_is_known():
    shown = runner.invoke(app, ["models"])
    assert shown.exit_code == 0
    for name in ("chgnet-0.3.0", "7net-0"):
        assert name in shown.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["md", "missing.cif"], "missing.cif"),
        (["md", "Cu.cif", "--anchors", "missing.safetensors"], "missing.safetensors"),
        (["report", "missing.jsonl"], "missing.jsonl"),
        (["anchors", "show", "copies.xyz"], "copies.xyz"),
        (["replay", "missing.traj"], "missing.traj"),
    ],
)
def test_errors_are_one_line(arguments, message, folder, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["platonic-ase", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    error = capsys.readouterr().err
    assert stopped.value.code == 1
    assert error.startswith("error: ")
    assert message in error
    assert "Traceback" not in error


def test_unknown_model_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bulk("Cu").write("Cu.cif")
    monkeypatch.setattr("sys.argv", ["platonic-ase", "md", "Cu.cif", "-c", "chgnett"])
    with pytest.raises(SystemExit):
        main()
    assert "chgnet" in capsys.readouterr().err


def test_phonon(folder):
    bulk("Cu", "fcc", a=3.62).write("fcc.cif")
    command = ["phonon", "fcc.cif", "--anchors", "cu.anchors.safetensors", "--reference", "none",
               "--supercell", "3", "3", "3", "--mesh", "9", "9", "9", "--quiet"]  # fmt: skip
    done = runner.invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "Cu, 1 displaced supercell of 27 atoms: " in done.output
    assert "Risk: an error of " in done.output  # what is known of any model: a wide interval
    values = json.loads((folder / "fcc-phonon.json").read_text())
    assert values["risk"]["calibration"].startswith("universal")
    assert len(values["frequency_quantiles_THz"]) == 17
    for name in ("fcc-phonopy_params.yaml", "fcc-phonon.html", "fcc-phonon.jsonl"):
        assert (folder / name).is_file()
    assert not (folder / "fcc-phonon.parts").exists()
    again = runner.invoke(app, [*command, "--no-relax", "--json", "out/own.json"])
    assert again.exit_code == 0, again.output
    own = json.loads((folder / "out" / "own.json").read_text())
    assert own["settings"]["relaxation"]["done"] is False
    assert (folder / "fcc-phonon.1.html").is_file()


QUIET = ["--anchors", "cu.anchors.safetensors", "--quiet"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["md", "Cu.cif", "--report", "Cu.cif"],
        ["md", "Cu.cif", "--log", "copies.xyz"],
        ["md", "Cu.cif", "--trajectory", "Cu.cif/x.traj"],
        ["md", "Cu.cif", "--report", "/dev/full"],
        ["relax", "Cu.cif", "--output", "folder"],
        ["relax", "Cu.cif", "--output", "out.unknownext"],
        ["embed", "copies.xyz", "-o", "copies.xyz"],
        ["report", "run.html"],
        ["report", "l.jsonl", "-o", "l.jsonl"],
        ["md", "Cu.cif", "--timestep", "-1"],
        ["md", "Cu.cif", "--temperature", "0"],
        ["md", "Cu.cif", "--temperature", "1e300"],
        ["md", "Cu.cif", "--supercell", "-1", "1", "1"],
        ["md", "Cu.cif", "--seed", "-1"],
        ["relax", "Cu.cif", "--fmax", "nan"],
        ["relax", "Cu.cif", "--pressure", "1"],
        ["phonon", "Cu.cif", "--mesh", "0", "0", "0"],
        ["phonon", "Cu.cif", "--displacement", "1e5"],
        ["phonon", "Cu.cif", "--displacement", "1e-300"],
        ["anchors", "build", "--structures", "Cu.cif", "--output", "few.anchors.safetensors"],
        ["calibrate", "--level", "2"],
    ],
)
def test_what_would_lose_a_file_or_makes_no_sense_is_refused(
    arguments, folder, monkeypatch, capsys
):
    (folder / "folder").mkdir()
    for name in ("run.html", "l.jsonl"):
        (folder / name).write_text('{"type": "header", "schema": 1}\n')
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    steps = ["--steps", "1"] if arguments[0] in ("md", "relax") else []
    monkeypatch.setattr("sys.argv", ["platonic-ase", *arguments, *steps])
    with pytest.raises(SystemExit) as stopped:
        main()
    error = capsys.readouterr().err
    assert stopped.value.code in (1, 2)
    assert "rror: " in error
    assert "unexpected" not in error
    assert {path: path.read_bytes() for path in before} == before
    assert (folder / "folder").is_dir()


def test_what_is_moved_aside_is_said(folder, monkeypatch, capsys):
    for _ in range(2):
        monkeypatch.setattr("sys.argv", ["platonic-ase", "md", "Cu.cif", "--steps", "1", *QUIET])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code in (0, None)
    error = capsys.readouterr().err
    for name in ("Cu-md.1.traj", "Cu-md.1.html"):
        assert error.count(name) == 1
        assert (folder / name).stat().st_size
    assert len((folder / "Cu-md.jsonl").read_text().splitlines()) > 4


def test_a_second_file_embedded_onto_the_same_output_keeps_the_first(folder):
    for source in ("Cu.cif", "copies.xyz"):
        done = runner.invoke(app, ["embed", source, "-o", "e.safetensors", "--quiet"])
        assert done.exit_code == 0, done.output
    assert "240 atoms of 60 structures embedded by " in done.output
    from platonic_ase import EmbeddingSet

    assert len(EmbeddingSet.load("e.1.safetensors")) == 4
    assert len(EmbeddingSet.load("e.safetensors")) == 240


def test_md_goes_on_from_its_trajectory(folder):
    command = ["md", "Cu.cif", "--ensemble", "nve", "--seed", "1", "--trajectory-interval", "5",
               *QUIET]  # fmt: skip
    whole = ["--steps", "20", "--trajectory", "whole.traj", "--log", "w.jsonl"]
    assert runner.invoke(app, [*command, *whole]).exit_code == 0
    for more in ([], ["--restart"]):
        done = runner.invoke(app, [*command, "--steps", "10", *more])
        assert done.exit_code == 0, done.output
    parts, once = read("Cu-md.traj", ":"), read("whole.traj", ":")
    assert len(parts) == len(once) == 5
    for a, b in zip(parts, once, strict=True):
        assert a.positions == pytest.approx(b.positions, abs=1e-12)
        assert a.get_momenta() == pytest.approx(b.get_momenta(), abs=1e-12)


@pytest.mark.parametrize("thermostat", ["bussi", "langevin", "nose-hoover"])
def test_thermostats(thermostat, folder):
    done = runner.invoke(
        app, ["md", "Cu.cif", "--thermostat", thermostat, "--friction", "5", "--steps", "3", *QUIET]
    )
    assert done.exit_code == 0, done.output


PHYSICS = {"net_force", "closest_contact", "temperature", "volume_ratio", "max_force"}


def test_a_diagnostic_is_switched_off_alone(folder):
    from platonic_ase.report.reader import read_log

    names = []
    for options in ([], ["--without", "physics"]):
        done = runner.invoke(app, ["md", "Cu.cif", "--steps", "2", *options, *QUIET])
        assert done.exit_code == 0, done.output
        run = read_log("Cu-md.jsonl")[-1]
        found = set().union(*(record["scalars"] for record in run.geometries))
        names.append({name for name in found if name in PHYSICS})
        assert found - names[-1]
    assert names[0]
    assert not names[1]


def test_an_ideal_structure_is_taken(folder):
    for supercell in (["2", "1", "1"], ["1", "1", "1"]):
        done = runner.invoke(
            app, ["md", "Cu.cif", "--steps", "1", "--ideal", "Cu.cif", "--supercell", *supercell,
                  *QUIET]
        )  # fmt: skip
        assert done.exit_code == 0, done.output


def test_pressure_shrinks_a_relaxed_cell(folder):
    sizes = []
    for pressure in ("0", "20"):
        out = f"p{pressure}.xyz"
        done = runner.invoke(
            app, ["relax", "Cu.cif", "--cell", "--pressure", pressure, "--output", out, *QUIET]
        )
        assert done.exit_code == 0, done.output
        sizes.append(read(out).get_volume())
    assert sizes[1] < 0.95 * sizes[0]


def test_version():
    shown = runner.invoke(app, ["--version"])
    assert shown.exit_code == 0
    assert shown.output.startswith("platonic-ase ")


def test_a_name_that_is_not_utf8_loses_no_structure(folder):
    import os

    name = os.fsdecode(b"caf\xe9.cif")
    os.rename("Cu.cif", name)  # noqa: PTH104
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "relax", name, "--steps", "2", *QUIET],
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert os.path.exists(os.fsdecode(b"caf\xe9-relaxed.xyz"))  # noqa: PTH110


SCRIPT = """
import time
from ase.calculators.emt import EMT
import platonic_ase.models
from platonic_ase import register_encoder
from platonic_ase.cli import main
from platonic_ase.testing import GeometricEncoder, MockEncoder, SpringEncoder

def slowly(self, *arguments, evaluate=EMT.calculate, **options):
    time.sleep(0.02)
    evaluate(self, *arguments, **options)

EMT.calculate = slowly
for encoder in (MockEncoder, GeometricEncoder, SpringEncoder):
    register_encoder(encoder)
platonic_ase.models.load_calculator = lambda name, device=None: EMT()
main()
"""


def test_sigterm_completes_log_and_report(folder):
    import signal
    import time

    run = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "md", "Cu.cif", "--steps", "100000", *QUIET],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    log = folder / "Cu-md.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (
        log.exists() and log.read_text().count('"geometry"') > 3
    ):
        time.sleep(0.1)
    run.send_signal(signal.SIGTERM)
    _, error = run.communicate(timeout=120)
    assert run.returncode == 128 + signal.SIGTERM, error
    assert json.loads(log.read_text().splitlines()[-1])["type"] == "summary"
    assert (folder / "Cu-md.html").stat().st_size


def test_a_second_opinion_is_asked_where_a_warning_is_raised(folder, mock_space):
    from platonic_ase.report.reader import read_log

    done = runner.invoke(
        app, ["md", "Cu.cif", "--steps", "4", "--timestep", "40", "--second-opinion", "other",
              "--anchors", str(mock_space[0]), "--quiet"]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    run = read_log("Cu-md.jsonl")[-1]
    assert run.events
    names = set().union(*(record["scalars"] for record in run.geometries))
    assert [name for name in names if name.startswith("second_opinion")]


@pytest.mark.parametrize(
    "command", ["report", "audit", "embed", "replay", "md", "compare", "screen"]
)
def test_names_that_are_not_utf8_in_other_commands(command, folder):
    import os

    source = os.fsdecode(b"caf\xe9." + (b"jsonl" if command == "report" else b"cif"))
    out = os.fsdecode(b"scr\xe9en")
    if command == "report":
        runner.invoke(app, ["md", "Cu.cif", "--steps", "1", "--log", source, *QUIET])
    else:
        os.rename("Cu.cif", source)  # noqa: PTH104
    options = {"report": [], "audit": ["--quiet"], "embed": ["-o", "e.safetensors", "--quiet"],
               "replay": QUIET, "md": ["--steps", "2", *QUIET],
               "compare": ["-c", "a,b", "-k", "1", "--resamples", "0", "--quiet"],
               "screen": ["-o", out, "--workers", "0", *QUIET]}[command]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, command, source, *options], capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
