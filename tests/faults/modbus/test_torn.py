"""No value is put together from two moments: not over two replies, and no counter within one."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors import Batch
from connectors.modbus.source import Plans
from connectors.quality import GOOD
from gateway.lab.modbus import frames
from gateway.lab.modbus.line import SerialEquipment
from gateway.lab.modbus.meter import Point, octets, ordered
from gateway.lab.modbus.replies import exception, faulty, honest
from tests.faults.modbus.lab import SCALE, content, device, source

WIDTH = {"uint16": 1, "uint32": 2, "int64": 4, "uint64": 4}
LAYOUTS = int(2 + 48 * SCALE)
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")


def layout(chance: random.Random) -> tuple[dict[str, Any], int]:
    """Return tags side by side or apart, texts among them, and an address the device does not have."""
    tags: dict[str, Any] = {}
    address = 0
    for n in range(30):
        wire = chance.choice([*WIDTH, "string"])
        tag: dict[str, Any] = {"address": address, "type": wire, "order": chance.choice(ORDERS)}
        width = WIDTH.get(wire, 5)
        if wire == "string":
            tag["length"] = width
        elif chance.random() < 0.3:
            tag["counter"] = True
        tags[f"v{n}"] = tag
        address += width + chance.choice([0, 0, 0, 3])
    return tags, chance.randrange(address)


def octets_of(batch: Batch) -> list[bytes]:
    """Return the bytes of each good value."""
    rows = [
        row for part in batch.parts for row in zip(part.value.tolist(), part.quality.tolist(), strict=True)
    ]
    good = [value for value, quality in rows if quality == GOOD]
    return [v.encode() if isinstance(v, str) else bytes.fromhex(f"{int(v):x}") for v in good]


@pytest.mark.fault("D10")
@pytest.mark.timeout(300)
async def test_d10_values_of_any_width_and_order_are_each_of_one_moment(
    tmp_path: Path, record_measure
) -> None:
    """Every register shows the number of the request, so a value of two requests has two different words."""
    chance = random.Random(10)
    values = 0
    for _ in range(LAYOUTS):
        tags, missing = layout(chance)

        def script(request: Any, missing: int = missing) -> Any:
            if request.address <= missing < request.address + request.count:
                return exception(2)(request)
            two = 0x3030 + 0x0101 * (request.number % 72)  # two characters alike, whatever the order
            return [frames.reply(request, two.to_bytes(2, "big") * request.count)]

        habits = {"tags": tags, "max_registers": chance.randint(5, 40), "max_gap": chance.choice([0, 4, 20])}
        async with (
            SerialEquipment(tmp_path / "line", script) as line,
            source(line.path, {"m": device(**habits)}, timeout="200ms") as it,
        ):
            for _ in range(3):
                found = octets_of(await it.read())
                assert all(len(set(each)) == 1 for each in found)
                values += len(found)
    record_measure(f"{values} values of {LAYOUTS} layouts with a hole each: 0 of two requests")


BORDER = {"uint32": 1 << 16, "uint64": 1 << 16, "int64": 1 << 16, "bcd": 10_000}
"""Counts after which the second word moves."""


class Counting:
    """A counter's registers: some counts more at each look, and often past a border of words."""

    def __init__(self, wire: str, order: str) -> None:
        self.now = {"bcd": 10**8, "uint32": 1 << 16}.get(wire, 1 << 32) - 32  # more than one word moves first
        self.served: set[bytes] = set()
        self._chance = random.Random(wire + order)
        self._border = BORDER[wire]
        self._point = Point("energy", "holding", 0, wire, order, length=3 if wire == "bcd" else None)

    def __call__(self, *_: int) -> bytes:
        self.now += self._chance.choice((5, 9, 13))
        if 78 < self.now % self._border < self._border - 30:  # soon at the next border
            self.now += self._border - 30 - self.now % self._border
        lying = ordered(octets(replace(self._point, order="ABCD"), self.now), self._point.order)
        self.served.add(lying)
        return lying


