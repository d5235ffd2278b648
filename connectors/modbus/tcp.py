"""Modbus over a TCP connection."""

import asyncio
from collections.abc import Callable

from config.connections import ModbusTcpSource
from connectors.clock import Clock
from connectors.modbus.dialogue import Dialogue
from connectors.modbus.exchange import Exchange
from connectors.modbus.mbap import Transactions
from connectors.modbus.statistics import Statistics
from connectors.unreachable import unreachable

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
        """Return the exchange over a new connection, or raise NotConnected; never longer than the timeout."""
        timeout_s = self._options.timeout / 1e9
        try:
            async with asyncio.timeout(timeout_s):
                _, exchange = await asyncio.get_running_loop().create_connection(
                    lambda: Exchange(self.peer, clock, self._make(clock, statistics)),
                    self._options.host,
                    self._options.port,
                )
        except OSError as exc:
            raise unreachable(self.peer, exc) from exc
        return exchange
