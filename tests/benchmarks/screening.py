"""How well a screening ranks, and what it costs, as JSON.

    python tests/benchmarks/screening.py rank OUTPUT         # rows of frames with DFT forces
    python tests/benchmarks/screening.py batch [N]          # single points in batches, CHGNet
    python tests/benchmarks/screening.py cost [N]           # the runner against a bare loop, CHGNet
    python tests/benchmarks/screening.py stream [N]        # memory of the client
    python tests/benchmarks/screening.py workers [N]       # relaxations with one and two workers

Times are CPU times unless their name says otherwise: others may share the machine.
"""

import json
import math
import os
import statistics
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from _measure import peak_mb
from ase.build import bulk

from platonic_ase import find_encoder, register_encoder
from platonic_ase.crystals.pool import generate_pool
from platonic_ase.runs.placement import Loop, Placement
from platonic_ase.screen import screen
from platonic_ase.screen.evaluate import Evaluator
from platonic_ase.screen.ranking import score
from platonic_ase.screen.run import _fill
from platonic_ase.screen.settings import ScreenSettings
from platonic_ase.screen.sources import read_entries
from platonic_ase.screen.store import RowStore, latest_rows
from platonic_ase.testing import MockCalculator, MockEncoder, small_space

ROUNDS = 3
RANKED_BY = (
    "risks.force_error_bound",
    "worst.force_error_probability",
    "largest_force",
    "worst.manifold_distance",
    "worst.extrapolation_score",
    "n_atoms",
)


def auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(scores)
    n, m = positive.sum(), (~positive).sum()
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def rank(folder: str) -> dict[str, object]:
    """Rows ranked by each number, against the largest DFT force error of a frame."""
    from scipy.stats import spearmanr

    rows = [row for row in latest_rows(folder) if row["error"] is None]
    truth = np.array([row["label_force_error"]["largest"] for row in rows])
    rng = np.random.default_rng(0)
    found = {}
    for name in RANKED_BY:
        values = [score(row, name) for row in rows]
        if all(value is None for value in values):
            continue
        scores = np.array([math.inf if value is None else value for value in values])
        draws = [rng.integers(0, len(rows), len(rows)) for _ in range(500)]
        sampled = [auroc(scores[d], truth[d] > 0.5) for d in draws]
        tenth = len(rows) // 10
        found[name] = {
            "spearman": round(float(spearmanr(scores, truth).statistic), 3),
            "auroc_0.5": round(auroc(scores, truth > 0.5), 3),
            "auroc_0.5_interval": np.quantile(sampled, [0.025, 0.975]).round(3).tolist(),
            "auroc_1": round(auroc(scores, truth > 1), 3),
            "worst_tenth_in_top_tenth": round(
                len(set(np.argsort(-scores)[:tenth]) & set(np.argsort(-truth)[:tenth])) / tenth, 2
            ),
        }
    counts = {str(limit): int((truth > limit).sum()) for limit in (0.5, 1)}
    return {"frames": len(rows), "beyond_eV_A": counts, "ranked_by": found}


