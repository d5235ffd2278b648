"""Modbus on serial lines: a port of this machine, or one behind a TCP server that hands bytes on."""

from config.connections import ModbusSerialSource, ModbusTcpSource
from connectors.line import serial
from connectors.line.serial import SHORTEST_GAP_NS
from connectors.line.serial_line import Manner, Pace, SerialLine
from connectors.modbus.framing import FRAMINGS
from connectors.modbus.tcp import TcpLine


class SerialServer(TcpLine):
    """RTU or ASCII over TCP. How fast the line behind it is is not known here."""

    def __init__(self, options: ModbusTcpSource) -> None:
        pace = Pace(0, SHORTEST_GAP_NS, options.pause, max(options.quiet, options.timeout))
        framing = FRAMINGS["ascii" if options.framing == "ascii" else "rtu"]
        manners: dict[bytes, Manner] = {}
        super().__init__(
            options, lambda clock, statistics: SerialLine(framing, pace, manners, clock, statistics)
        )


class SerialPort(serial.SerialPort):
    """RTU or ASCII on a port of this machine."""

    def __init__(self, options: ModbusSerialSource) -> None:
        super().__init__(options.port, options, FRAMINGS[options.framing])
