"""Modbus devices on a serial line that answer by script, over a pseudo-terminal; POSIX only.

Each unit id is a device with one mind: it answers its requests one after the other, however late.
"""

import asyncio
import contextlib
import os
import pty
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from gateway.lab.modbus.frames import Memory, Request, crc, known
from gateway.lab.modbus.replies import Away, Script


@dataclass(slots=True)
class SerialEquipment:
    """A serial line with every unit id on it, while entered."""

    path: Path
    """A link, made and removed here, so that a line that was cut comes back under its name."""
    script: Script
    framing: Literal["rtu", "ascii"] = "rtu"
    memory: Memory = known
    requests: list[Request] = field(default_factory=list)
    keep: bool = True
    """False: requests are not remembered, for long runs."""
    count: int = 0
    clock: Callable[[], float] = time.monotonic
    through: Callable[[bytes], None] | None = None
    """Where the line's bytes go instead of the terminal."""
    _ends: tuple[int, int] | None = None
    _rest: bytes = b""
    _minds: dict[int, asyncio.Queue[Request]] = field(default_factory=dict)
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self.mend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def mend(self) -> None:
        """Plug the line in."""
        ours, theirs = pty.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._ends = ours, theirs
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(theirs))
        self._rest = b""
        asyncio.get_running_loop().add_reader(ours, self._read)

    def cut(self) -> None:
        """Unplug it: whoever has it open reads an error, and its name is gone."""
        if self._ends is not None:
            asyncio.get_running_loop().remove_reader(self._ends[0])
            for end in self._ends:
                os.close(end)
            self._ends = None
            self.path.unlink(missing_ok=True)

    def send(self, data: bytes) -> None:
        """Put bytes on the line, asked or not."""
        if self.through is not None:
            self.through(data)
        elif self._ends is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._ends[0], data)

    def _read(self) -> None:
        if self._ends is not None:
            with contextlib.suppress(OSError):  # nobody has it open
                self.hear(os.read(self._ends[0], 4096))

    def hear(self, data: bytes) -> None:
        """Take what was sent on the line."""
        self._rest += data
        while (request := self._next()) is not None:
            self.count += 1
            if self.keep:
                self.requests.append(request)
            if request.unit not in self._minds:
                self._minds[request.unit] = asyncio.Queue()
                self._tasks.append(asyncio.create_task(self._mind(self._minds[request.unit])))
            self._minds[request.unit].put_nowait(request)

    def _next(self) -> Request | None:
        if self.framing == "ascii":
            while True:
                line, end, rest = self._rest.partition(b"\r\n")
                if not end:
                    return None
                self._rest = rest
                content = _content(line)
                if content is not None:
                    return self._request(content, line + end)
        while len(self._rest) >= 8:
            raw = self._rest[:8]
            if crc(raw[:6]) == raw[6:]:
                self._rest = self._rest[8:]
                return self._request(raw[:6], raw)
            self._rest = self._rest[1:]
        return None

    def _request(self, content: bytes, raw: bytes) -> Request:
        address, count = (int.from_bytes(content[i : i + 2], "big") for i in (2, 4))
        return Request(
            content[0],
            content[1],
            address,
            count,
            self.count,
            self.framing,
            raw,
            self.clock(),
            memory=self.memory,
        )

    async def _mind(self, asked: asyncio.Queue[Request]) -> None:
        while True:
            request = await asked.get()
            for step in self.script(request):
                if step is None:
                    self.cut()
                elif isinstance(step, Away):
                    if self._ends is not None:  # another device of the line has not taken it away
                        self.cut()
                        await asyncio.sleep(step.seconds)
                        self.mend()
                elif isinstance(step, bytes):
                    self.send(step)
                else:
                    await asyncio.sleep(step)


def _content(line: bytes) -> bytes | None:
    """Return unit, function, address and count of an ASCII frame; None for anything else."""
    try:
        content = bytes.fromhex(line[1:].decode("ascii"))
    except ValueError:
        return None
    return content[:-1] if line[:1] == b":" and len(content) == 7 and not sum(content) & 0xFF else None


@dataclass(slots=True)
class SerialServer:
    """A serial server: what comes over TCP goes on the line as it is, and back."""

    line: SerialEquipment
    host: str = "127.0.0.1"
    port: int = 0
    _server: asyncio.Server | None = None
    clients: set[asyncio.Transport] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.cut()
        await self.line.__aexit__(kind, exc, tb)

    async def mend(self) -> None:
        """Listen again on the same port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
        for client in list(self.clients):
            client.abort()


class _Client(asyncio.Protocol):
    def __init__(self, server: SerialServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._server.clients.add(transport)
            self._server.line.through = transport.write

    def data_received(self, data: bytes) -> None:
        self._server.line.hear(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._server.clients.discard(self._transport)
