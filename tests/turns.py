"""At full scale a test that measures time has the machine to itself; two others still run at once."""

import fcntl
import os
from collections.abc import Generator
from pathlib import Path
from typing import IO

import pytest


class Turns:
    """Between pytest's processes: who is marked `alone` waits for the others, who comes then waits for it."""

    def __init__(self, folder: Path) -> None:
        self._gate = self._open(folder / f"wanglian-tests-{os.getuid()}.gate")
        self._floor = self._open(folder / f"wanglian-tests-{os.getuid()}.floor")

    @staticmethod
    def _open(path: Path) -> IO[bytes]:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Wait before the test's own time begins to run."""
        is_alone = item.get_closest_marker("alone") is not None
        # The gate is held while waiting: tests that only share the floor never pass one that wants it alone.
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        fcntl.flock(self._floor, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        try:
            return (yield)
        finally:
            fcntl.flock(self._floor, fcntl.LOCK_UN)
