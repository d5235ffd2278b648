"""CJ/T 188 meters that answer late, wrongly, for others or not at all: no wrong value, and it goes on."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest

from config.connections import Cjt188Source
from connectors import SystemClock, TagTable
from connectors import cjt188 as spoken
from connectors.cjt188 import Cjt188
from connectors.quality import BAD_COMMUNICATION_ERROR, BAD_DEVICE_FAILURE, BAD_OUT_OF_RANGE, BAD_TIMEOUT
from gateway.lab.meters.line import MeterLine, Script, frame188, honest, reply
from tests.faults.meters.lab import Moving, shown

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
A, B = "1078330011223344", "1078330011223355"
GARBLED = BAD_COMMUNICATION_ERROR
NAMED = b"\x1f\x90\x00"


def water(hundredths: int, unit: int = 0x2C) -> bytes:
    """Return a water meter's present readings."""
    total = bytes.fromhex(f"{hundredths:08}")[::-1] + bytes((unit,))
    return total + total + bytes.fromhex("31012211051520") + bytes.fromhex("2184")


def meters() -> dict[str, dict[str, bytes]]:
    return {A: {"901F": water(12345678)}, B: {"901F": water(4711)}}


def source(port: int, table: TagTable, **options: Any) -> Cjt188:
    meter = {"scan": "20ms", "tags": {"water": {"counter": True}}}
    devices = {"a": {"address": A[2:], **meter}, "b": {"address": B[2:], **meter}}
    line = {"host": "127.0.0.1", "tcp_port": port, "timeout": "150ms", "quiet": "30ms"}
    read = Cjt188Source.model_validate({"kind": "cjt188", "devices": devices, **line, **options})
    return Cjt188("line", read, spoken.line(read), site="s", tags=table, clock=SystemClock())


def of_a(script: Script) -> Script:
    return lambda asked: script(asked) if asked.address == A else honest(asked)


WRONG: dict[str, tuple[Script, int]] = {
    "another meter's reply": (lambda asked: [(0, reply(asked, address=B))], GARBLED),
    "another kind of meter": (lambda asked: [(0, reply(asked, address="20" + A[2:]))], GARBLED),
    "another identifier": (lambda _: [(0, frame188(A, 0x81, b"\x20\x90\x00" + water(1)))], GARBLED),
    "another number": (lambda _: [(0, frame188(A, 0x81, b"\x1f\x90\x01" + water(1)))], GARBLED),
    "the reply to a writing": (lambda _: [(0, frame188(A, 0x84, b"\x17\xa0\x00\x00"))], GARBLED),
    "a wrong sum": (lambda asked: [(0, reply(asked)[:-2] + b"\x00\x16")], GARBLED),
    "a wrong length": (lambda asked: [(0, reply(asked)[:14] + b"\x15" + reply(asked)[15:])], GARBLED),
    "half a frame": (lambda asked: [(0, reply(asked)[:20])], GARBLED),
    "noise behind": (lambda asked: [(0, reply(asked) + b"\x00")], GARBLED),
    "nothing": (lambda _: [], BAD_TIMEOUT),
    "a refusal": (lambda _: [(0, frame188(A, 0xC1, b"\x00\x00\x01"))], BAD_DEVICE_FAILURE),
    "another unit": (lambda asked: [(0, reply(asked, data=water(1, 0x2B)))], BAD_OUT_OF_RANGE),
    "digits that are none": (lambda asked: [(0, reply(asked, data=b"\xff" * 22))], BAD_OUT_OF_RANGE),
    "no data": (lambda _: [(0, frame188(A, 0x81, NAMED))], BAD_OUT_OF_RANGE),
}


@pytest.mark.fault("D3", "D4", "D5", "D6", "D8")
@pytest.mark.parametrize("name", WRONG)
async def test_a_reply_that_is_none_is_told_and_the_next_is_read(name: str) -> None:
    script, quality = WRONG[name]
    table = TagTable()
    async with (
        MeterLine("cjt188", meters(), of_a(script)) as line,
        source(line.port, table) as reading,
        asyncio.timeout(20),
    ):
        assert shown(await reading.scan("a"), table) == {"a/water": (0.0, quality)}
        assert shown(await reading.scan("b"), table) == {"b/water": (47.11, 0)}
        line.script = honest
        assert shown(await reading.scan("a"), table) == {"a/water": (123456.78, 0)}
    assert line.others == []


@pytest.mark.fault("D2")
@pytest.mark.timeout(120)
async def test_a_late_reply_is_never_taken_for_the_next(record_measure: Callable[..., None]) -> None:
    moving, table = Moving(188, {A: 12345678, B: 4711}, water), TagTable()
    async with (
        MeterLine("cjt188", meters(), moving) as line,
        source(line.port, table) as reading,
        asyncio.timeout(110),
    ):
        came = await moving.ask(reading, table, "a/water", A, round(500 * SCALE))
    record_measure(f"CJ/T 188: {came}", row="D2")


@pytest.mark.fault("D1")
async def test_a_meter_that_is_away_costs_the_others_little(record_measure: Callable[..., None]) -> None:
    table, held = TagTable(), meters()
    del held[B]
    async with (
        MeterLine("cjt188", held) as line,
        source(line.port, table, timeout="60ms") as reading,
        asyncio.timeout(20),
    ):
        batches = [shown(await reading.read(), table) for _ in range(60)]
    there = [batch["a/water"] for batch in batches if "a/water" in batch]
    away = [batch["b/water"] for batch in batches if "b/water" in batch]
    assert len(there) > 50
    assert set(there) == {(123456.78, 0)}
    assert {quality for _, quality in away} == {BAD_TIMEOUT}
    assert 2 <= sum(asked.address == B for asked in line.asked) <= 6, "it is asked less and less"
    record_measure(
        f"CJ/T 188: one of two away, {len(there)} of {len(batches)} scans are the other's", row="D1"
    )


@pytest.mark.fault("S12")
async def test_nothing_but_readings_goes_over_the_line() -> None:
    table = TagTable()
    async with MeterLine("cjt188", meters()) as line, source(line.port, table) as reading:
        batches = [await reading.read() for _ in range(6)]
    assert all(not quality for batch in batches for _, quality in shown(batch, table).values())
    assert line.others == []
    assert {asked.identifier for asked in line.asked} == {"901F"}
