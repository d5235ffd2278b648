"""Waiting for what a started program should do, when it has ended."""

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.processes import Ended, started, wait_for


def test_who_waits_for_a_program_that_failed_is_told_at_once_what_it_said(tmp_path: Path) -> None:
    begun = time.monotonic()
    program = [sys.executable, "-c", "raise SystemExit('the port is taken')"]
    with (
        started("gateway", program, tmp_path),
        pytest.raises(Ended, match=r"gateway ended \(1\) before the page:\nthe port is taken"),
    ):
        wait_for(lambda: False, "the page", 60)
    assert time.monotonic() - begun < 30


def test_a_program_that_was_killed_or_ended_well_or_had_failed_before_ends_no_waiting(tmp_path: Path) -> None:
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        started("killed", sleeping, tmp_path) as killed,
        started("done", [sys.executable, "-c", ""], tmp_path) as done,
        started("failed", [sys.executable, "-c", "raise SystemExit(2)"], tmp_path) as failed,
    ):
        killed.popen.send_signal(signal.SIGKILL)
        wait_for(lambda: failed.popen.poll() == 2, "its end, which is what is waited for")
        ended = [killed.popen, done.popen]
        wait_for(lambda: all(each.poll() is not None for each in ended), "the end of the others")
