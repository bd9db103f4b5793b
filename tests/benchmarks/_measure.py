"""Run one benchmark case in a process of its own and read its time and peak memory."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(prepare: Callable[[], Callable[[], object]]) -> dict[str, float]:
    """Time what `prepare` returns; the memory includes the input arrays and the imports.

    More processor time than seconds is several threads; less is a machine shared with others.
    """
    work = prepare()
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": round(time.perf_counter() - wall, 2),
        "cpu_seconds": round(time.process_time() - processor, 2),
        "peak_mb": round(peak_mb()),
    }


def in_subprocess(script: str, *arguments: str, threads: int = 1) -> dict[str, float]:
    environment = {**os.environ}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[name] = str(threads)
    done = subprocess.run(
        [sys.executable, script, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    return json.loads(done.stdout)
