"""The demo's processes: each in a group of its own, all ended together, whatever ends the demo itself."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[1]
_GUARD: Final = """
import os, signal, sys
groups = [int(line) for line in sys.stdin]
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""
"""Reads the groups until its input ends: with the demo, even when that was killed."""


class Children:
    """Programs that live no longer than the context; Ctrl-C in the terminal reaches this process only."""

    def __init__(self, folder: Path, grace_s: float = 3.5) -> None:
        self._folder = folder
        self._grace_s = grace_s
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._brief: set[str] = set()
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if os.name == "posix":
            self._guard = subprocess.Popen(  # noqa: S603  our own words
                [sys.executable, "-S", "-c", _GUARD], stdin=subprocess.PIPE, start_new_session=True
            )  # fmt: skip
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of them
        self._end()

    def start(self, name: str, command: list[str]) -> None:
        """Start a program; what it says goes to `<name>.log`."""
        own_group = (
            {"start_new_session": True}
            if os.name == "posix"
            else {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined,unused-ignore]
        )
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with (self._folder / f"{name}.log").open("wb") as output:
            child = subprocess.Popen(  # noqa: S603  our own words
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self._folder,
                env=environment, **own_group,
            )  # fmt: skip
        self._running[name] = child
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.write(f"{child.pid}\n".encode())
            self._guard.stdin.flush()

    def brief(self, name: str, command: list[str]) -> None:
        """Start a program that ends by itself once it has done what it is for."""
        self.start(name, command)
        self._brief.add(name)

    def are_done(self, names: list[str]) -> bool:
        """Tell whether these programs have done what they are for; `ended` names those that failed."""
        return all(self._running[name].poll() == 0 for name in names)

    def python(self, name: str, *arguments: object) -> None:
        """Start a module or script of ours."""
        self.start(name, [sys.executable, *map(str, arguments)])

    def stop(self, name: str) -> None:
        """End one of them before the others."""
        self._running[name].terminate()
        self._running[name].wait()

    def ended(self) -> list[str]:
        """Return the names of those that are no more."""
        return [
            name
            for name, child in self._running.items()
            if child.poll() is not None and not (name in self._brief and child.returncode == 0)
        ]

    def log(self, name: str) -> str:
        """Return what a program has said."""
        return (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _end(self) -> None:
        for child in self._running.values():
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + self._grace_s
        while self._some_run() and time.monotonic() < deadline:
            time.sleep(0.02)
        for child in self._running.values():
            child.kill()
            child.wait()
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()  # it ends their children too, if any stayed
            self._guard.wait()

    def _some_run(self) -> bool:
        return any(child.poll() is None for child in self._running.values())
