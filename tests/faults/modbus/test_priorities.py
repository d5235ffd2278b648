"""A line that is asked for more than it can do keeps its fast devices fast."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from connectors.quality import GOOD
from gateway.lab.modbus import replies as faults
from gateway.lab.modbus.frames import register
from gateway.lab.modbus.line import SerialEquipment
from tests.faults.modbus.lab import SCALE, assert_none_wrong, device, name_of, qualities, source

SLOW = 12
SCANS = int(30 + 300 * SCALE)


@pytest.mark.fault("D12")
async def test_d12_on_a_line_that_can_not_do_it_all_the_fast_device_goes_first(
    tmp_path: Path, record_measure
) -> None:
    """Each answer takes 40 ms: one device every 100 ms and twelve a second are more than there is."""
    devices = {f"slow{n}": device(n, 2, scan="1s") for n in range(2, SLOW + 2)}
    devices["fast"] = device(1, 2, scan="100ms")
    counted: Counter[str] = Counter()
    async with (
        asyncio.timeout(60),
        SerialEquipment(tmp_path / "line", faults.late(0.04)) as line,
        source(line.path, devices, timeout="400ms") as it,
    ):
        for _ in range(SCANS):
            batch = await it.read()
            name = name_of(it, batch)
            unit = 1 if name == "fast" else int(name[4:])
            assert_none_wrong(batch, unit)
            counted[name] += set(qualities(batch)) == {GOOD}
    slowest = min(counted[f"slow{n}"] for n in range(2, SLOW + 2))
    fastest = max(counted[f"slow{n}"] for n in range(2, SLOW + 2))
    assert slowest >= 1
    assert counted["fast"] > 6 * fastest
    record_measure(
        f"of {SCANS} scans the fast device had {counted['fast']}, slow ones {slowest} to {fastest} each"
    )


@pytest.mark.fault("D12")
async def test_d12_the_values_of_one_device_that_are_asked_for_often_go_before_its_others(
    tmp_path: Path, record_measure
) -> None:
    """Each answer takes 40 ms: ten a second and sixteen in a second and a half fill the line."""
    fast, slow = {"address": 0, "type": "uint16"}, {"address": 100, "type": "uint16", "count": 32}
    tags = {"fast": fast | {"scan": "100ms"}, "slow": slow | {"scan": "1500ms"}}
    counted: Counter[str] = Counter()
    async with (
        asyncio.timeout(60),
        SerialEquipment(tmp_path / "line", faults.late(0.04)) as line,
        source(line.path, {"m": device(1, tags=tags)}, timeout="400ms") as it,
    ):
        assert it.devices() == ["m"]
        for _ in range(SCANS // 3):
            batch = await it.read()
            (part,) = batch.parts
            first = 0 if it._tags[int(part.tag[0])].name == "fast" else 100
            for row, (value, quality) in enumerate(zip(part.value, part.quality, strict=True)):
                assert quality == GOOD
                assert value == register(1, first + row)
            counted["slow" if first else "fast"] += 1
        whole = await it.scan("m")
    asked = Counter(request.address for request in line.requests)
    assert len(whole) == 33, "a person who looks gets all of it"
    assert counted["slow"] >= 1
    assert counted["fast"] > 2 * counted["slow"]
    assert asked[0] > 2 * asked[100]
    record_measure(f"values every 100 ms were asked for {asked[0]} times, their device's others {asked[100]}")
