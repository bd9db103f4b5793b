"""Bounds on what a case of a fuzz may take."""

import resource
import signal
from contextlib import contextmanager
from pathlib import Path

PROCESSOR_SECONDS = 10
WALL_SECONDS = 60  # the machine does other things as well
BYTES = 2 * 1024**3


class Slow(BaseException):
    """So that nothing takes it for an error of its own."""


@contextmanager
def bounded():
    """End what takes more than 10 s of the processor or a minute, or fail for more than 2 GB."""

    def ring(number, _frame):
        raise Slow(
            f"longer than {WALL_SECONDS} s"
            if number == signal.SIGALRM
            else f"more than {PROCESSOR_SECONDS} s of the processor"
        )

    handlers = [
        (number, signal.signal(number, ring)) for number in (signal.SIGALRM, signal.SIGPROF)
    ]
    begin = _start_peak()
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    signal.setitimer(signal.ITIMER_PROF, PROCESSOR_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in handlers:
            signal.signal(number, handler)
    taken = _peak() - begin
    assert taken < BYTES, f"{taken / 1024**3:.1f} GB were taken"


def _start_peak():
    """Bytes held now; the peak counts anew from here, where the system can."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # counts from the start of the process, which is stricter
        return 0
    return _peak()


def _peak():
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
