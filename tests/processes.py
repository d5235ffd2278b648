"""Programs a test starts: their output in a file, ended by their own id."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[1]
SIGNALLED: Final = 128
"""From this code on a shell says that what it ran was killed."""


class Ended(Exception):
    """A program ended by itself while something was waited for."""


@dataclass
class Process:
    """One child."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def said(self, text: str) -> bool:
        return text.encode() in self.log.read_bytes()

    def failed(self) -> bool:
        """Tell whether it ended by itself; who was killed or ended well did so on purpose."""
        return 0 < (self.popen.poll() or 0) < SIGNALLED

    def last_words(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-20:])

    def end(self, number: int = signal.SIGTERM, within_s: float = 20.0) -> int:
        """Send a signal, wait for the end, return the exit code; kill what does not end."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
            try:
                self.popen.wait(within_s)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        return self.popen.returncode


_STARTED: list[Process] = []


@contextlib.contextmanager
def started(
    name: str,
    command: Sequence[str | Path],
    folder: Path,
    *,
    core: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Process]:
    """Start a program in a folder; it is ended at the latest when the context is left."""
    log = folder / f"{name}.log"
    pin = [] if core is None else ["taskset", "-c", str(core)]
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | dict(environment or {})
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [*pin, *map(str, command)], stdout=output, stderr=output, cwd=folder, env=variables
        )
    process = Process(name, popen, log)
    _STARTED.append(process)
    try:
        yield process
    finally:
        _STARTED.remove(process)
        process.end()


def python(*arguments: str | Path) -> list[str | Path]:
    return [sys.executable, *arguments]


def wait_for(
    condition: Callable[[], object], what: str, within_s: float = 30.0, *, every_s: float = 0.02
) -> None:
    """Look again and again until it is so; a deadline, no fixed sleep. Who measures looks seldom.

    A started program that fails meanwhile ends the waiting with its last words; an earlier failure is known.
    """
    deadline = time.monotonic() + within_s
    running = [each for each in _STARTED if not each.failed()]
    while not condition():
        failed = [each for each in running if each.failed()]
        if failed and not condition():
            dead = failed[0]
            code = dead.popen.returncode
            raise Ended(f"{dead.name} ended ({code}) before {what}:\n{dead.last_words()}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {within_s} s")
        time.sleep(every_s)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
