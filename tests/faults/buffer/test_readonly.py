"""A9: the file system becomes read-only under a running store, and writable again."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.buffer.lab import SCALE
from tests.faults.buffer.test_disk import ROOT, check_accepted, shim
from tests.processes import wait_for

__all__ = ["shim"]


@pytest.mark.fault("A9")
@pytest.mark.timeout(180)
def test_a_disk_that_is_read_only_for_a_while_accepts_nothing_then_and_goes_on_after(
    tmp_path: Path, shim: Path, record_measure
) -> None:
    store, flag = tmp_path / "store", tmp_path / "read-only"
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.buffer.child", str(store), "1", "65536"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "LD_PRELOAD": str(shim), "SHIM_MATCH": str(store), "SHIM_READONLY": str(flag)},
        text=True,
    )
    lines: list[list[str]] = []
    words: Counter[str] = Counter()

    def listen() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            if line.endswith("\n"):
                lines.append(line.split())
                words[lines[-1][0]] += 1

    listening = threading.Thread(target=listen)
    listening.start()
    try:
        wait_for(lambda: words["accepted"] > 50, "accepted batches")
        flag.touch()
        wait_for(lambda: words["failed"] > 20, "refused batches")
        while_read_only = [line[0] for line in lines[-20:] if line[0] in ("accepted", "failed")]
        assert set(while_read_only) == {"failed"}
        assert child.poll() is None
        flag.unlink()
        writable, before = time.monotonic(), words["accepted"]
        wait_for(lambda: words["accepted"] > before + 50, "batches accepted again")
        back = time.monotonic() - writable
        assert back <= 5 or SCALE < 1
        wait_for(lambda: words["acking"] and lines[-1][0] != "failed", "delivery")
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        listening.join()
        assert child.stdout is not None
        child.stdout.close()
    asyncio.run(check_accepted(store, lines))
    record_measure(
        f"{words['failed']} batches refused, {words['accepted']} accepted: 0 lost; back after {back:.1f} s"
    )
