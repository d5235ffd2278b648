"""No value is put together from two moments: not over two replies, and no counter within one."""

import random
from pathlib import Path
from typing import Any

import pytest

from connectors import Batch
from connectors.quality import GOOD
from gateway.lab.modbus import frames
from gateway.lab.modbus.line import SerialEquipment
from gateway.lab.modbus.replies import exception
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


@pytest.mark.fault("D10")
@pytest.mark.parametrize("order", ORDERS)
async def test_d10_a_counter_the_device_renews_between_its_words_brings_no_spike(
    order: str, tmp_path: Path, record_measure
) -> None:
    """Half of the replies that pass a border of words have one word of before it, either one."""
    chance = random.Random(order)
    torn = [0]
    state = {"now": 0xFFE0}

    def script(request: Any) -> Any:
        before = state["now"]
        now = state["now"] = before + 9
        high, low = now >> 16, now & 0xFFFF
        if before >> 16 != high and chance.random() < 0.7:
            torn[0] += 1
            high, low = (high, before & 0xFFFF) if chance.random() < 0.5 else (before >> 16, low)
            state["now"] = now
        whole = dict(zip("ABCD", (high << 16 | low).to_bytes(4, "big"), strict=True))
        if now & 0xFFFF > 0x60:  # soon at the next border
            state["now"] = (now | 0xFFFF) - 0x40 if now & 0xFFFF < 0xFF00 else now
        return [frames.reply(request, bytes(whole[letter] for letter in order))]

    tags = {"energy": {"address": 0, "type": "uint32", "order": order, "counter": True}}
    read = 0
    async with (
        SerialEquipment(tmp_path / "line", script) as line,
        source(line.path, {"m": device(tags=tags)}, timeout="200ms") as it,
    ):
        last = -1.0
        for _ in range(int(60 + 600 * SCALE)):
            for value, quality in content(await it.read()):
                if quality == GOOD:
                    assert last <= value <= state["now"], "neither a fall nor ahead of the device"
                    last, read = value, read + 1
    assert torn[0] >= 3
    record_measure(f"{read} readings of a counter torn {torn[0]} times: no spike")
