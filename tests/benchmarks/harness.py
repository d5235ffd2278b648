"""Processes under measurement: started, pinned, watched through /proc, ended by their own id."""

import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
GATEWAY_CORE = CORES[0]
OTHER_CORE = CORES[-1]


@dataclass
class Process:
    """One child, its output in a file."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def cpu_s(self) -> float:
        """Return user and system seconds of all its threads so far."""
        fields = Path(f"/proc/{self.popen.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def rss_mb(self) -> float:
        """Return resident memory in MB."""
        for line in Path(f"/proc/{self.popen.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(number)
            try:
                self.popen.wait(20)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


@contextlib.contextmanager
def started(
    name: str, command: Sequence[str | Path], folder: Path, core: int | None = None
) -> Iterator[Process]:
    log = folder / f"{name}.log"
    pin = [] if core is None else ["taskset", "-c", str(core)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        popen = subprocess.Popen(
            [*pin, *map(str, command)], stdout=output, stderr=output, cwd=folder, env=environment
        )
    process = Process(name, popen, log)
    try:
        yield process
    finally:
        process.end()


def python(*arguments: str | Path) -> list[str | Path]:
    return [sys.executable, *arguments]


def wait_for(condition: Callable[[], object], what: str, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {within_s} s")
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Usage:
    """What a process took over a window."""

    core_percent: float
    rss_mb: float
    seconds: float


def watch(processes: Sequence[Process], seconds: float) -> dict[str, Usage]:
    """Let a window pass and return what each process took in it."""
    began, before = time.monotonic(), [p.cpu_s() for p in processes]
    peak = [0.0] * len(processes)
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(1.0, left))
        peak = [max(known, p.rss_mb()) for known, p in zip(peak, processes, strict=True)]
    passed = time.monotonic() - began
    return {
        p.name: Usage(100 * (p.cpu_s() - start) / passed, most, passed)
        for p, start, most in zip(processes, before, peak, strict=True)
    }


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
