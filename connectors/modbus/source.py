"""A Modbus connection as a source: one batch is one scan of one device."""

from config.connections import ModbusSerialSource, ModbusTcpSource
from connectors.clock import Clock
from connectors.line.source import Line, LineSource
from connectors.modbus.device import Device
from connectors.tags import TagTable


class Modbus(LineSource):
    """A source of the Modbus devices behind one connection, over whatever line."""

    def __init__(
        self,
        name: str,
        options: ModbusTcpSource | ModbusSerialSource,
        line: Line,
        *,
        site: str,
        tags: TagTable,
        clock: Clock,
    ) -> None:
        def make() -> list[Device]:
            return [Device(each, device) for each, device in options.devices.items()]

        hangs_up = isinstance(options, ModbusTcpSource) and options.hang_up
        super().__init__(name, options, line, make, site=site, tags=tags, clock=clock, hangs_up=hangs_up)
