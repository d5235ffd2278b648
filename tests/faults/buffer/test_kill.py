"""A1: kill -9 at any instant loses nothing that was accepted."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.buffer.lab import SCALE, copy, drain, number_of, opened, read_independently

ROOT = Path(__file__).parents[3]
KILLS = max(2, round(100 * SCALE))


def run_and_kill(
    directory: Path, first: int, delay_s: float, environment: dict[str, str] | None = None, *sinks: str
) -> list[str]:
    """Start a child, kill it some time after it has opened; return its complete lines."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.buffer.child", str(directory), str(first), "65536", *sinks],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        text=True,
    )
    assert child.stdout is not None
    opening = child.stdout.readline()
    time.sleep(delay_s)
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read()
    child.wait()
    child.stdout.close()
    return [line for line in (opening + rest).splitlines(keepends=True) if line.endswith("\n")]


@pytest.mark.fault("A1")
@pytest.mark.timeout(60 + 10 * KILLS)
async def test_whatever_was_accepted_survives_kill_9_at_any_instant(tmp_path: Path, record_measure) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    store = tmp_path / "store"
    accepted: dict[int, int] = {}
    acking = 0
    first = 1
    for _ in range(KILLS):
        lines = [line.split() for line in run_and_kill(store, first, chance.uniform(0, 0.4))]
        for line in lines:
            if line[0] == "accepted":
                accepted[int(line[2])] = int(line[1])
                first = int(line[1]) + 10
            elif line[0] == "acking":
                acking = max(acking, int(line[1]))
        left = copy(store, tmp_path / "copy")
        async with opened(left) as buffer:
            taken = {each.seq: number_of(each) for each in await drain(buffer)}
            assert len(buffer.gaps()) == 0
        assert {seq: taken.get(seq) for seq in accepted} == accepted
        assert set(read_independently(left).values()) == set(taken.values())
        check_cursor(left, set(taken), acking)
    assert len(accepted) > KILLS
    record_measure(f"{KILLS} kills of the store alone, {len(accepted)} batches accepted: 0 lost")


def check_cursor(store: Path, stored: set[int], acking: int) -> None:
    """The sink's saved place has passed nothing but what it was acknowledging."""
    saved = sqlite3.connect(store / "state.sqlite")
    for head, ranges in saved.execute("SELECT head, ranges FROM cursors WHERE sink = 'sink'"):
        behind = json.loads(ranges)
        passed = [seq for seq in stored if seq < head and not any(a <= seq < b for a, b in behind)]
        assert max(passed, default=0) <= acking
    saved.close()