@pytest.mark.fault("D10")
@pytest.mark.parametrize(
    ("wire", "order"), [(wire, ORDERS[(n + more) % 4]) for n, wire in enumerate(BORDER) for more in (0, 1)]
)
async def test_d10_a_counter_the_device_renews_between_its_words_brings_no_spike(
    wire: str, order: str, tmp_path: Path, record_measure
) -> None:
    """The lab's `torn`: every second word of most replies is of the moment before."""
    registers = Counting(wire, order)
    spoilt, torn = faulty("torn=0s@70%", seed=ORDERS.index(order)), [0]

    def script(request: frames.Request) -> Any:
        for step in spoilt(request):
            torn[0] += isinstance(step, bytes) and step[3:-2] not in registers.served
            yield step

    tags = {"energy": {"address": 0, "type": wire, "order": order, "counter": True}}
    if wire == "bcd":
        tags["energy"]["length"] = 3
    read = 0
    async with (
        SerialEquipment(tmp_path / "line", script, memory=registers) as line,
        source(line.path, {"m": device(tags=tags, max_registers=125)}, timeout="200ms") as it,
    ):
        last = -1
        for _ in range(int(80 + 600 * SCALE)):
            for value, quality in content(await it.scan("m")):
                if quality == GOOD:
                    assert last <= value <= registers.now, "neither a fall nor ahead of the device"
                    last, read = int(value), read + 1
    assert torn[0] >= 3
    record_measure(f"{read} readings of {wire} counters torn {torn[0]} times: no spike")


@pytest.mark.fault("D10")
@pytest.mark.parametrize(("moves", "most"), [("scan", 2), ("request", 3)])
async def test_d10_a_counter_that_is_faster_than_its_words_costs_a_request_or_two_more_and_is_had(
    moves: str, most: int, tmp_path: Path, record_measure
) -> None:
    """A million counts between two scans; what can't agree at all is taken as it is in the end."""
    now = [0]

    def count(_unit: int, _function: int, _address: int, registers: int) -> bytes:
        now[0] += 1_000_000 if moves == "request" else 0
        return now[0].to_bytes(8, "big").ljust(2 * registers, b"\0")

    tags: dict[str, Any] = {"fast": {"address": 0, "type": "uint64", "counter": True}}
    tags |= {"slow": {"address": 100, "type": "uint16", "count": 9}}
    async with (
        SerialEquipment(tmp_path / "line", honest, memory=count) as line,
        source(line.path, {"m": device(tags=tags, max_registers=125)}, timeout="200ms") as it,
    ):
        await it.scan("m")
        before = line.count
        for _ in range(5):
            now[0] += 1_000_000
            batch = await it.scan("m")
            assert {q for part in batch.parts for q in part.quality.tolist()} == {GOOD}
        asked = [request.address for request in line.requests[before:]]
    assert (asked.count(0), asked.count(100)) == (5 * most, 5)
    record_measure(f"a million counts a {moves}: {most} requests a scan instead of one")


@pytest.mark.fault("D10")
async def test_d10_the_first_reading_of_a_session_is_compared_with_the_last_of_the_one_before(
    tmp_path: Path, record_measure
) -> None:
    plans: Plans = {}
    torn, whole = bytes.fromhex("0000 0001 FFFF"), bytes.fromhex("0000 0001 0003")
    said = iter([bytes.fromhex("0000 0000 FFF0"), torn, whole, whole])

    def script(request: frames.Request) -> Any:
        return [frames.reply(request, b"\0\0" + next(said))]

    tags = {"energy": {"address": 0, "type": "uint64", "counter": True}}
    found = []
    async with SerialEquipment(tmp_path / "line", script) as line:
        for _ in range(2):
            async with source(line.path, {"m": device(tags=tags)}, plans=plans, timeout="200ms") as it:
                found += content(await it.scan("m"))
    assert found == [(0xFFF0, GOOD), (0x1_0003, GOOD)]
    record_measure("a torn first reading of a session: asked for again")
