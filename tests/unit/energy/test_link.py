"""The ledger's link: over sessions and kills, its place in the log, its alarms."""

import asyncio
import json
import logging
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from config.energy_meters import meters
from config.plant import BufferOptions
from connectors import Batch, Columns, Kind, NotConnected, Order, Tag, TagTable
from gateway.buffer import DiskBuffer
from gateway.buffer.identity import StoreLock
from gateway.energy.bookkeeping.link import Bookkeeper
from gateway.energy.bookkeeping.manual import outcomes, reading, write_down
from gateway.energy.periods import calendar_of
from gateway.energy.query import Query
from gateway.energy.results.choices import choices_of
from gateway.energy.watch import SOURCE
from gateway.supervise import Link
from tests.conftest import FakeClock
from tests.unit.energy.lab import MINUTE, plant_of

PLANT = plant_of({"meters": {"m": {"maximum": 400, "contract": 100}}})
METERS = meters(PLANT)
CALENDAR = calendar_of(PLANT.energy, PLANT.gateway.zone)
OTHER = 0


@pytest.fixture
async def buffer(tmp_path: Path, clock: FakeClock) -> AsyncIterator[DiskBuffer]:
    options = BufferOptions(segment_bytes="64KiB", keep="0s")
    async with DiskBuffer(tmp_path / "buffer", options, clock) as opened:
        opened.tags = TagTable(opened.catalogue(), opened.persist)
        told = [
            Tag("s/x/y/z/other", Kind.FLOAT64, "C62", "src"),
            Tag(METERS["m"].tag, Kind.FLOAT64, "KWH", "src"),
        ]
        opened.tags.announce(told)
        yield opened


def keeper_of(buffer: DiskBuffer, tmp_path: Path, clock: FakeClock) -> Bookkeeper:
    keeper = Bookkeeper(
        Link("local", "energy", clock), tmp_path / "energy", PLANT.energy, METERS, CALENDAR,
        tags=buffer.tags, buffer=buffer, clock=clock, site="s",
        choices=lambda: choices_of(PLANT, tmp_path),
    )  # fmt: skip
    keeper.reserve()
    keeper.hurry.set()
    return keeper


async def booked(keeper: Bookkeeper) -> None:
    """Run until nothing waits, then end as a kill would: without another booking."""
    task = asyncio.create_task(keeper.session())
    async with asyncio.timeout(20):
        while keeper.backlog().rows or not keeper.is_running:
            assert not task.done(), task.result()
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def watched(keeper: Bookkeeper, time: int) -> None:
    """Wait until a forecast is as new as this."""
    async with asyncio.timeout(20):
        while (found := keeper.watch.forecasts.get("m")) is None or found.at < time:
            await asyncio.sleep(0.01)


async def append(buffer: DiskBuffer, start: int, first: int, count: int, kwh: float = 1.0) -> None:
    """Store a reading of the counter each minute, beside another tag's."""
    for i in range(first, first + count):
        time = np.full(2, start + i * MINUTE, np.int64)
        columns = Columns(
            np.array([OTHER, 1], np.int32), time, np.array([7.0, kwh * i]), np.zeros(2, np.uint32)
        )
        await (await buffer.append("src", Batch((columns,), int(time[0]))))


def total(tmp_path: Path, start: int) -> object:
    answer = Query(tmp_path / "energy", METERS, CALENDAR).energy("m", "15min", start, start + 240 * MINUTE)
    return answer.decimal(answer.total)


async def test_every_stored_reading_is_booked_once_over_sessions(
    buffer: DiskBuffer, tmp_path: Path, clock: FakeClock
) -> None:
    start = clock.now() // (15 * MINUTE) * 15 * MINUTE - 240 * MINUTE
    for first in range(0, 40, 10):
        await append(buffer, start, first, 10)
        await booked(keeper_of(buffer, tmp_path, clock))
    assert total(tmp_path, start) == 39


async def test_the_position_is_the_books_own(buffer: DiskBuffer, tmp_path: Path, clock: FakeClock) -> None:
    start = clock.now() // (15 * MINUTE) * 15 * MINUTE - 240 * MINUTE
    await append(buffer, start, 0, 20)
    await booked(keeper_of(buffer, tmp_path, clock))
    keeper = keeper_of(buffer, tmp_path, clock)
    # The buffer hands out everything again, as it would when its own note of the place was lost.
    keeper._cursor = buffer.cursor("gateway/energy", Order.STRICT, start="oldest", after=-1)
    await booked(keeper)
    assert total(tmp_path, start) == 19
    assert keeper._ledger.revised == 0


