"""DL/T 645 meters that answer late, wrongly, for others or not at all: no wrong value, and it goes on."""

import asyncio
import os
from collections.abc import Callable

import pytest

from connectors import NotConnected, TagTable
from connectors.quality import (
    BAD_COMMUNICATION_ERROR,
    BAD_CONFIGURATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_OUT_OF_RANGE,
    BAD_TIMEOUT,
)
from gateway.lab.meters.line import Asked, MeterLine, Script, frame645, honest, reply
from tests.faults.meters.lab import ENERGY, TRUE, VOLTAGE, A, B, Moving, energy, meters, shown, source, wrong

SCALE = float(os.environ.get("WL_SCALE", "0.1"))


def never(_: Asked) -> list[tuple[float, bytes]]:
    return []


def only(identifier: str, script: Script, address: str = A) -> Script:
    """Return a script for one value of one meter; everything else is answered."""

    def chosen(asked: Asked) -> list[tuple[float, bytes]]:
        is_it = (asked.identifier, asked.address) == (identifier, address)
        return script(asked) if is_it else honest(asked)

    return chosen


GARBLED = BAD_COMMUNICATION_ERROR
ONE, OTHER = b"\x00\x00\x01\x00" + energy(1), b"\x00\x00\x02\x00" + energy(1)
WRONG: dict[str, tuple[Script, int]] = {
    "another meter's reply": (lambda asked: [(0, reply(asked, address=B))], GARBLED),
    "another identifier": (
        lambda _: [(0, frame645(A, 0x91, OTHER))],
        GARBLED,
    ),
    "the reply to a writing": (lambda _: [(0, frame645(A, 0x94))], GARBLED),
    "a byte more": (lambda asked: [(0, reply(asked, data=energy(1) + b"\x01"))], GARBLED),
    "a byte less": (lambda asked: [(0, reply(asked, data=energy(1)[:3]))], GARBLED),
    "more to follow": (
        lambda _: [(0, frame645(A, 0xB1, ONE))],
        GARBLED,
    ),
    "a wrong sum": (lambda asked: [(0, reply(asked)[:-2] + b"\x00\x16")], GARBLED),
    "a wrong end": (lambda asked: [(0, reply(asked)[:-1] + b"\x17")], GARBLED),
    "half a frame": (lambda asked: [(0, reply(asked)[:15])], GARBLED),
    "noise before": (lambda asked: [(0, b"\x00\x55" + reply(asked))], GARBLED),
    "noise behind": (lambda asked: [(0, reply(asked) + b"\x00\x55")], GARBLED),
    "what was asked": (lambda asked: [(0, asked.raw[:-3] + b"\x00\x00\x16")], GARBLED),
    "nothing": (never, BAD_TIMEOUT),
    "only the bytes that wake": (lambda _: [(0, b"\xfe" * 4)], BAD_TIMEOUT),
    "no such data": (lambda _: [(0, frame645(A, 0xD1, b"\x02"))], BAD_CONFIGURATION_ERROR),
    "another refusal": (lambda _: [(0, frame645(A, 0xD1, b"\x01"))], BAD_DEVICE_FAILURE),
    "digits that are none": (lambda asked: [(0, reply(asked, data=b"\xff" * 4))], BAD_OUT_OF_RANGE),
}


@pytest.mark.fault("D3", "D4", "D5", "D6", "D8")
@pytest.mark.parametrize("name", WRONG)
async def test_a_reply_that_is_none_is_told_and_the_next_is_read(name: str) -> None:
    script, quality = WRONG[name]
    table = TagTable()
    async with (
        MeterLine("dlt645", meters(), only(ENERGY, script)) as line,
        asyncio.timeout(20),
        source(line.port, table) as reading,
    ):
        found = shown(await reading.scan("a"), table)
        assert found.pop("a/e_import")[1] == quality
        assert found == {"a/u": (220.5, 0), "a/p": (0.1234, 0)}
        line.script = honest
        await reading.scan("b")
        # What a meter says it does not have rests for a while; everything else is asked again.
        again = shown(await reading.scan("a"), table)["a/e_import"]
        assert again == ((0.0, quality) if quality == BAD_CONFIGURATION_ERROR else (123456.78, 0))
    assert line.others == []


