"""How busy a serial line will be, before anything is wired: bytes, silences and the devices' own delay."""

from config.connections import ModbusSerialSource
from connectors.modbus.framing import FRAMINGS
from connectors.modbus.plan import plan_requests, values_of
from connectors.modbus.serial import pace_of

_ASKING = 6
"""Unit, function, address and count."""
_ANSWERING = 3
"""Unit, function and byte count, before the data."""


def line_load(options: ModbusSerialSource, delay: int = 0) -> float:
    """Return the share of its time a line needs for all its scans; above 1, scans fall out.

    `delay` is what a device takes before it answers, ns. With 0 it is the least there can be: the bytes on
    the wire and the silences between frames, every request answered at once.
    """
    pace, framing = pace_of(options), FRAMINGS[options.framing]
    load = 0.0
    for device in options.devices.values():
        cost = sum(
            (framing.size(_ASKING) + framing.size(_ANSWERING + request.payload)) * pace.character
            + pace.gap
            + pace.pause
            + delay
            for request in plan_requests(device, values_of(device))
        )
        load += cost / device.scan
    return load
