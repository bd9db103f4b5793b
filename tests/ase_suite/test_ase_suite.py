"""ASE's own tests of optimisers, dynamics and the like, with EMT replaced by a wrapped EMT."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

QUICK = (
    "optimize.test_nsteps", "md.test_md", "md.test_md_stepwise",
    "neb.test_shared_calculator_neb", "test_loggingcalc",
)  # fmt: skip
FULL = (
    "optimize", "md.test_bussi", "md.test_langevin_com", "md.test_nose_hoover_chain",
    "md.test_nvt_npt", "md.test_irun_force_call_order", "md.test_verlet_thermostats_asap",
    "md.test_rng", "neb.test_neb", "constraints.test_fixcom", "constraints.test_hookean",
    "constraints.test_fixscaled", "filter", "test_mixingcalc", "test_eos", "test_dimer_method",
    "test_phonons", "test_potential_energies", "test_singlepointcalc",
)  # fmt: skip


def outcomes(modules, wrap, folder):
    if importlib.util.find_spec("ase.test") is None:
        pytest.skip("this build of ASE comes without its tests")
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    report = folder / f"{wrap}.json"
    environment = {**os.environ, "WRAP": wrap, "OUTCOMES": str(report), "PYTHONPATH": path}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "wrapped_emt", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, "--pyargs", *(f"ase.test.{module}" for module in modules)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.is_file(), run.stdout[-3000:] + run.stderr[-3000:]
    return json.loads(report.read_text()), run.stdout


@pytest.mark.parametrize(
    "modules", [QUICK, pytest.param(FULL, marks=pytest.mark.slow)], ids=["quick", "full"]
)
def test_they_pass_as_with_bare_emt(modules, tmp_path):
    bare, _ = outcomes(modules, "0", tmp_path)
    wrapped, output = outcomes(modules, "1", tmp_path)
    assert wrapped["outcomes"] == bare["outcomes"], output[-5000:]
    assert "passed" in bare["outcomes"].values()
    assert wrapped["diagnosed"] > 20 > bare["diagnosed"] == 0
    assert wrapped["switched_off"] == []
