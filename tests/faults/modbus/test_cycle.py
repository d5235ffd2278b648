"""How long a cycle takes is foretold from bytes, silences and the devices' delay, and then measured."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.connections import ModbusTcpSource
from connectors import SystemClock, TagTable
from connectors.modbus import Modbus, TcpLine
from connectors.modbus.forecast import line_load
from connectors.quality import GOOD
from gateway.lab.modbus import frames
from gateway.lab.modbus.line import SerialEquipment
from gateway.lab.modbus.replies import faulty
from gateway.lab.modbus.tcp import TcpEquipment
from tests.faults.modbus.lab import SCALE, source

DELAY_S = 0.02
CYCLES = int(3 + 17 * SCALE)
SCAN_NS = 10_000_000
TAGS = {"v": {"address": 0, "type": "float32", "count": 20}, "w": {"address": 200, "count": 3}}


def devices(count: int, **options: Any) -> dict[str, dict[str, Any]]:
    """Devices that are asked without a rest: a cycle takes what it takes."""
    return {f"m{u}": {"unit_id": u, "scan": "10ms", "tags": TAGS, **options} for u in range(1, count + 1)}


def at(baud: int) -> Callable[[frames.Request], Any]:
    """Answer when request and reply have passed a wire of this speed and the device has thought."""

    def script(request: frames.Request) -> Any:
        reply = frames.reply(request)
        yield (len(request.raw) + len(reply)) * 10 / baud + DELAY_S
        yield reply

    return script


async def shortest_cycle(it: Modbus, count: int) -> float:
    """Return the shortest of some cycles, s: a machine that is busy with others makes none shorter."""
    found = []
    for cycle in range(CYCLES + 1):
        began = time.monotonic()
        for _ in range(count):
            batch = await it.read()
            assert {q for part in batch.parts for q in part.quality.tolist()} == {GOOD}
        if cycle:
            found.append(time.monotonic() - began)
    return min(found)


@pytest.mark.alone
@pytest.mark.fault("D12")
@pytest.mark.parametrize("baud", [9600, 38400])
async def test_d12_the_cycle_of_a_line_is_foretold_within_fifteen_percent(
    baud: int, tmp_path: Path, record_measure
) -> None:
    async with (
        SerialEquipment(tmp_path / "line", at(baud)) as line,
        source(line.path, devices(3), baud=baud, timeout="400ms", quiet="1ms") as it,
    ):
        measured = await shortest_cycle(it, 3)
        foretold = line_load(it._options, int(DELAY_S * 1e9)) * SCAN_NS / 1e9
    record_measure(f"{baud} baud: foretold {foretold * 1e3:.0f} ms, measured {measured * 1e3:.0f} ms a cycle")
    assert foretold == pytest.approx(measured, rel=0.15)


@pytest.mark.alone
@pytest.mark.fault("D12")
@pytest.mark.parametrize(("in_flight", "pause"), [(1, "0ms"), (1, "10ms"), (2, "0ms")])
async def test_d12_the_cycle_of_a_tcp_connection_is_foretold_within_fifteen_percent(
    in_flight: int, pause: str, record_measure
) -> None:
    def script(request: frames.Request) -> Any:
        yield DELAY_S
        yield frames.reply(request)

    async with TcpEquipment(script) as equipment:
        made = {"kind": "modbus_tcp", "host": "127.0.0.1", "port": equipment.port, "pause": pause}
        made["devices"] = devices(3, max_in_flight=in_flight)
        read = ModbusTcpSource.model_validate(made)
        table = TagTable()
        async with Modbus("line", read, TcpLine(read), site="s", tags=table, clock=SystemClock()) as it:
            measured = await shortest_cycle(it, 3)
        foretold = line_load(read, int(DELAY_S * 1e9)) * SCAN_NS / 1e9
    how = f"{in_flight} in flight, pause {pause}"
    record_measure(f"{how}: foretold {foretold * 1e3:.0f} ms, measured {measured * 1e3:.0f} ms a cycle")
    assert foretold == pytest.approx(measured, rel=0.15)


@pytest.mark.alone
@pytest.mark.fault("D12")
async def test_d12_the_cycle_of_devices_of_different_delays_is_foretold_within_fifteen_percent(
    record_measure,
) -> None:
    """Each by its own `reply`, with the lab's `delay` behind it."""
    replies = {1: "5ms", 2: "20ms", 3: "70ms"}
    async with TcpEquipment(
        faulty(*(f"delay={reply}/{unit}" for unit, reply in replies.items()))
    ) as equipment:
        made = devices(3)
        for unit, reply in replies.items():
            made[f"m{unit}"]["reply"] = reply
        options = {"kind": "modbus_tcp", "host": "127.0.0.1", "port": equipment.port, "devices": made}
        read = ModbusTcpSource.model_validate(options)
        async with Modbus("line", read, TcpLine(read), site="s", tags=TagTable(), clock=SystemClock()) as it:
            measured = await shortest_cycle(it, 3)
    foretold = line_load(read) * SCAN_NS / 1e9
    delays = f"devices that take {', '.join(replies.values())}"
    record_measure(f"{delays}: foretold {foretold * 1e3:.0f} ms, measured {measured * 1e3:.0f} ms a cycle")
    assert foretold == pytest.approx(measured, rel=0.15)
