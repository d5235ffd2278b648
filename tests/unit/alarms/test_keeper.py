"""The whole gateway: a value beyond its bound, what people do, a restart, the log's own tags."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from config.load import read_plant_bytes
from connectors import Order
from gateway.alarms import keeper
from gateway.alarms.table import ALARMS, Alarm, read
from gateway.alarms.tags import SOURCE
from gateway.control import ask
from gateway.runtime import Gateway

PLANT = b"""
gateway: {id: g, site: s, http_port: 0}
page: {enabled: false}
history: {enabled: false}
sources:
  one:
    kind: simulated
    devices: {d: {scan: 50ms, tags: {x: {shape: constant, low_value: 0, high_value: %d, alarm: {high: 50}}}}}
"""


@asynccontextmanager
async def running(folder: Path, value: int, more: bytes = b"") -> AsyncIterator[Gateway]:
    text = PLANT % value + more
    file = folder / "plant.yaml"
    file.write_bytes(text)
    outcome = read_plant_bytes(text, str(file), folder)
    assert outcome.plant is not None, outcome
    gateway = Gateway(outcome.plant, folder / "data", strict=True, plant_file=file)
    stop = asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        run = tasks.create_task(gateway.run(stop))
        await gateway.running.wait()
        try:
            yield gateway
        finally:
            stop.set()
            await run


async def until(found: Callable[[], Any]) -> None:
    while not found():
        await asyncio.sleep(0.02)


def standing(table: Path) -> list[Alarm]:
    """Return the alarms that stand; none while their table is being made."""
    try:
        return read(table, "active")[1]
    except sqlite3.OperationalError:
        return []


async def stored(gateway: Gateway, most: int) -> list[str]:
    """Return the events that lie in the log, as any sink gets them."""
    cursor = gateway.parts.buffer.cursor("test", Order.STRICT, start="oldest")
    found: list[str] = []
    while len(found) < most:
        for each in await cursor.next(10_000):
            for part in each.batch.parts:
                paths = [gateway.parts.tags[number].path for number in part.tag.tolist()]
                found += [
                    v for p, v in zip(paths, part.value.tolist(), strict=True) if p.endswith("/log/event")
                ]
        await cursor.ack()
    gateway.parts.buffer.release("test")
    return found


async def test_an_alarm_begins_is_acknowledged_survives_a_restart_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "LOOK_S", 0.05)
    table = tmp_path / "data" / ALARMS
    async with running(tmp_path, 80) as gateway:
        await until(lambda: len(standing(table)) == 1)
        answer = await asyncio.to_thread(
            ask, tmp_path / "data", "alarm", number=1, act="acknowledge", who="bo", note="seen"
        )
        assert answer == {"number": 1}
        unknown = await asyncio.to_thread(ask, tmp_path / "data", "alarm", number=7, act="acknowledge")
        assert unknown == {"number": None}
        await until(lambda: (gateway.parts.buffer.resume_token(SOURCE) or b"").endswith(b'"event":2}'))
        samples = {each.name: each.value for each in gateway.observer.snapshot().samples}
        assert (samples["alarms_active"], samples["alarms_unacknowledged"]) == (1, 0)
    async with running(tmp_path, 80) as gateway:
        live = gateway.parts.live
        await until(lambda: len(live.last(gateway.parts.tags.of_source("one"))))
        await until(lambda: gateway.parts.alarms.counts)
        assert read(table)[0] == 1
    async with running(tmp_path, 20) as gateway:
        await until(lambda: read(table, "cleared")[0] == 1)
        events = [orjson.loads(each) for each in await stored(gateway, 3)]
    assert [(each["what"], each["alarm"]) for each in events] == [
        ("began", 1),
        ("acknowledged", 1),
        ("cleared", 1),
    ]
    assert events[0]["text"] == "s/-/-/d/x is above 50: 80"
    assert events[1]["who"] == "bo"


async def test_a_damaged_table_is_set_aside_and_the_gateway_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "LOOK_S", 0.05)
    data = tmp_path / "data"
    data.mkdir()
    (data / ALARMS).write_bytes(b"no database at all, " * 1000)
    async with running(tmp_path, 80):
        await until((data / f"{ALARMS}.bad").exists)
        await until(lambda: _standing(data / ALARMS) == 1)


def _standing(table: Path) -> int:
    """Count what stands; nothing while the new table is being made."""
    try:
        return int(read(table, "active")[0])
    except sqlite3.OperationalError:
        return 0


@pytest.mark.fault("A4")
async def test_rows_a_start_finds_damaged_are_an_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_measure: Callable[..., None]
) -> None:
    monkeypatch.setattr(keeper, "LOOK_S", 0.05)
    table, more = tmp_path / "data" / ALARMS, b"sinks: {away: {kind: mqtt, host: 127.0.0.1, port: 1}}\n"
    for _ in range(2):
        async with running(tmp_path, 10, more) as gateway:
            await until(lambda: gateway.parts.buffer.stats().rows > 3)
            assert not [each for each in standing(table) if each.kind == "store"]
    oldest = min((tmp_path / "data" / "buffer").glob("*.segment"))
    oldest.write_bytes(bytes(oldest.stat().st_size))
    async with running(tmp_path, 10, more) as gateway:
        await until(lambda: [each for each in standing(table) if each.subject == "loss/away"])
    record_measure("a segment damaged while the gateway was off: an alarm after its start")
