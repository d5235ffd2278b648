"""How busy a connection will be, before anything is wired: bytes, silences and the devices' own delay."""

from config.connections import ModbusDevice, ModbusSerialSource, ModbusTcpSource
from connectors.line.serial import pace_of
from connectors.modbus.framing import FRAMINGS
from connectors.modbus.plan import plan_requests, values_of

_ASKING = 6
"""Unit, function, address and count."""
_ANSWERING = 3
"""Unit, function and byte count, before the data."""


def line_load(options: ModbusSerialSource | ModbusTcpSource, delay: int | None = None) -> float:
    """Return the share of its time a connection needs for all its scans; above 1, scans fall out.

    It adds up the bytes on the wire, the silences between frames and what each device takes before it
    answers: its own `reply`, or `delay` for all, ns. Over TCP bytes cost nothing; how long they take on the
    line behind a serial server is not known here.
    """
    return sum(
        _cost(options, part, part.reply if delay is None else delay) / part.scan
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
