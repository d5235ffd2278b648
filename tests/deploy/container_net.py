"""A network namespace with loopback and nothing else: fixed ports are free in it, and no packet leaves it."""

import ctypes
import os
import subprocess
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

_CLONE_NEWNET = 0x4000_0000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """Made and removed by a context manager; `run` puts a command in it, `inside` a call of our own."""

    def __init__(self, name: str) -> None:
        self.name = f"wl-{name}-{os.getpid()}"

    def __enter__(self) -> Self:
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        subprocess.run(self.run("ip", "link", "set", "lo", "up"), check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["ip", "netns", "delete", self.name], check=True)

    def run(self, *command: str | Path) -> list[str | Path]:
        """Return the command as it is started in here; `ip` becomes it, so that its id stays."""
        return ["ip", "netns", "exec", self.name, *command]

    def inside(self, call: Callable[[], Any]) -> Any:
        """Return what a call answers in here, made in a thread of its own: a namespace is a thread's."""

        def entered() -> Any:
            with Path(f"/run/netns/{self.name}").open() as namespace:
                if _LIBC.setns(namespace.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            return call()

        with ThreadPoolExecutor(1) as threads:
            return threads.submit(entered).result()

    def get(self, url: str) -> bytes:
        """Return what a server in here answers."""

        def ask() -> bytes:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read()

        return self.inside(ask)

    def answers(self, url: str) -> bool:
        """Tell whether a server in here answers with 200."""
        try:
            return bool(self.get(url)) or True
        except OSError:
            return False
