"""A Modbus connection as a source: one batch is one scan of a device, or of its values of one interval."""

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
        hangs_up = isinstance(options, ModbusTcpSource) and options.hang_up
        super().__init__(
            name,
            options,
            line,
            lambda: _devices(options),
            site=site,
            tags=tags,
            clock=clock,
            hangs_up=hangs_up,
        )

    def renew(self, options: ModbusTcpSource | ModbusSerialSource) -> bool:
        """Go on with these devices from the next scan."""
        self._renew(lambda: _devices(options))
        return True


def _devices(options: ModbusTcpSource | ModbusSerialSource) -> list[Device]:
    return [Device(name, part) for name, device in options.devices.items() for part in device.by_interval()]
