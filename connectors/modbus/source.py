"""A Modbus connection as a source: one batch is one scan of a device, or of its values of one interval."""

from config.connections import ModbusSerialSource, ModbusTcpSource
from connectors.clock import Clock
from connectors.line.source import Line, LineSource
from connectors.modbus.device import Device, Learned, planned
from connectors.tags import TagTable

Plans = dict[tuple[str, int], Learned]
"""How each device is asked, by name and interval."""


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
        plans: Plans | None = None,
    ) -> None:
        """Remember; `plans` is the same for every session of a source."""
        self._plans = {} if plans is None else plans
        hangs_up = isinstance(options, ModbusTcpSource) and options.hang_up
        super().__init__(
            name,
            options,
            line,
            lambda: self._planned(options),
            site=site,
            tags=tags,
            clock=clock,
            hangs_up=hangs_up,
        )

    def renew(self, options: ModbusTcpSource | ModbusSerialSource) -> bool:
        """Go on with these devices from the next scan."""
        self._renew(lambda: self._planned(options))
        return True

    def _planned(self, options: ModbusTcpSource | ModbusSerialSource) -> list[Device]:
        """Return the devices, asked as they were last where their options are the same."""
        before, made = self._plans.copy(), []
        self._plans.clear()
        for name, device in options.devices.items():
            for part in device.by_interval():
                known = before.get((name, part.scan))
                if known is None or known.options != part:
                    known = planned(part)
                self._plans[name, part.scan] = known
                made.append(Device(name, known))
        return made
