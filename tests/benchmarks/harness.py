"""What processes take: processor time and memory, read from /proc over a window."""

import contextlib
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.processes import Process

CORES = sorted(os.sched_getaffinity(0))
GATEWAY_CORE = CORES[0]
OTHER_CORE = CORES[-1]


def cpu_s(process: Process) -> float:
    """Return the seconds its threads have run so far; in ns steps, where /proc/…/stat has 10 ms ones."""
    tasks = Path(f"/proc/{process.popen.pid}/task")
    spent = 0
    for task in tasks.iterdir():
        with contextlib.suppress(
            FileNotFoundError, ProcessLookupError
        ):  # a thread may end while it is looked at
            spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e9


def rss_mb(process: Process) -> float:
    """Return resident memory in MB."""
    for line in Path(f"/proc/{process.popen.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


@dataclass(frozen=True)
class Usage:
    """What a process took over a window."""

    core_percent: float
    rss_mb: float
    seconds: float


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def watch(processes: Sequence[Process], seconds: float) -> dict[str, Usage]:
    """Let a window pass and return what each process took in it."""
    began, before = time.monotonic(), [cpu_s(p) for p in processes]
    peak = [0.0] * len(processes)
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(1.0, left))
        peak = [max(known, rss_mb(p)) for known, p in zip(peak, processes, strict=True)]
    passed = time.monotonic() - began
    return {
        p.name: Usage(100 * (cpu_s(p) - start) / passed, most, passed)
        for p, start, most in zip(processes, before, peak, strict=True)
    }
