"""Sets of options at random: done or refused with a sentence, and no file of before is lost."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write
from bounded import bounded

from platonic_ase.cli import main
from platonic_ase.testing import small_space

SETS = 300
PATHS = ("out.html", "out.jsonl", "out.traj", "out.xyz", "out.unknownext", "notdir/x", "folder",
         "Cu.cif", "Cu.cif/x", "/dev/full", "/dev/null", "old.jsonl", "old.html", "", ".", "a\tb",
         "new/deep/x.xyz")  # fmt: skip
NUMBERS = ("-1", "0", "1", "2", "nan", "inf", "-inf", "1e300", "1e-300", "0.03", "x", "", "1e5")
COUNTS = ("-1", "0", "1", "2", "x", "1000000000000", "1.5")
TRIPLES = ("-1 1 1", "1 1 1", "0 0 0", "2 1 1", "1 1", "9999 9999 9999")
OPTIONS = {
    "md": {"--temperature": NUMBERS, "--timestep": NUMBERS, "--friction": NUMBERS,
           "--pressure": NUMBERS, "--supercell": TRIPLES, "--log": PATHS, "--report": PATHS,
           "--trajectory": PATHS, "--trajectory-interval": COUNTS, "--interval": COUNTS,
           "--seed": COUNTS, "--ensemble": ("nve", "npt", "x"), "--thermostat": ("langevin", "x"),
           "--ideal": PATHS, "--without": ("physics", "x"), "--restart": (None,),
           "--on-warning": ("stop", "raise", "ignore", "x"), "--calibration": PATHS},
    "relax": {"--fmax": NUMBERS, "--pressure": NUMBERS, "--rattle": NUMBERS, "--cell": (None,),
              "--fix-symmetry": (None,), "--optimizer": ("BFGS", "x"), "--output": PATHS,
              "--log": PATHS, "--report": PATHS, "--trajectory": PATHS, "--supercell": TRIPLES},
    "replay": {"--annotated": PATHS, "--log": PATHS, "--report": PATHS, "--interval": COUNTS},
    "report": {"--output": PATHS, "--run": COUNTS, "--figures": PATHS},
    "embed": {"--output": PATHS, "--layer": ("x", "radial")},
    "audit": {"--report": PATHS, "--json": PATHS},
    "phonon": {"--supercell": TRIPLES, "--mesh": TRIPLES, "--fmax": NUMBERS,
               "--displacement": NUMBERS, "--relax": (None,), "--json": PATHS, "--report": PATHS,
               "--figures": PATHS, "--params": PATHS, "--corrected-params": PATHS,
               "--born": PATHS, "--risk": ("none", *PATHS), "--calibration": PATHS},
    "forecast": {"--supercell": TRIPLES, "--fmax": NUMBERS, "--displacement": NUMBERS,
                 "--no-relax": (None,), "--json": PATHS, "--report": PATHS, "--figures": PATHS,
                 "--log": PATHS, "--calibration": PATHS},
    "screen": {"--output": PATHS, "--task": ("relax", "md", "phonon", "forecast", "x"),
               "--fmax": NUMBERS, "--steps": COUNTS, "--temperature": NUMBERS,
               "--timestep": NUMBERS, "--batch": COUNTS, "--by": ("risk", "x", ""),
               "--top": COUNTS, "--database": (None,), "--keep": ("all", "worst:1", "worst:x"),
               "--retry": (None,), "--calibration": PATHS},
    "compare": {"--calculators": ("a", "b,c", "a*random", ""), "--folder": PATHS,
                "--report": PATHS, "--json": PATHS, "--figures": PATHS, "--embeddings": PATHS,
                "--embed-only": (None,), "--centred": (None,), "-k": COUNTS,
                "--transport-atoms": COUNTS, "--gromov-atoms": COUNTS, "--seed": COUNTS},
    "anchors": {"--structures": PATHS, "--output": PATHS, "--number": COUNTS,
                "--method": ("direct", "farthest_point", "x"), "--centred": (None,),
                "--seed": COUNTS},
    "calibrate": {"--data": PATHS, "--output": PATHS, "--forces-key": ("forces", "x", ""),
                  "--spectra": PATHS, "--crystals": COUNTS, "--level": NUMBERS},
    "doctor": {"--json": PATHS, "--model-path": PATHS, "--device": ("cpu", "x")},
    "watch": {"--port": COUNTS},
}  # fmt: skip
LOGS = ("old.jsonl", "old.html", "missing.jsonl", "folder")
INPUTS = {"report": LOGS, "watch": LOGS, "compare": ("few.xyz", "few.xyz", "Cu.cif", "folder"),
          "anchors": ("",), "calibrate": ("",), "doctor": ("",)}  # fmt: skip
ALWAYS = {
    "md": ("--steps", "2"),
    "relax": ("--steps", "2"),
    "watch": ("--once",),
    "screen": ("--workers", "0", "--output", "screened"),
    "compare": ("--calculators", "a", "--resamples", "0"),
    "anchors": ("--structures", "few.xyz"),
    "calibrate": ("--no-generated", "--data", "few.xyz"),
}
SPACE = ("md", "relax", "replay", "phonon", "forecast", "screen")
TELL_ALL = ("report", "watch", "doctor")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with files of before, and a model that is quick."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platonic_ase.models.load_calculator", lambda name, **options: EMT())
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True)
    atoms.write("Cu.cif")
    few = [atoms.copy() for _ in range(6)]
    for k, copy in enumerate(few):
        copy.rattle(0.1, seed=k)
        copy.calc = EMT()
        copy.get_forces()
    write("few.xyz", few)
    from platonic_ase import find_encoder

    anchors, _ = small_space(find_encoder(EMT()), [atoms])
    anchors.save("cu.anchors.safetensors")
    (tmp_path / "folder").mkdir()
    (tmp_path / "old.html").write_text("<!doctype html><p>old</p>")
    (tmp_path / "old.jsonl").write_text('{"type": "header", "schema": 1}\n')
    return tmp_path


def arguments(rng):
    command = list(OPTIONS)[rng.integers(len(OPTIONS))]
    choices = INPUTS.get(command, ("Cu.cif", "Cu.cif", "Cu.cif", "missing.cif", "folder"))
    source = choices[rng.integers(len(choices))]
    words = [command, *(["build"] if command == "anchors" else []), *([source] if source else [])]
    words += ALWAYS.get(command, ())
    names = list(OPTIONS[command])
    for name in rng.choice(names, size=min(len(names), int(rng.integers(1, 4))), replace=False):
        values = OPTIONS[command][name]
        value = values[rng.integers(len(values))]
        words += [str(name)] if value is None else [str(name), *value.split(" ")]
    if command in SPACE:
        words += ["--anchors", "cu.anchors.safetensors", "--reference", "none"]
    return words if command in TELL_ALL else [*words, "--quiet"]


def run(words, monkeypatch, capsys):
    """Exit status and what was said."""
    monkeypatch.setattr("sys.argv", ["platonic-ase", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    return stopped.value.code or 0, said.out + said.err


@pytest.mark.slow
def test_options_at_random_are_done_or_refused(place, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    before = {
        name: (place / name).read_bytes() for name in ("Cu.cif", "few.xyz", "old.html", "old.jsonl")
    }
    done = 0
    for k in range(SETS):
        words = arguments(rng)
        with bounded():
            status, said = run(words, monkeypatch, capsys)
        assert status in (0, 1, 2), (k, words, said)
        assert "Traceback" not in said, (k, words, said)
        assert "unexpected " not in said, (k, words, said)
        assert status == 0 or "rror" in said, (k, words, said)
        done += status == 0
        # what was there lies where it was, or beside it under a name that was said, or was
        # appended to
        everything = [p.read_bytes() for p in place.rglob("*") if p.is_file()]
        for name, content in before.items():
            assert any(other.startswith(content) for other in everything), (k, words, name)
        assert (place / "folder").is_dir()
    assert SETS / 30 < done < SETS
