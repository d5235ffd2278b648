"""A7, A8, A10, half-written pages: a disk that is full, fails, is slow, or dies in the middle of a write."""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors import Order
from gateway.buffer import DiskBuffer, StoreFailed
from tests.faults.buffer.lab import (
    SCALE,
    T0,
    batch_of,
    copy,
    drain,
    fill,
    number_of,
    opened,
    options,
    read_independently,
    rows_of,
)
from tests.faults.buffer.test_kill import check_cursor

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library


FIRST_BATCH = 6
"""Syncs before the first batch of a segment is durable: its schema, its sources, its name."""


def run_child(
    store: Path,
    shim: Path,
    first: int,
    seconds: float,
    *,
    segment_bytes: int = 65536,
    decided_by: tuple[str, ...] = ("accepted", "failed"),
    **shim_options: str,
) -> tuple[list[list[str]], int]:
    """Run the child under the shim, end it after a time if it still lives; return its lines and exit code."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.buffer.child", str(store), str(first), str(segment_bytes)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LD_PRELOAD": str(shim), **shim_options},
        text=True,
    )
    assert child.stdout is not None
    lines = []
    deadline = time.monotonic() + 30
    until = None
    is_decided = False
    for line in child.stdout:
        # A kill may cut the last line short.
        if line.endswith("\n"):
            lines.append(line.split())
        if until is None:
            until = time.monotonic() + seconds
        # On a busy machine nothing may be decided yet when the time is over.
        is_decided = is_decided or line.startswith(decided_by)
        if time.monotonic() > (until if is_decided else deadline):
            child.send_signal(signal.SIGKILL)
            break
    lines += [line.split() for line in child.stdout if line.endswith("\n")]
    code = child.wait()
    child.stdout.close()
    return lines, code


async def check_accepted(store: Path, lines: list[list[str]]) -> None:
    accepted = [int(line[1]) for line in lines if line[0] == "accepted"]
    async with opened(store) as buffer:
        numbers = [number_of(each) for each in await drain(buffer)]
        assert len(set(numbers)) == len(numbers)
        assert set(accepted) <= set(numbers)
        assert [line for line in lines if line[0] == "failed" and int(line[1]) in accepted] == []
    assert set(accepted) <= set(read_independently(store).values())


@pytest.mark.fault("A8")
async def test_the_shim_really_sees_the_stores_writes_and_syncs(tmp_path: Path, shim: Path) -> None:
    count = tmp_path / "count"
    program = "import asyncio,sys\nfrom pathlib import Path\nfrom tests.faults.buffer.lab import make_store\n"
    program += f"asyncio.run(make_store(Path({str(tmp_path / 'store')!r}), range(1, 21)))"
    environment = {**os.environ, "LD_PRELOAD": str(shim), "SHIM_COUNT": str(count)}
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], cwd=ROOT, env=environment, check=True
    )
    writes, syncs = map(int, count.read_text().split())
    assert writes > 20
    assert syncs >= 4


@pytest.mark.fault("A8")
@pytest.mark.parametrize("after", [0, 2, 5, 9])
async def test_one_failed_sync_costs_a_segment_and_no_accepted_batch(
    tmp_path: Path, shim: Path, after: int, record_measure
) -> None:
    lines, _ = run_child(
        tmp_path / "store", shim, 1, 0.7, segment_bytes=2**30, SHIM_FSYNC="once", SHIM_AFTER=str(after)
    )
    assert [line for line in lines if line[0] == "failed"] == []
    assert len([line for line in lines if line[0] == "accepted"]) > 10
    # The file whose sync failed takes no batch any more; one that never took any is gone.
    assert len(list((tmp_path / "store").glob("*.segment"))) == (1 if after < FIRST_BATCH else 2)
    await check_accepted(tmp_path / "store", lines)
    record_measure("one of the first ten syncs fails: nothing refused, 0 accepted lost, the file given up")


@pytest.mark.fault("A8")
@pytest.mark.parametrize("after", [0, 3, 8])
async def test_syncs_that_always_fail_accept_nothing_falsely(
    tmp_path: Path, shim: Path, after: int, record_measure
) -> None:
    lines, _ = run_child(tmp_path / "store", shim, 1, 0.3, SHIM_FSYNC="always", SHIM_AFTER=str(after))
    words = [line[0] for line in lines]
    assert "failed" in words
    assert "accepted" not in words[words.index("failed") :]
    await check_accepted(tmp_path / "store", lines)
    record_measure("syncs fail for ever: 0 accepted from the first failure on, 0 accepted before lost")


@pytest.mark.fault("A7")
@pytest.mark.timeout(600)
async def test_a_disk_that_is_full_for_a_while_at_any_write_loses_nothing_accepted(
    tmp_path: Path, shim: Path, record_measure
) -> None:
    places = range(1, 60, max(1, round(1 / SCALE)))
    for at in places:
        store = tmp_path / f"store{at}"
        shim_options = {"SHIM_WRITE": str(at), "SHIM_FREE": str(at + 3)}
        lines, _ = run_child(store, shim, 1, 0.15, decided_by=("accepted",), **shim_options)
        assert [line for line in lines if line[0] == "accepted"]
        await check_gaps_are_honest(store, lines)
    record_measure(f"no room at {len(places)} places for three writes: every batch there or in a gap")


async def check_gaps_are_honest(store: Path, lines: list[list[str]]) -> None:
    """Under drop_oldest a full disk may cost stored batches, but every one of them is in a gap."""
    accepted = [int(line[2]) for line in lines if line[0] == "accepted"]
    async with opened(store) as buffer:
        there = {each.seq for each in await drain(buffer)}
        gaps = [(gap.first_seq, gap.last_seq) for gap in buffer.gaps()]
    delivered = max((int(line[1]) for line in lines if line[0] == "acking"), default=0)
    for seq in accepted:
        assert seq in there or seq <= delivered or any(a <= seq <= b for a, b in gaps)


@pytest.mark.fault("A1", "A3")
@pytest.mark.timeout(1800)
async def test_a_kill_in_the_middle_of_any_write_costs_no_accepted_batch(
    tmp_path: Path, shim: Path, record_measure
) -> None:
    kills = range(1, 401, 1 if SCALE >= 1 else round(4 / SCALE))
    accepted, slowest = 0, 0.0
    for at in kills:
        store = tmp_path / f"store{at}"
        began = time.monotonic()
        # Whatever the store writes: segments, their log, its state.
        lines, code = run_child(store, shim, 1, 30, SHIM_TEAR=str(at), SHIM_MATCH=str(store))
        assert code == -signal.SIGKILL
        assert time.monotonic() - began < 30, "it was not the write that ended it"
        began = time.monotonic()
        await check_accepted(store, lines)
        slowest = max(slowest, time.monotonic() - began)
        acking = max((int(line[1]) for line in lines if line[0] == "acking"), default=0)
        check_cursor(store, {int(line[2]) for line in lines if line[0] == "accepted"}, acking)
        accepted += sum(line[0] == "accepted" for line in lines)
        shutil.rmtree(store)
    assert accepted > len(kills)
    if SCALE >= 1:
        assert slowest <= 5
    record_measure(f"killed in {len(kills)} writes, each torn: {accepted} batches accepted, 0 lost")


@pytest.mark.fault("A10")
@pytest.mark.timeout(300)
async def test_slow_syncs_do_not_stall_the_event_loop_and_memory_is_bounded(
    tmp_path: Path, shim: Path, record_measure
) -> None:
    sync_ms = 2000 if SCALE >= 1 else 300
    program = """
