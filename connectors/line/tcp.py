"""A line behind a TCP connection."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from connectors.clock import Clock
from connectors.line.dialogue import Dialogue
from connectors.line.exchange import Exchange
from connectors.line.statistics import Statistics
from connectors.reach import first_that_answers
from connectors.unreachable import unreachable

log = logging.getLogger(__name__)

MakeDialogue = Callable[[Clock, Statistics], Dialogue]


class TcpLine:
    """Host and port, and what is spoken there."""

    def __init__(
        self, host: str, port: int, timeout: int, make: MakeDialogue, backup: tuple[str, int] | None = None
    ) -> None:
        self.peer = f"{host}:{port}"
        self._host = host
        self._port = port
        self._timeout = timeout
        self._make = make
        self._backup = backup

    async def connect(self, clock: Clock, statistics: Statistics) -> Exchange:
        """Return the exchange over a new connection, to the backup when the first address can't be reached.

        Raises NotConnected, which tells of the first. Each address is given the timeout once.
        """
        try:
            return await self._connect(self._host, self._port, self.peer, clock, statistics)
        except OSError as exc:
            if self._backup is not None:
                host, port = self._backup
                peer = f"{host}:{port}"
                with contextlib.suppress(OSError):
                    exchange = await self._connect(host, port, peer, clock, statistics)
                    log.warning("connected to the backup address", extra={"peer": self.peer, "backup": peer})
                    return exchange
            raise unreachable(self.peer, exc) from exc

    async def _connect(
        self, host: str, port: int, peer: str, clock: Clock, statistics: Statistics
    ) -> Exchange:
        async def connect(address: str) -> Exchange:
            _, exchange = await asyncio.get_running_loop().create_connection(
                lambda: Exchange(peer, clock, self._make(clock, statistics)), address, port
            )
            return exchange

        async with asyncio.timeout(self._timeout / 1e9):
            return await first_that_answers(host, port, connect)
