"""Modbus over a TCP connection."""

from config.connections import ModbusTcpSource
from connectors.line import tcp
from connectors.modbus.mbap import Transactions


class TcpLine(tcp.TcpLine):
    """Host and port, and what is spoken there."""

    def __init__(self, options: ModbusTcpSource, make: tcp.MakeDialogue | None = None) -> None:
        backup = None
        if options.backup_host is not None:
            backup = options.backup_host, options.backup_port or options.port
        super().__init__(
            options.host,
            options.port,
            options.timeout,
            make or (lambda clock, statistics: Transactions(clock, statistics, options.pause)),
            backup,
        )