@pytest.mark.parametrize("wake", [0, 1, 4, 12])
async def test_any_number_of_waking_bytes_goes_before_a_reply(wake: int) -> None:
    table = TagTable()
    script: Script = lambda asked: [(0, reply(asked, wake=wake))]  # noqa: E731
    async with MeterLine("dlt645", meters(), script) as line, source(line.port, table) as reading:
        assert shown(await reading.scan("b"), table) == {k: (v, 0) for k, v in TRUE.items() if k[0] == "b"}


@pytest.mark.fault("D5")
async def test_a_reply_in_single_bytes_is_read() -> None:
    table = TagTable()
    script: Script = lambda asked: [(0.002, bytes((each,))) for each in reply(asked)]  # noqa: E731
    async with (
        MeterLine("dlt645", meters(), script) as line,
        source(line.port, table, timeout="500ms") as reading,
    ):
        assert shown(await reading.scan("a"), table)["a/u"] == (220.5, 0)


@pytest.mark.fault("D2")
@pytest.mark.timeout(120)
async def test_a_late_reply_is_never_taken_for_the_next(record_measure: Callable[..., None]) -> None:
    moving, table = Moving(645, {A: 12345678, B: 87654321}, energy), TagTable()
    only_meter = {"a": {"address": A, "scan": "20ms", "tags": {"e_import": {"di": ENERGY}}}}
    async with (
        MeterLine("dlt645", meters(), moving) as line,
        asyncio.timeout(110),
        source(line.port, table, devices=only_meter) as reading,
    ):
        came = await moving.ask(reading, table, "a/e_import", A, round(500 * SCALE))
    record_measure(f"DL/T 645: {came}", row="D2")


@pytest.mark.fault("D1")
async def test_a_meter_that_is_away_costs_the_others_little() -> None:
    table, held = TagTable(), meters()
    del held[B]
    async with MeterLine("dlt645", held) as line, source(line.port, table) as reading, asyncio.timeout(20):
        batches = [await reading.read() for _ in range(30)]
    names = [next(iter(shown(batch, table)))[0] for batch in batches]
    assert names.count("a") > 20
    assert wrong(batches, table) == []
    assert all(q == BAD_TIMEOUT for b in batches for n, (_, q) in shown(b, table).items() if n[0] == "b")


async def test_a_line_where_nobody_answers_is_not_connected() -> None:
    async with (
        MeterLine("dlt645", meters(), never) as line,
        asyncio.timeout(20),
        source(line.port) as reading,
    ):
        with pytest.raises(NotConnected, match="no device answers"):
            while True:
                await reading.read()


async def test_the_only_meter_of_a_line_is_read_without_its_address() -> None:
    table = TagTable()
    device = {"address": "any", "scan": "20ms", "template": "single_phase"}
    async with (
        MeterLine("dlt645", {B: meters()[B]}) as line,
        source(line.port, table, devices={"b": device}) as reading,
        asyncio.timeout(20),
    ):
        found = shown(await reading.scan("b"), table)
    assert (found["b/e_import"], found["b/u"], found["b/p"]) == ((876543.21, 0), (221.0, 0), (-0.1234, 0))
    assert found["b/f"][1] == BAD_CONFIGURATION_ERROR
    assert all(asked.raw[-15:-9].hex() == "aa" * 6 for asked in line.asked)


@pytest.mark.fault("D1")
async def test_an_adapter_that_returns_what_is_sent_is_named() -> None:
    script: Script = lambda asked: [(0, asked.raw)]  # noqa: E731
    async with MeterLine("dlt645", meters(), script) as line, source(line.port) as reading:
        with pytest.raises(NotConnected, match="set echo: true"):
            await reading.scan("a")


@pytest.mark.fault("S12")
async def test_nothing_but_readings_goes_over_the_line() -> None:
    table = TagTable()
    async with MeterLine("dlt645", meters()) as line, source(line.port, table) as reading:
        assert wrong([await reading.read() for _ in range(6)], table) == []
    assert line.others == []
    assert {asked.identifier for asked in line.asked} == {ENERGY, VOLTAGE, "02030000"}
