"""A serial line of our own: sources on a pseudo-terminal, and what their batches say."""

import os
from pathlib import Path
from typing import Any

from config.connections import ModbusSerialSource
from connectors import Batch, SystemClock, TagTable
from connectors.modbus import Modbus
from connectors.modbus.serial import SerialPort
from connectors.modbus.source import Plans
from connectors.quality import GOOD
from gateway.lab.modbus import frames

SCALE = float(os.environ.get("WL_SCALE", "0.1"))


def source(
    path: Path, devices: dict[str, dict[str, Any]], *, plans: Plans | None = None, **options: Any
) -> Modbus:
    """Return a source with a short timeout on the line at this path."""
    defaults = {"baud": 115200, "timeout": "150ms", "quiet": "150ms"}
    read = ModbusSerialSource.model_validate(
        {"kind": "modbus_serial", "port": str(path), "devices": devices, **defaults, **options}
    )
    return Modbus(
        "line", read, SerialPort(read), site="site", tags=TagTable(), clock=SystemClock(), plans=plans
    )


def device(unit: int = 1, registers: int = 20, **options: Any) -> dict[str, Any]:
    """A device of ten requests with two registers each, unless told otherwise."""
    tags = {"v": {"address": 0, "type": "uint16", "count": registers}}
    return {"unit_id": unit, "scan": "10ms", "max_registers": 2, "tags": tags, **options}


def content(batch: Batch) -> list[tuple[float, int]]:
    (part,) = batch.parts
    return list(zip(part.value.tolist(), part.quality.tolist(), strict=True))


def qualities(batch: Batch) -> list[int]:
    return [quality for _, quality in content(batch)]


def assert_none_wrong(batch: Batch, unit: int = 1) -> None:
    """A Good row holds the register's own value; rows are in register order."""
    for address, (value, quality) in enumerate(content(batch)):
        if quality == GOOD:
            assert value == frames.register(unit, address)


def name_of(source: Modbus, batch: Batch) -> str:
    return source._tags[int(batch.parts[0].tag[0])].device.rpartition("/")[2]
