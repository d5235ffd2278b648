"""How busy a connection will be, before anything is wired: bytes, silences and the devices' own delay."""

from config.connections import ModbusDevice, ModbusSerialSource, ModbusTcpSource
from connectors.line.serial import pace_of
from connectors.modbus.framing import FRAMINGS
from connectors.modbus.plan import plan_requests, values_of

_ASKING = 6
"""Unit, function, address and count."""
_ANSWERING = 3
"""Unit, function and byte count, before the data."""


def line_load(options: ModbusSerialSource | ModbusTcpSource, delay: int = 0) -> float:
    """Return the share of its time a connection needs for all its scans; above 1, scans fall out.

    `delay` is what a device takes before it answers, ns. With 0 it is the least there can be: the bytes on
    the wire and the silences between frames, every request answered at once. Over TCP bytes cost nothing,
    so without a delay only the pauses are known; how long a line behind a serial server takes is not.
    """
    return sum(
        _cost(options, part, delay) / part.scan
        for device in options.devices.values()
        for part in device.by_interval()
    )


def _cost(options: ModbusSerialSource | ModbusTcpSource, device: ModbusDevice, delay: int) -> float:
    requests = plan_requests(device, values_of(device))
    if isinstance(options, ModbusTcpSource):
        # However many are in flight, the device answers one after the other.
        return len(requests) * (delay + options.pause)
    pace, framing = pace_of(options), FRAMINGS[options.framing]
    return sum(
        (framing.size(_ASKING) + framing.size(_ANSWERING + request.payload)) * pace.character
        + pace.gap
        + pace.pause
        + delay
        for request in requests
    )