import asyncio, sys, time
from pathlib import Path
import numpy as np
from connectors import Batch, Columns
from tests.faults.buffer.lab import T0, opened
rows = 5000
zeros = np.zeros(rows, np.int32)
large = Batch((Columns(zeros, np.full(rows, T0), np.zeros(rows), np.zeros(rows, np.uint32)),), T0)
async def main():
    async with opened(Path(sys.argv[1])) as buffer:
        lags, queued = [], []
        async def watch():
            while True:
                start = time.perf_counter()
                await asyncio.sleep(0.005)
                lags.append(time.perf_counter() - start - 0.005)
                queued.append(buffer.stats().queued_bytes)
        async def flood():
            while True:
                await buffer.append("src", large)
                await asyncio.sleep(0)
        watching = asyncio.create_task(watch())
        flooding = asyncio.create_task(flood())
        until = asyncio.get_running_loop().time() + 4 * float(sys.argv[2])
        while asyncio.get_running_loop().time() < until or not buffer.stats().rows:
            await asyncio.sleep(0.05)
        watching.cancel()
        flooding.cancel()
        print(max(lags), sorted(lags)[len(lags) * 99 // 100], max(queued), flush=True)
        # The end would wait for what is queued.
        import os
        os._exit(0)
asyncio.run(main())
"""
    environment = {**os.environ, "LD_PRELOAD": str(shim), "SHIM_SLEEP": str(sync_ms), "PYTHONPATH": str(ROOT)}
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program, str(tmp_path / "store"), str(sync_ms / 1000)],
        cwd=ROOT, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    longest, p99, queued = map(float, done.stdout.split())
    assert longest < sync_ms / 1000, "as long as a sync took, the loop stood still"
    assert queued <= 9 * 2**20, "what waits for the disk has no bound"
    if SCALE >= 1:
        assert p99 < 0.1
    record_measure(
        f"each sync {sync_ms} ms: the loop late by {1000 * p99:.1f} ms (p99), {queued / 2**20:.1f} MiB queued"
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.fault("A7")
@pytest.mark.timeout(120)
async def test_a_full_disk_drops_the_oldest_and_counts_it_exactly(small_disk: Path, record_measure) -> None:
    last = 4000
    async with opened(small_disk / "store", segment_bytes=64 * 1024, memory=0) as buffer:
        slow = buffer.cursor("slow", Order.STRICT)
        buffer.ready()
        for start in range(1, last + 1, 20):
            await fill(buffer, range(start, start + 20))
        dropped = sum(rows for (sink, _), rows in buffer.stats().dropped.items() if sink == "slow")
        waiting = slow.backlog().rows
        assert dropped > 0
        assert dropped + waiting == rows_of(range(1, last + 1))
        assert sum(gap.rows for gap in buffer.gaps()) == dropped
        taken: list[int] = []
        while slow.backlog().rows:
            taken += [number_of(each) for each in await slow.next(10_000)]
            await slow.ack()
        assert taken == list(range(last + 1 - len(taken), last + 1))
        assert rows_of(taken) == waiting
    # A start needs a little room to put its files in order.
    await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    async with opened(small_disk / "store") as buffer:
        assert sum(buffer.stats().dropped.values()) == dropped
        assert buffer.cursor("slow", Order.STRICT).backlog().rows == 0
    record_measure(f"1 MiB full: {dropped} rows dropped, all counted, the newest {waiting} delivered")


def fill_up(place: Path) -> None:
    """Leave no byte free."""
    with (place / "others").open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


@pytest.mark.timeout(120)
@pytest.mark.parametrize("was_killed", [False, True])
async def test_a_start_on_a_full_disk_drops_the_oldest_and_counts_it_exactly(
    small_disk: Path, tmp_path: Path, *, was_killed: bool
) -> None:
    store, last = small_disk / "store", 600
    async with opened(tmp_path / "made", segment_bytes=32 * 1024, memory=0) as buffer:
        buffer.cursor("slow", Order.STRICT)
        done = buffer.cursor("done", Order.STRICT)
        buffer.ready()
        for start in range(1, last + 1, 20):
            await fill(buffer, range(start, start + 20))
        while done.backlog().rows:
            await done.next(10_000)
            await done.ack()
        if was_killed:
            await saved_cursors(tmp_path / "made")
            copy(tmp_path / "made", store)
    if not was_killed:
        copy(tmp_path / "made", store)
    (store / "reserve").unlink(missing_ok=True)
    await asyncio.to_thread(fill_up, small_disk)
    with pytest.raises(StoreFailed, match="full"):
        async with opened(store, when_full="wait"):
            pass
    await asyncio.to_thread(fill_up, small_disk)
    async with opened(store) as buffer:
        slow = buffer.cursor("slow", Order.STRICT)
        buffer.cursor("done", Order.STRICT)
        buffer.ready()
        dropped = buffer.stats().dropped
        taken: list[int] = []
        while slow.backlog().rows:
            taken += [number_of(each) for each in await slow.next(10_000)]
            await slow.ack()
        assert 0 < len(taken) < last
        assert taken == list(range(last + 1 - len(taken), last + 1))
        lost = rows_of(range(1, last + 1 - len(taken)))
        assert dropped == {("slow", "disk_full"): lost}
        gaps = buffer.gaps()
        assert {gap.reason for gap in gaps} == {"disk_full"}
        assert sum(gap.rows for gap in gaps) == lost
        assert gaps[0].start == batch_of(1).arrived


async def saved_cursors(store: Path) -> None:
    """Wait until both cursors are on disk at their places; that is done once a second."""
    connection = sqlite3.connect(store / "state.sqlite")
    async with asyncio.timeout(20):
        while True:
            heads = dict(connection.execute("SELECT sink, head FROM cursors"))
            if {"slow", "done"} <= set(heads) and heads["done"] > 600:
                break
            await asyncio.sleep(0.02)
    connection.close()


@pytest.mark.fault("A7")
@pytest.mark.timeout(120)
async def test_a_full_disk_can_make_append_wait_until_there_is_room(small_disk: Path, record_measure) -> None:
    async with opened(
        small_disk / "store", segment_bytes=64 * 1024, memory=0, when_full="wait", keep=0
    ) as buffer:
        slow = buffer.cursor("slow", Order.STRICT)
        buffer.ready()
        filling = asyncio.create_task(fill_slowly(buffer, 4000))
        deadline = time.monotonic() + 20
        while not buffer.stats().full:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        assert not filling.done()
        taken: list[int] = []
        while len(taken) < 4000:
            taken += [number_of(each) for each in await slow.next(10_000)]
            await slow.ack()
        assert taken == list(range(1, 4001))
        await filling
        assert buffer.stats().dropped == {}
        assert not buffer.stats().full
    record_measure("1 MiB full and told to wait: 4,000 of 4,000 batches, 0 dropped")


async def fill_slowly(buffer: DiskBuffer, last: int) -> None:
    for start in range(1, last + 1, 20):
        await fill(buffer, range(start, start + 20))


@pytest.mark.fault("A7")
@pytest.mark.timeout(120)
async def test_max_bytes_drops_the_oldest_and_counts_it_exactly(tmp_path: Path) -> None:
    async with opened(tmp_path / "store", segment_bytes=32 * 1024, max_bytes=300 * 1024, memory=0) as buffer:
        slow = buffer.cursor("slow", Order.LIVE_FIRST)
        buffer.ready()
        for start in range(1, 3001, 20):
            await fill(buffer, range(start, start + 20))
        stats = buffer.stats()
        assert stats.bytes <= 300 * 1024
        assert stats.dropped["slow", "max_bytes"] + slow.backlog().rows == rows_of(range(1, 3001))
    assert sum(path.stat().st_size for path in (tmp_path / "store").glob("*.segment")) <= 300 * 1024
    assert options().when_full == "drop_oldest"
    assert batch_of(1).arrived == T0 + 1
