"""What it costs to look at a run: reports of long logs, and the live panel while a run goes on.

    python tests/benchmarks/report.py log GEOMETRIES FILE      writes a synthetic log, 64 atoms
    python tests/benchmarks/report.py read FILE                seconds and peak memory of reading it
    python tests/benchmarks/report.py report FILE              the same of its whole report
    python tests/benchmarks/report.py panel [STEPS] [--model chgnet-0.3.0]

The panel is drawn to a terminal that is no screen; its time is all that is spent in the display,
beside the time of the run that it belongs to.
"""

import argparse
import io
import json
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import orjson
from _measure import peak_mb, timed

SCALARS = (
    "extrapolation_score", "manifold_distance", "force_error_bound", "orbit_splitting", "asymmetry",
    "lindemann_ratio", "symmetry_evidence", "net_force", "max_force", "closest_contact",
    "stress_asymmetry", "energy_drift",
)  # fmt: skip


def write_log(count: int, path: Path) -> None:
    from ase.build import bulk

    from platonic_ase.monitor.log import header_record, structure_record

    rng = np.random.default_rng(0)
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * 2
    calibration = {"level": 0.99, "alarm_level": 0.99, "alarm": 1.1}
    model = {"package": "none", "model": "synthetic", "fingerprint": "0"}
    layout = {"layout": 0, "scalars": SCALARS, "series": {"orbit_splitting_by_orbit": 2}}
    structure = {"index": 0, "track": 0, "step": 0, "atoms": structure_record(atoms), "flagged": []}
    event = {
        "kind": "contact", "track": 0, "value": 0.4, "threshold": 0.5, "unit": "", "atoms": [0, 1],
        "message": "Na0 and Cl1 are too close.", "advice": "Reduce the time step.",
    }  # fmt: skip
    with path.open("wb") as stream:

        def write(kind: str, record: dict) -> None:
            option = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
            stream.write(orjson.dumps({"type": kind, "run": "0", **record}, option=option))

        write("header", header_record(model=model, calibration=calibration))
        write("layout", {**layout, "map": ["Cl", "Na"], "risks": {"extrapolation": "low"}})
        write("structure", structure)
        for i in range(count):
            values = np.round(rng.normal(size=3 + len(SCALARS) + 2 + 4), 7).tolist()
            entry = {"at": [i, 0, i, 0], "values": values}
            if i % 1000 == 999:
                entry["events"] = [{**event, "index": i}]
            write("geometry", entry)
            if i % 1000 == 999:
                per_atom = {"extrapolation_score": np.round(rng.random(len(atoms)), 5)}
                write("structure", {**structure, "index": i, "step": i, "per_atom": per_atom})
        write("summary", {"ended": "now"})


def read(path: Path) -> dict[str, float]:
    from platonic_ase.report.columns import read_columns

    return {"before_mb": round(peak_mb()), **timed(lambda: lambda: read_columns(path))}


def report(path: Path) -> dict[str, float]:
    from platonic_ase.report.report import write_report

    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "run.html"
        found = {"before_mb": round(peak_mb()), **timed(lambda: lambda: write_report(path, page))}
        return {**found, "page_mb": round(page.stat().st_size / 1e6, 2)}


def panel(steps: int, model: str | None) -> dict[str, float]:
    from ase import units
    from ase.md.verlet import VelocityVerlet
    from rich.console import Console

    from platonic_ase import PlatonicCalculator, register_encoder
    from platonic_ase.report.display import RunDisplay

    if model is None:
        from _instant import InstantCalculator, InstantEncoder
        from cost import crystal

        register_encoder(InstantEncoder)
        atoms = crystal("NaCl", 64)
        bare = InstantCalculator(atoms)
    else:
        from ase.build import bulk

        from platonic_ase.models import load_calculator

        atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * 2
        bare = load_calculator(model)
    atoms.rattle(0.01, seed=0)
    spent: list[float] = []
    drawn = [0]

    class Timed(RunDisplay):
        def update(self, done: int) -> None:
            start = time.perf_counter()
            super().update(done)
            spent.append(time.perf_counter() - start)

        def draw(self):
            drawn[0] += 1
            return super().draw()

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calculator = PlatonicCalculator(bare, log=Path(folder) / "run.jsonl")
        atoms.calc = calculator
        dynamics = VelocityVerlet(atoms, 2 * units.fs)
        calculator.attach(dynamics)
        atoms.get_forces()
        console = Console(file=io.StringIO(), force_terminal=True, width=100)
        with Timed(calculator, console=console) as display:
            display.begin("NVE", steps)
            dynamics.attach(lambda: display.update(dynamics.nsteps))
            start = time.perf_counter()
            dynamics.run(steps)
            seconds = time.perf_counter() - start
        calculator.close()
    return {
        "run_s": round(seconds, 2),
        "ms_a_step": round(1e3 * seconds / steps, 3),
        "panels": drawn[0],
        "panel_s": round(sum(spent), 4),
        "percent_of_run": round(100 * sum(spent) / seconds, 3),
        "us_a_step_without_panel": round(1e6 * float(np.median(spent)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("log", "read", "report", "panel"))
    parser.add_argument("arguments", nargs="*")
    parser.add_argument("--model")
    given = parser.parse_args()
    if given.what == "log":
        return write_log(int(given.arguments[0]), Path(given.arguments[1]))
    if given.what == "panel":
        found = panel(int((*given.arguments, 1000)[0]), given.model)
    else:
        found = {"read": read, "report": report}[given.what](Path(given.arguments[0]))
    print(json.dumps(found))
    return None


if __name__ == "__main__":
    main()