async def _alarms(buffer: DiskBuffer) -> list[tuple[int, float]]:
    """Return time and value of what was stored of the alarm's tag."""
    return [
        (int(at), float(value))
        for each in await buffer.cursor("reader", Order.STRICT, start="oldest").next(10_000)
        for part in each.batch.parts
        for tag, at, value in zip(part.tag, part.time, part.value, strict=True)
        if buffer.tags[int(tag)].path == "s/_energy/demand/m/alarm"
    ]


async def test_demand_is_told_before_the_contract_is_reached(
    buffer: DiskBuffer, tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    start = clock.now() // (15 * MINUTE) * 15 * MINUTE - 240 * MINUTE
    # Two kWh a minute are 120 kW; six minutes into the quarter only 12 of 25 kWh have passed.
    await append(buffer, start, 0, 21, kwh=2.0)
    keeper = keeper_of(buffer, tmp_path, clock)
    with caplog.at_level(logging.WARNING):
        task = asyncio.create_task(keeper.session())
        await watched(keeper, start + 20 * MINUTE)
        for minute in (21, 22):
            await append(buffer, start, minute, 1, kwh=2.0)
            await watched(keeper, start + minute * MINUTE)
        async with asyncio.timeout(20):
            while len(alarms := await _alarms(buffer)) < 3:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    (said,) = [each for each in caplog.records if each.__dict__.get("code") == "E-EN-0004"]
    assert (said.meter, said.forecast_kw, said.contract_kw, said.may_use_kw) == ("m", 120.0, 100.0, 86.7)
    assert keeper.gauges()["demand_alarms"] == 1
    found = keeper.watch.forecasts["m"]
    assert (found.energy, found.demand) == (14, 120)
    assert alarms == [(start + minute * MINUTE, float(minute > 20)) for minute in (20, 21, 22)]
    assert json.loads(buffer.resume_token(SOURCE) or b"")["states"]["demand/m"][0] is True


async def test_books_the_command_line_holds_are_tried_again_soon(
    buffer: DiskBuffer, tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "energy").mkdir()
    with StoreLock(tmp_path / "energy"), pytest.raises(NotConnected) as stopped:
        await keeper_of(buffer, tmp_path, clock).session()
    assert not stopped.value.needs_a_person
    assert stopped.value.retry_after_s


async def test_what_is_entered_is_booked_where_no_row_comes(
    buffer: DiskBuffer, tmp_path: Path, clock: FakeClock
) -> None:
    keeper = keeper_of(buffer, tmp_path, clock)
    keeper.silent_s = 0.05
    task = asyncio.create_task(keeper.session())
    async with asyncio.timeout(20):
        while not keeper.is_running:
            await asyncio.sleep(0.01)
        numbers = write_down(tmp_path / "energy", [reading(METERS, "m", "7", 0, 1)], "test", 1)
        while outcomes(tmp_path / "energy", numbers) != ["booked"]:
            assert not task.done(), task.result()
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.fault("A11")
async def test_books_deleted_under_the_gateway_say_so_and_are_written_again(
    buffer: DiskBuffer, tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = keeper_of(buffer, tmp_path, clock)
    start = clock.now()
    await append(buffer, start, 0, 5)
    task = asyncio.create_task(keeper.session())
    async with asyncio.timeout(20):
        while keeper.backlog().rows or not keeper.is_running:
            await asyncio.sleep(0.01)
    shutil.rmtree(tmp_path / "energy")
    await append(buffer, start, 5, 5)
    with pytest.raises(NotConnected, match="was deleted"):
        await asyncio.wait_for(task, 20)
    assert "E-EN-0007" in {record.__dict__.get("code") for record in caplog.records}
    await booked(keeper)
    assert (tmp_path / "energy" / "energy.sqlite").exists()


@pytest.mark.fault("A11")
async def test_books_deleted_in_the_middle_of_a_booking_are_called_deleted_and_not_a_broken_disk(
    buffer: DiskBuffer, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = keeper_of(buffer, tmp_path, clock)
    await append(buffer, clock.now(), 0, 5)

    def deleted(*_: object) -> int:
        shutil.rmtree(tmp_path / "energy")
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(keeper._ledger, "book", deleted)
    with pytest.raises(NotConnected, match="was deleted"):
        await asyncio.wait_for(keeper.session(), 20)
