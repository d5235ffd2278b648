"""A TCP proxy before any server, whose network can be made bad by data and while it runs.

    async with Proxy("192.168.1.5", 502, weather=Weather(latency=0.2)) as proxy:
        …proxy.port…
        proxy.weather = proxy.weather.changed(black_hole=True)

Each direction of a connection has a reader that stamps what it reads with the time it may leave, and a writer
that lets it go then: latency does not lower the throughput, bandwidth does. At most `HELD` pieces wait, then
the reader waits too and the sender's window fills, as behind a slow line.
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Literal, Self

from gateway.lab.weather import Change, Way, Weather

PIECE: Final = 16_384
HELD: Final = 64
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 s: closing sends RST."""


class Proxy:
    """Listens while entered and passes everything to the target and back."""

    def __init__(
        self,
        host: str,
        target: int,
        *,
        listen: str = "127.0.0.1",
        port: int = 0,
        weather: Weather | None = None,
        script: Iterable[Change] = (),
        seed: int = 0,
    ) -> None:
        self.host = host
        self.target = target
        self.listen = listen
        self.port = port
        self.weather = weather or Weather()
        self.connections = 0
        """Ever made."""
        self.octets = {"up": 0, "down": 0}
        """Passed on, by direction."""
        self._script = sorted(script, key=lambda change: change.at)
        self._seed = seed
        self._server: asyncio.Server | None = None
        self._pairs: dict[asyncio.Task[None], _Pair] = {}
        self._player: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.mend()
        if self._script:
            self._player = asyncio.create_task(self._play())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._player is not None:
            self._player.cancel()
            await asyncio.gather(self._player, return_exceptions=True)
        await self.cut()

    async def mend(self) -> None:
        """Listen, again on the same port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, self.listen, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End every connection and refuse new ones, as with the cable out and the server's host up."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._end()

    async def reset(self) -> None:
        """Reset every connection; new ones are taken."""
        for pair in self._pairs.values():
            pair.to_be_reset()
        await self._end()

    async def abandon(self) -> None:
        """End the far side of every connection without telling the near one: it is half open."""
        for pair in self._pairs.values():
            pair.abandoned = True
            if pair.far is not None:
                pair.far.transport.abort()

    async def apply(self, change: Change) -> None:
        """Do what a line of a script or of the control socket says; ValueError for what it can not."""
        self.weather = self.weather.changed(**change.settings)
        if change.do is not None:
            await getattr(self, change.do)()

    @property
    def open(self) -> int:
        """Connections there are now."""
        return len(self._pairs)

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for change in self._script:
            await asyncio.sleep(max(0.0, began + change.at - loop.time()))
            await self.apply(change)

    async def _end(self) -> None:
        passing = list(self._pairs)
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self.connections += 1
        pair = _Pair(self, writer, random.Random(f"{self._seed}/{self.connections}"))
        self._pairs[task] = pair
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await pair.passing(reader)
        finally:
            del self._pairs[task]
            pair.close()


class _Pair:
    """One connection: near is the client's side, far the equipment's."""

    def __init__(self, proxy: Proxy, near: asyncio.StreamWriter, chance: random.Random) -> None:
        self.near = near
        self.far: asyncio.StreamWriter | None = None
        self.abandoned = False
        self._proxy = proxy
        self._chance = chance
        self._passed = 0

    async def passing(self, near_reader: asyncio.StreamReader) -> None:
        """Pass everything until both sides have ended or one is lost."""
        try:
            far_reader, self.far = await asyncio.open_connection(self._proxy.host, self._proxy.target)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass("up", near_reader, self.far))
                group.create_task(self._pass("down", far_reader, self.near))
        except* OSError:
            pass  # the side that is left is closed by whoever waits for this

    async def _pass(
        self, name: Literal["up", "down"], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        way = Way(name, lambda: self._proxy.weather, self._chance)
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD)
        async with asyncio.TaskGroup() as group:
            leaving = group.create_task(self._leave(name, way, waiting, writer))
            loop = asyncio.get_running_loop()
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(PIECE):
                    await waiting.put((way.due(loop.time(), len(data)), data))
            await waiting.put((0.0, b""))
            await leaving

    async def _leave(
        self,
        name: Literal["up", "down"],
        way: Way,
        waiting: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await waiting.get()
            if not data:
                break
            await asyncio.sleep(max(0.0, due - loop.time()))
            with contextlib.suppress(ConnectionError):
                await way.passed(data, writer)
            self._proxy.octets[name] += len(data)
            self._passed += len(data)
            if 0 < self._proxy.weather.reset_after <= self._passed:
                self.to_be_reset()
                raise ConnectionResetError
        if self.abandoned or self._proxy.weather.half_open:
            await loop.create_future()  # until the proxy is left or cut
        writer.close()

    def to_be_reset(self) -> None:
        for writer in (self.near, self.far):
            known = None if writer is None else writer.get_extra_info("socket")
            if known is not None:
                with contextlib.suppress(OSError):
                    known.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def close(self) -> None:
        for writer in (self.near, self.far):
            if writer is not None:
                writer.transport.abort()
