"""Modbus on a serial line: the port and how it is set, the devices on it."""

from typing import Annotated, Literal

from pydantic import Field

from config.base import DeviceName
from config.connections.modbus_tcp import ModbusDevice
from config.connections.serial_terms import SerialTerms


class ModbusSerialSource(SerialTerms):
    """A serial line (RS-485, RS-232) with Modbus devices; this gateway is the only one that asks on it."""

    kind: Literal["modbus_serial"]
    port: Annotated[str, Field(min_length=1)]
    """``/dev/ttyUSB0``, better ``/dev/serial/by-id/…``, which survives replugging; ``COM3`` on Windows."""
    framing: Literal["rtu", "ascii"] = "rtu"
    data_bits: Literal[7, 8] = 8
    """7 only with framing ascii."""
    devices: Annotated[dict[DeviceName, ModbusDevice], Field(min_length=1)]
    """By name. ``meter_{1..30}`` stands for thirty devices alike: the first has the `unit_id` that is
    written, each further one the next."""
