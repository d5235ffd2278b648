"""Modbus over a TCP connection."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from config.connections import ModbusTcpSource
from connectors.clock import Clock
from connectors.modbus.dialogue import Dialogue
from connectors.modbus.exchange import Exchange
from connectors.modbus.mbap import Transactions
from connectors.modbus.statistics import Statistics
from connectors.unreachable import unreachable

log = logging.getLogger(__name__)

MakeDialogue = Callable[[Clock, Statistics], Dialogue]


class TcpLine:
    """Host and port, and what is spoken there."""

    def __init__(self, options: ModbusTcpSource, make: MakeDialogue | None = None) -> None:
        self.peer = f"{options.host}:{options.port}"
        self._options = options
        self._make: MakeDialogue = make or (
            lambda clock, statistics: Transactions(clock, statistics, options.pause)
        )

    async def connect(self, clock: Clock, statistics: Statistics) -> Exchange:
        """Return the exchange over a new connection, to the backup when the first address can't be reached.

        Raises NotConnected, which tells of the first. Each address is given the timeout once.
        """
        options = self._options
        try:
            return await self._connect(options.host, options.port, self.peer, clock, statistics)
        except OSError as exc:
            if options.backup_host is not None:
                port = options.backup_port or options.port
                peer = f"{options.backup_host}:{port}"
                with contextlib.suppress(OSError):
                    exchange = await self._connect(options.backup_host, port, peer, clock, statistics)
                    log.warning("connected to the backup address", extra={"peer": self.peer, "backup": peer})
                    return exchange
            raise unreachable(self.peer, exc) from exc

    async def _connect(
        self, host: str, port: int, peer: str, clock: Clock, statistics: Statistics
    ) -> Exchange:
        async with asyncio.timeout(self._options.timeout / 1e9):
            _, exchange = await asyncio.get_running_loop().create_connection(
                lambda: Exchange(peer, clock, self._make(clock, statistics)), host, port
            )
        return exchange
