"""A register map that is wrong brings values that can not be, and the plant's limits say so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors import SystemClock
from connectors.quality import GOOD, UNCERTAIN_ENGINEERING_UNITS_EXCEEDED
from gateway.lab.modbus.line import SerialEquipment
from gateway.lab.modbus.meter import Meter, Point
from gateway.lab.modbus.replies import honest
from gateway.pipeline import ClockWatch, build_pipeline
from tests.faults.modbus.lab import device, source

LOW, HIGH = 180.0, 260.0
"""A voltage; the lab's is 230 V and a little."""
ORDERS = {16: ("ABCD", "BADC"), 32: ("ABCD", "CDAB", "BADC", "DCBA"), 64: ("ABCD", "CDAB", "BADC", "DCBA")}
TYPES = {"uint16": 16, "int16": 16, "uint32": 32, "int32": 32, "float32": 32, "uint64": 64, "float64": 64}
SCALE_OF_INTEGERS = 0.1


def maps() -> list[tuple[Point, dict[str, Any]]]:
    """Return what the device has, and every wrong way to read it: another order, one register on, a scale."""
    found: list[tuple[Point, dict[str, Any]]] = []
    for wire, bits in TYPES.items():
        scale = 1.0 if wire.startswith("float") else SCALE_OF_INTEGERS
        for order in ORDERS[bits]:
            point = Point("u", "holding", 4 * len(found), wire, order, scale, unit="V")
            found += [
                (point, {"type": wire, "order": read, "scale": scale})
                for read in ORDERS[bits]
                if read != order
            ]
            found += [
                (point, {"type": wire, "order": order, "scale": scale, "on": 1}),
                (point, {"type": wire, "order": order, "scale": scale * 10}),
                (point, {"type": wire, "order": order, "scale": -scale}),
            ]
    return found


@pytest.mark.fault("D7")
async def test_d7_no_value_of_a_wrong_map_is_good_within_limits(
    tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    cases = [
        (Point("u", "holding", 8 * n, p.type, p.order, p.scale, unit="V"), read)
        for n, (p, read) in enumerate(maps())
    ]
    tags = {
        f"u{n}": {
            "address": point.address + read.get("on", 0),
            "type": read["type"],
            "order": read["order"],
            "scale": read["scale"],
            "unit": "V",
            "limits": {"low": LOW, "high": HIGH},
        }
        for n, (point, read) in enumerate(cases)
    }
    meter = Meter({1: [point for point, _ in cases]}, clock=lambda: 0.0)
    async with (
        SerialEquipment(tmp_path / "line", honest, memory=meter) as line,
        source(line.path, {"m": device(tags=tags, max_registers=120)}) as it,
    ):
        batch = build_pipeline(it._tags, ClockWatch(SystemClock()))(await it.read())
    assert batch is not None
    quality = {
        it._tags[number].name: each
        for part in batch.parts
        for number, each in zip(part.tag.tolist(), part.quality.tolist(), strict=True)
    }
    assert len(quality) == len(cases)
    unseen = [cases[int(name[1:])] for name, each in quality.items() if each == GOOD]
    assert not unseen
    flagged = sum(each == UNCERTAIN_ENGINEERING_UNITS_EXCEEDED for each in quality.values())
    record_measure(
        f"{len(cases)} wrong maps of a voltage with limits: {flagged} beyond them, "
        f"{len(cases) - flagged} no number, 0 good"
    )
