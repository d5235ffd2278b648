"""A Modbus TCP server that answers by script, in the order of the requests, like a device with one mind."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from gateway.lab.modbus.frames import Memory, Request, known
from gateway.lab.modbus.replies import Away, Script


@dataclass(slots=True)
class TcpEquipment:
    """Serves while entered; every unit id is answered."""

    script: Script
    host: str = "127.0.0.1"
    port: int = 0
    memory: Memory = known
    most_connections: int = 1000
    """Further ones are closed at once, as small devices do."""
    keep: bool = True
    """False: requests are not remembered, for long runs."""
    requests: list[Request] = field(default_factory=list)
    count: int = 0
    connections: int = 0
    open: int = 0
    _server: asyncio.Server | None = None
    _serving: set["asyncio.Task[None]"] = field(default_factory=set)
    _restarting: "asyncio.Task[None] | None" = None

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._restarting is not None:
            self._restarting.cancel()
            await asyncio.gather(self._restarting, return_exceptions=True)
        await self.cut()

    async def _restart(self, seconds: float) -> None:
        await self.cut()
        await asyncio.sleep(seconds)
        await self.mend()

    async def mend(self) -> None:
        """Listen again on the same port."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        self.open += 1
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
        try:
            if self.open <= self.most_connections:
                await self._converse(reader, writer, number)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            if task is not None:
                self._serving.discard(task)
            writer.transport.abort()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> None:
        began = time.monotonic()
        while True:
            head = await reader.readexactly(6)
            raw = head + await reader.readexactly(int.from_bytes(head[4:6], "big"))
            if len(raw) < 12:
                return
            transaction, address, count = (int.from_bytes(raw[i : i + 2], "big") for i in (0, 8, 10))
            now = time.monotonic()
            request = Request(
                raw[6],
                raw[7],
                address,
                count,
                self.count,
                "tcp",
                raw,
                now,
                transaction,
                connection,
                now - began,
                self.memory,
            )
            self.count += 1
            if self.keep:
                self.requests.append(request)
            for step in self.script(request):
                if step is None:
                    return
                if isinstance(step, Away):
                    if self._restarting is None or self._restarting.done():
                        self._restarting = asyncio.create_task(self._restart(step.seconds))
                    return
                if isinstance(step, bytes):
                    writer.write(step)
                    with contextlib.suppress(ConnectionError):
                        await writer.drain()
                else:
                    await asyncio.sleep(step)
