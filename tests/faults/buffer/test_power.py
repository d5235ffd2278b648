"""A2, A6: the power goes at any call to the disk, and what was not synced is lost in any choice and order."""

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.buffer.lab import SCALE, T0, drain, number_of, opened, read_independently
from tests.faults.buffer.power import Disk, Entry, cuts, entries

ROOT = Path(__file__).parents[3]
CUTS = max(20, round(400 * SCALE))
SECONDS = 1 + 4 * SCALE
_TIMED = re.compile(rb"(?:offered \d+|accepted \d+ \d+) (\d+)")
_NEVER = 2**63


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """A store that is filled, delivered and deleted from, as it asks the disk for it."""
    folder = tmp_path_factory.mktemp("power")
    library = folder / "recorder.so"
    source = Path(__file__).with_name("recorder.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.buffer.child", str(folder / "store"), "1", "16384"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={
            **os.environ,
            "LD_PRELOAD": str(library),
            "RECORD_ROOT": str(folder / "store"),
            "RECORD_TO": str(folder / "record"),
        },
    )
    assert child.stdout is not None
    until = time.monotonic() + 60
    gone = 0
    while gone < 40 * SCALE + 4 and time.monotonic() < until:
        child.stdout.readline()
        if time.monotonic() + 60 - until > SECONDS:
            gone = sum(
                entry.kind == "U" and entry.path.endswith(".segment") for entry in entries(folder / "record")
            )
    # It ends by itself: a kill may fall between a call and its entry.
    child.send_signal(signal.SIGTERM)
    child.stdout.read()
    child.wait()
    child.stdout.close()
    found = entries(folder / "record")
    check_record(found, folder / "store")
    return found


def check_record(record: list[Entry], store: Path) -> None:
    """Compare what the record makes with what is there: a call it did not see would show."""
    disk = Disk()
    for entry in record:
        disk.follow(entry)
    # The -shm files are shared memory, never written and of no use after a start.
    there = {str(file): file.read_bytes() for file in store.rglob("*") if file.is_file()}
    made = disk.whole()
    assert {path for path in there if not path.endswith("-shm")} == {
        path for path in made if not path.endswith("-shm")
    }
    assert [path for path in there if not path.endswith("-shm") and made[path] != there[path]] == []


def told(disk: Disk) -> tuple[dict[int, int], dict[int, int], int]:
    """Return {seq: k} of what was accepted so far, {k: when offered}, and the last seq being acknowledged."""
    lines = [line.split() for line in disk.said.splitlines(keepends=True) if line.endswith("\n")]
    accepted = {int(line[2]): int(line[1]) for line in lines if line[0] == "accepted"}
    offered = {int(line[1]): int(line[2]) for line in lines if line[0] == "offered"}
    return accepted, offered, max((int(line[1]) for line in lines if line[0] == "acking"), default=0)


async def check(disk: Disk, store: Path) -> tuple[int, list[int]]:
    """Open what is left: everything accepted is there, or was acknowledged; what is not is in the gap.

    Return how much was accepted, and when what is lost was offered.
    """
    accepted, offered, acking = told(disk)
    async with opened(store) as buffer:
        gap_from = buffer.last_arrived("src")
        # Nothing accepted is lost, so nothing may be called damaged, missing or unknown.
        assert buffer.gaps() == []
        assert not any(entry.dropped for account in buffer.accounts() for entry in account.entries)
        taken = {each.seq: number_of(each) for each in await drain(buffer)}
        assert all(account.holds for account in buffer.accounts()), buffer.accounts()
    saved = sqlite3.connect(store / "state.sqlite")
    (place,) = saved.execute("SELECT head, ranges FROM cursors WHERE sink = 'sink'").fetchall() or [(0, "[]")]
    saved.close()
    behind = json.loads(place[1])
    passed = {s for s in accepted if s < place[0] and not any(a <= s < b for a, b in behind)}
    assert all(seq <= acking for seq in passed)
    assert {seq: k for seq, k in accepted.items() if seq not in taken} == {
        seq: k for seq, k in accepted.items() if seq not in taken and seq in passed
    }
    assert {seq: taken[seq] for seq in accepted if seq in taken}.items() <= accepted.items()
    assert set(read_independently(store).values()) == set(taken.values())
    # The gap told after a start begins behind the newest arrival that is stored (`collect`).
    stored = {*accepted.values(), *taken.values()}
    assert gap_from == (T0 + max(stored) if stored else None)
    lost = offered.keys() - stored
    assert all(T0 + k > (gap_from or 0) for k in lost)
    return len(accepted), [offered[k] for k in lost]


def clock_at(record: list[Entry]) -> list[int]:
    """Return for each entry the monotonic time it was surely over by: what was said next tells it."""
    said: dict[int, int] = {}
    line = b""
    for place, entry in enumerate(record):
        if entry.kind == "P":  # a piece of a line, or several
            *lines, line = (line + entry.data).split(b"\n")
            for each in lines:
                if found := _TIMED.fullmatch(each):
                    said[place] = int(found[1])
    assert len(said) > 10
    times, last = [], _NEVER
    for place in reversed(range(len(record))):
        last = said.get(place, last)
        times.append(last)
    return times[::-1]


async def cut_all(record: list[Entry], places: set[int], folder: Path, record_measure) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    most, lost, oldest_ms = 0, 0, 0.0
    clock = clock_at(record)
    for place, disk in cuts(record, places):
        print("cut before", place, record[place].kind, record[place].path)
        disk.left_by(chance, folder / "left")
        found = await check(disk, folder / "left")
        most, lost = max(most, found[0]), max(lost, len(found[1]))
        if clock[place] < _NEVER:  # else nothing was said any more, and nobody knows when it was
            oldest_ms = max([oldest_ms, *((clock[place] - offered) / 1e6 for offered in found[1])])
        shutil.rmtree(folder / "left")
    assert most > 10
    if SCALE >= 1:
        assert oldest_ms <= 200
    record_measure(
        f"{len(places)} cuts of a run with {most} accepted batches: 0 lost; at most {lost} batches offered "
        f"and not accepted, the oldest {oldest_ms:.1f} ms before the cut, all within the gap that is told"
    )


@pytest.mark.fault("A2")
@pytest.mark.timeout(60 + CUTS)
async def test_when_the_power_goes_what_was_accepted_stays(record, tmp_path: Path, record_measure) -> None:
    places = set(random.sample(range(len(record)), min(CUTS, len(record))))
    await cut_all(record, places, tmp_path, record_measure)


@pytest.mark.fault("A6")
@pytest.mark.timeout(60 + CUTS)
async def test_when_the_power_goes_between_a_cursors_move_and_a_deletion_nothing_is_lost(
    record, tmp_path: Path, record_measure
) -> None:
    gone = [
        place for place, entry in enumerate(record) if entry.kind == "U" and entry.path.endswith(".segment")
    ]
    assert len(gone) > 3
    around = {place + step for place in gone for step in (-2, -1, 0, 1, 2)}
    places = set(random.sample(sorted(around), min(CUTS, len(around))))
    await cut_all(record, places, tmp_path, record_measure)