def batch(count: int = 96) -> dict[str, object]:
    """CPU milliseconds a structure, one by one and in batches of so many atoms, by size."""
    pool = list(generate_pool())
    one = Evaluator(ScreenSettings("chgnet"))
    model, encoder = one._first.calculator, one._first.encoder
    many = {most: Evaluator(ScreenSettings(model, batch=most)) for most in (32, 64, 128)}
    found = {}
    for label, low, high in (("1 or 2 atoms", 1, 2), ("3 to 6", 3, 6), ("7 to 12", 7, 12)):
        chosen = [atoms for atoms in pool if low <= len(atoms) <= high]
        entries = list(read_entries(chosen[:: max(1, len(chosen) // count)][:count]))
        structures = [entry.atoms for entry in entries]
        for evaluator in (one, *many.values()):
            list(evaluator.rows(entries[:2]))
        times: dict[str, list[float]] = {}

        def timed(name, work, times=times):
            start = time.process_time()
            result = work()
            times.setdefault(name, []).append(time.process_time() - start)
            return result

        def bare(structures=structures):
            for atoms in structures:
                model.reset()
                model.calculate(atoms.copy(), ["energy", "forces", "stress", "magmoms"])

        def bare_batch(structures=structures):
            for start in range(0, len(structures), 16):
                encoder.evaluate_batch(structures[start : start + 16])

        for _ in range(ROUNDS):
            timed("bare", bare)
            timed("bare, 16 together", bare_batch)
            alone = timed("one by one", lambda entries=entries: list(one.rows(entries)))
            for most, evaluator in many.items():
                rows = timed(f"batch {most}", lambda e=evaluator, n=entries: list(e.rows(n)))
        pairs = [(a, b) for a, b in zip(alone, rows, strict=True) if a["error"] is None]
        found[label] = {
            "structures": len(entries),
            "ms_each": {
                name: round(1e3 * statistics.median(each) / len(entries), 1)
                for name, each in times.items()
            },
            "largest_difference": {
                name: max(abs(score(a, name) - score(b, name)) for a, b in pairs)
                for name in ("energy", "largest_force", "worst.extrapolation_score")
            },
        }
    return found


def cost(count: int = 40) -> dict[str, float]:
    """Share of the runner: reading, naming, digests, writing, against rows computed in a loop."""
    from ase.io import write

    frames = [a for a in generate_pool() if 4 <= len(a) <= 12][::50][:count]
    settings = ScreenSettings("chgnet")
    evaluator = Evaluator(settings)
    calculator = evaluator._first.calculator
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.xyz"
        write(path, frames)
        entries = list(read_entries(path))
        list(evaluator.rows(entries[:2]))
        ratios, overheads = [], []
        for turn in range(ROUNDS):
            start = time.process_time()
            list(evaluator.rows(entries))
            bare = time.process_time() - start
            start = time.process_time()
            screen(path, calculator, output=Path(folder) / str(turn), progress=False)
            # opening an evaluator (anchors, reference) is once for all structures
            middle = time.process_time()
            Evaluator(ScreenSettings(calculator))
            opening = time.process_time() - middle
            whole = middle - start - opening
            ratios.append(whole / bare)
            overheads.append(1e3 * (whole - bare) / len(entries))
    return {
        "structures": len(entries),
        "bare_ms_each": round(1e3 * bare / len(entries), 1),
        "whole_over_bare": [round(r, 3) for r in ratios],
        "overhead_ms_each": [round(o, 2) for o in overheads],
    }


class Instant:
    """A worker that costs nothing: the row of the first structure, computed once, for all."""

    facts = {}  # noqa: RUF012

    def __init__(self) -> None:
        register_encoder(MockEncoder)
        calculator = MockCalculator()
        anchors, known = small_space(find_encoder(calculator), [bulk("Cu"), bulk("Cu", a=3.8)])
        settings = ScreenSettings(calculator, anchors=anchors, reference=known)
        (entry,) = read_entries([bulk("Cu")])
        self._row = Evaluator(settings).row(entry)
        self._row["platonic"] = [0.12345] * 100

    def do(self, items):
        for each in items:
            yield {**self._row, "id": each.index, "name": each.name, "digest": each.digest}


def stream(count: int = 100_000) -> dict[str, float]:
    """The client alone: structures read, sent out, rows written; peak memory and CPU time."""

    def structures():
        rng = np.random.default_rng(0)
        for _ in range(count):
            yield bulk("Cu", a=float(rng.uniform(3.4, 3.9)))

    engine = Loop(Instant())
    with tempfile.TemporaryDirectory() as folder, RowStore(folder) as store:
        before, start = peak_mb(), time.process_time()
        result = _fill(store, engine, structures(), "singlepoint", {}, False, None)
        seconds = time.process_time() - start
        size = (Path(folder) / "rows.jsonl").stat().st_size
    return {
        "structures": result.computed,
        "cpu_ms_each": round(1e3 * seconds / count, 3),
        "peak_mb": round(peak_mb()),
        "before_mb": round(before),
        "rows_mb": round(size / 1e6, 1),
    }


def workers(count: int = 60, blocks: int = 4) -> dict[str, object]:
    """Relaxations of 8 to 40 atoms with one worker and with two, in alternation.

    CPU time of the workers and of the client (with its schedulers) says what a second worker
    costs on any machine; the wall time depends on who else computes. A worker waits between the
    end of a structure and the begin of its next one; at the end of a block, the one that ends
    first has nothing left to do.
    """
    from distributed import Client

    from platonic_ase.runs.cluster import start_workers

    chosen = large_crystals(count)
    size = count // blocks
    found: dict[str, object] = {"structures": size * blocks, "load_before": os.getloadavg()[0]}
    with ExitStack() as stack:
        clusters = {n: stack.enter_context(start_workers(n)) for n in (1, 2)}
        clients = {n: stack.enter_context(Client(each)) for n, each in clusters.items()}
        for number, client in clients.items():  # what is loaded at the first use counts for none
            relaxations(chosen[: 4 * number], clusters[number], client)
        runs: dict[int, list[dict[str, float]]] = {1: [], 2: []}
        for block in range(blocks):
            for number in (1, 2) if block % 2 else (2, 1):
                structures = chosen[block * size : (block + 1) * size]
                runs[number].append(relaxations(structures, clusters[number], clients[number]))
    for number, each in runs.items():
        total = {name: sum(run[name] for run in each) for name in each[0]}
        there = number * total["wall_s"]
        found[f"workers {number}"] = {
            "wall_s": [round(run["wall_s"], 1) for run in each],
            "worker_cpu_ms_each": round(1e3 * total["worker_cpu_s"] / (size * blocks), 1),
            "client_cpu_ms_each": round(1e3 * total["client_cpu_s"] / (size * blocks), 1),
            "waiting_ms_each": round(1e3 * total["waiting_s"] / (size * blocks), 1),
            "waiting_share": round(total["waiting_s"] / there, 4),
            "nothing_left_share": round(total["nothing_left_s"] / there, 4),
        }
    ratios = [one["wall_s"] / two["wall_s"] for one, two in zip(runs[1], runs[2], strict=True)]
    found["wall_one_over_two"] = [round(each, 2) for each in ratios]
    return {**found, "load_after": os.getloadavg()[0]}


def relaxations(structures: list, cluster, client) -> dict[str, float]:
    """Wall time from when the first structure is asked for, and what was done in it, in s."""
    import psutil
    from distributed import get_task_stream

    processes = [psutil.Process(worker.pid) for worker in cluster.workers.values()]
    begin: list[float] = []

    def used() -> tuple[float, float]:
        times = [process.cpu_times() for process in processes]
        return sum(each.user + each.system for each in times), time.process_time()

    def timed():
        for atoms in structures:
            if not begin:  # the workers have loaded the model by now
                begin.extend((time.time(), *used()))
            yield atoms

    with tempfile.TemporaryDirectory() as folder, get_task_stream(client=client) as stream:
        result = screen(
            timed(), "chgnet", output=folder, placement=Placement(cluster.scheduler_address),
            task="relax", options={"steps": 6, "fmax": 1e-4}, progress=False,
        )  # fmt: skip
        end, worker_cpu, client_cpu = time.time(), *used()
    assert (result.computed, result.failed) == (len(structures), 0)
    busy: dict[str, list[tuple[float, float]]] = {}
    for task in stream.data:
        for part in task["startstops"]:
            if part["action"] == "compute" and part["start"] >= begin[0]:
                busy.setdefault(task["worker"], []).append((part["start"], part["stop"]))
    assert sum(map(len, busy.values())) == len(structures)
    waiting = nothing_left = 0.0
    for intervals in map(sorted, busy.values()):
        starts, stops = zip(*intervals, strict=True)
        waiting += sum(b - a for a, b in zip((begin[0], *stops[:-1]), starts, strict=True))
        nothing_left += end - stops[-1]
    return {
        "wall_s": end - begin[0],
        "worker_cpu_s": worker_cpu - begin[1],
        "client_cpu_s": client_cpu - begin[2],
        "waiting_s": waiting,
        "nothing_left_s": nothing_left,
    }


def large_crystals(count: int) -> list:
    rng = np.random.default_rng(0)
    pool = [atoms for atoms in generate_pool() if len(atoms) <= 12]
    chosen = []
    for index in rng.permutation(len(pool)):
        for repeat in ((1, 1, 1), (1, 1, 2), (1, 2, 2), (2, 2, 2)):
            if 8 <= len(pool[index]) * math.prod(repeat) <= 40:
                atoms = pool[index] * repeat
                atoms.rattle(0.03, seed=int(index))
                chosen.append(atoms)
                break
        if len(chosen) == count:
            break
    return chosen


def main() -> None:
    warnings.simplefilter("ignore")
    name, *rest = sys.argv[1:]
    given = rest if name == "rank" else [int(each) for each in rest]
    work = {"rank": rank, "batch": batch, "cost": cost, "stream": stream, "workers": workers}
    print(json.dumps(work[name](*given), indent=1))


if __name__ == "__main__":
    main()
