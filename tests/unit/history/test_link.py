import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from config.plant import BufferOptions, HistoryOptions
from config.select import SelectRule
from connectors import NotConnected, Order, TagTable
from gateway.buffer import DiskBuffer
from gateway.history import Historian, Reader
from gateway.supervise import Link
from tests.conftest import FakeClock
from tests.fakes import T0, batch_of, simple_tags

SECOND = 1_000_000_000


@pytest.fixture
async def buffer(tmp_path: Path, clock: FakeClock) -> AsyncIterator[DiskBuffer]:
    options = BufferOptions(segment_bytes="64KiB", keep="0s")
    async with DiskBuffer(tmp_path / "buffer", options, clock) as opened:
        opened.tags = TagTable(opened.catalogue(), opened.persist)
        opened.tags.announce(simple_tags())
        yield opened


class Made(NamedTuple):
    historian: Historian
    link: Link


def made(buffer: DiskBuffer, tmp_path: Path, clock: FakeClock, **options: Any) -> Made:
    link = Link("local", "history", clock)
    historian = Historian(
        link,
        tmp_path / "history",
        HistoryOptions(**options),
        min_free=0,
        tags=buffer.tags,
        buffer=buffer,
        clock=clock,
    )
    historian.reserve()
    historian.hurry.set()
    return Made(historian, link)


async def booked(each: Made) -> None:
    """Run until nothing waits, then end as a kill would: without another booking."""
    task = asyncio.create_task(each.historian.session())
    async with asyncio.timeout(20):
        while each.historian.backlog().rows or not each.historian.is_running:
            assert not task.done(), task.result()
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def append(buffer: DiskBuffer, first: int, count: int) -> None:
    for i in range(first, first + count):
        await (await buffer.append("meters", batch_of([i, i, i], time=T0 + i * SECOND)))


def read(tmp_path: Path, tag: int = 0) -> list[float]:
    return Reader(tmp_path / "history").read_now(tag, 0, 2**62).value.tolist()


async def test_every_stored_row_is_in_the_history_once_over_sessions(
    buffer: DiskBuffer, tmp_path: Path, clock: FakeClock
) -> None:
    for first in range(0, 50, 10):
        await append(buffer, first, 10)
        await booked(made(buffer, tmp_path, clock))
    assert read(tmp_path) == list(range(50))


async def test_the_position_is_that_of_the_history_not_that_of_the_buffer(
    buffer: DiskBuffer, tmp_path: Path, clock: FakeClock
) -> None:
    await append(buffer, 0, 10)
    first = made(buffer, tmp_path, clock)
    await booked(first)
    # The buffer is told an earlier place than what is booked, as after a kill.
    buffer.cursor("gateway/history", Order.STRICT, after=-1)
    await append(buffer, 10, 5)
    await booked(made(buffer, tmp_path, clock))
    assert read(tmp_path) == list(range(15))


async def test_only_what_is_selected_is_kept(buffer: DiskBuffer, tmp_path: Path, clock: FakeClock) -> None:
    await append(buffer, 0, 3)
    await booked(made(buffer, tmp_path, clock, select=[SelectRule(path="**/t1")]))
    assert (read(tmp_path, 0), read(tmp_path, 1)) == ([], [0, 1, 2])


async def test_on_a_disk_that_runs_low_the_history_stops_and_the_buffer_does_not_wait(
    buffer: DiskBuffer,
    tmp_path: Path,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    each = made(buffer, tmp_path, clock)
    assert each.historian._cursor is not None
    assert each.historian._cursor.required
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=2**20))
    with pytest.raises(NotConnected, match="collection goes on"):
        await each.historian.session()
    assert not each.historian._cursor.required
    assert {record.__dict__.get("code") for record in caplog.records} == {"E-HI-0003"}
    await append(buffer, 0, 5)
    monkeypatch.undo()
    await booked(each)
    assert each.historian._cursor.required
    assert read(tmp_path) == list(range(5))


async def test_what_the_buffer_gave_up_meanwhile_is_a_gap(
    buffer: DiskBuffer, tmp_path: Path, clock: FakeClock
) -> None:
    await append(buffer, 0, 5)
    each = made(buffer, tmp_path, clock)
    await booked(each)
    buffer.release("gateway/history")
    buffer.ready()
    await append(buffer, 5, 3000)
    clock.move(3600)
    async with asyncio.timeout(20):
        while buffer.oldest() <= 6:
            await asyncio.sleep(0.05)
    await append(buffer, 4000, 5)
    await booked(made(buffer, tmp_path, clock))
    rows = Reader(tmp_path / "history").read_now(0, 0, 2**62)
    quality = rows.quality.tolist()
    assert rows.value[:5].tolist() == [0, 1, 2, 3, 4]
    assert rows.value[-5:].tolist() == list(range(4000, 4005))
    assert 0x809D0000 in quality[4:-5]


@pytest.mark.fault("A11")
async def test_a_history_deleted_under_the_gateway_says_so_and_begins_anew(
    buffer: DiskBuffer,
    tmp_path: Path,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    record_measure: Callable[..., None],
) -> None:
    await append(buffer, 0, 5)
    each = made(buffer, tmp_path, clock)
    task = asyncio.create_task(each.historian.session())
    async with asyncio.timeout(20):
        while each.historian.backlog().rows or not each.historian.is_running:
            await asyncio.sleep(0.01)
    shutil.rmtree(tmp_path / "history")
    await append(buffer, 5, 5)
    with pytest.raises(NotConnected, match=r"begins anew: .*head.sqlite was deleted"):
        await asyncio.wait_for(task, 20)
    assert {record.__dict__.get("code") for record in caplog.records} == {"E-HI-0004"}
    await booked(each)
    await append(buffer, 10, 5)
    await booked(made(buffer, tmp_path, clock))
    assert read(tmp_path)[-10:] == list(range(5, 15))
    record_measure("the history deleted under the gateway: told, 10 of the 10 rows after it are there")


@pytest.mark.fault("A11")
async def test_a_history_deleted_in_the_middle_of_a_booking_is_called_deleted_and_not_a_broken_disk(
    buffer: DiskBuffer, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await append(buffer, 0, 5)
    each = made(buffer, tmp_path, clock)

    def deleted(*_: object) -> int:
        shutil.rmtree(tmp_path / "history")
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(each.historian._store, "book", deleted)
    with pytest.raises(NotConnected, match="was deleted"):
        await asyncio.wait_for(each.historian.session(), 20)
