"""What a line is said to need is what it then takes."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.connections import ModbusSerialSource
from config.load import read_plant
from connectors import TagTable
from connectors.modbus import Modbus
from connectors.modbus.forecast import line_load
from connectors.quality import GOOD
from gateway.forecast import foretold
from tests.conftest import FakeClock
from tests.faults.modbus.test_silence import THINKS_NS, FakePort
from tests.plants import modbus_sources

MINUTE_NS = 60_000_000_000


def line(devices: int, scan: str, **options: Any) -> ModbusSerialSource:
    tags = {"v": {"address": 0, "type": "float32", "count": 20}, "w": {"address": 200, "count": 3}}
    made = {f"m{u}": {"unit_id": u, "scan": scan, "tags": tags} for u in range(1, devices + 1)}
    return ModbusSerialSource.model_validate(
        {"kind": "modbus_serial", "port": "line", "devices": made, **options}
    )


@pytest.mark.parametrize(
    ("devices", "options"),
    [
        (10, {"baud": 9600}),
        (30, {"baud": 19200, "parity": "even"}),
        (5, {"baud": 2400}),
        (10, {"baud": 9600, "framing": "ascii"}),
        (10, {"baud": 115200, "pause": "20ms"}),
    ],
)
async def test_the_time_of_a_cycle_is_foretold_within_fifteen_percent(
    devices: int, options: dict[str, Any]
) -> None:
    busy = line(devices, "10ms", **options)  # asked for without a rest: a cycle takes what it takes
    clock, port = FakeClock(), FakePort(busy, set())
    it = Modbus("line", busy, port, site="s", tags=TagTable(), clock=clock)  # type: ignore[arg-type]
    scans = 0
    async with it:
        while clock.steady < 5 * MINUTE_NS:
            batch = await it.read()
            assert {quality for part in batch.parts for quality in part.quality.tolist()} == {GOOD}
            scans += 1
    measured = clock.steady / (scans / devices)
    foretold = line_load(busy, THINKS_NS) * 10_000_000
    assert foretold == pytest.approx(measured, rel=0.15)


def test_a_line_that_can_not_do_it_is_told_with_what_it_needs(tmp_path: Path) -> None:
    file = tmp_path / "plant.json"
    port = {"kind": "modbus_serial", "port": "/dev/ttyUSB0"}
    tags = {"v": {"address": 0, "type": "float32", "count": 60}}
    devices = {"m_{1..10}": {"scan": "1s", "tags": tags}}
    sources = {
        "slow": {**port, "devices": devices},
        "fast": {
            **port,
            "port": "/dev/ttyUSB1",
            "baud": 115200,
            "devices": {"q_{1..10}": devices["m_{1..10}"]},
        },
        "meters": {
            "kind": "dlt645",
            "port": "/dev/ttyUSB2",
            "devices": {
                "e": {
                    "address": "000000000001",
                    "scan": "1s",
                    "reply": "1.2s",
                    "tags": {"u": {"di": "02010100"}},
                }
            },
        },
        "plc": {
            "kind": "modbus_tcp",
            "host": "127.0.0.1",
            "devices": {
                "old": {"scan": "1s", "reply": "300ms", "max_registers": 30, "tags": tags},
                "new": {"unit_id": 2, "scan": "1s", "max_registers": 30, "tags": tags},
            },
        },
        **modbus_sources([1502], 10, "1s"),
    }
    file.write_text(json.dumps({"gateway": {"id": "g", "site": "s"}, "sources": sources}))
    outcome = foretold(read_plant(file))
    assert outcome.plant is not None
    told = {p.path: (p.args["needed"], p.args["asked"]) for p in outcome.problems if p.code == "W-LN-0001"}
    assert told == {
        # Ten times 8 + 245 bytes of 10 bits and a gap of 35 bits, at 9600 bits a second, and 20 ms each.
        "sources.slow": ("2.9", "1"),
        # 20 + 18 bytes of 11 bits, with the gap 0.19 s at 2400 bits a second, behind the meter's own 1.2 s.
        "sources.meters": ("1.4", "1"),
        # Four requests of 0.3 s and four of 20 ms.
        "sources.plc": ("1.3", "1"),
    }
    assert foretold(outcome).problems == outcome.problems
