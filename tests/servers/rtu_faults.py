"""Modbus devices on a serial line that misbehave by script, over a pseudo-terminal.

    line = FaultyLine(path, script)        path: a link that leads to the terminal; script(request) -> steps
    async with line: …open path…

A step is bytes to send, a float to wait (seconds) or CUT, which takes the line away. Each unit id is a device
with one mind: it answers its requests one after the other, however late. Register a of unit u holds
(37 a + 1000 u) mod 65536; coil a is set when a mod 3 is 0.
"""

import asyncio
import contextlib
import os
import pty
import time
import tty
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

CUT: Final = None
Step = bytes | float | None
Steps = Iterable[Step]


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked, how it was framed, and the how-manieth request it was."""

    unit: int
    function: int
    address: int
    count: int
    number: int
    raw: bytes
    text: bool
    asked: float
    """When the line's clock says it was asked, s."""


Script = Callable[[Request], Steps]


def register(unit: int, address: int) -> int:
    return (37 * address + 1000 * unit) % 65536


def crc(data: bytes) -> bytes:
    """Return the check of an RTU frame, computed bit by bit as the specification's appendix B draws it."""
    value = 0xFFFF
    for octet in data:
        value ^= octet
        for _ in range(8):
            value, low = value >> 1, value & 1
            if low:
                value ^= 0xA001
    return bytes((value & 0xFF, value >> 8))


def frame(content: bytes, *, text: bool = False) -> bytes:
    """Return unit, function and data as a frame."""
    if text:
        return b":" + (content + bytes((-sum(content) & 0xFF,))).hex().upper().encode() + b"\r\n"
    return content + crc(content)


def data_of(request: Request, shift: int = 0) -> bytes:
    """Return the reply's data; `shift` serves other registers than those asked for."""
    first = request.address + shift
    if request.function in (1, 2):
        octets = bytearray((request.count + 7) // 8)
        for i in range(request.count):
            octets[i // 8] |= ((first + i) % 3 == 0) << i % 8
        return bytes(octets)
    return b"".join(register(request.unit, first + i).to_bytes(2, "big") for i in range(request.count))


def reply(
    request: Request,
    data: bytes | None = None,
    *,
    unit: int | None = None,
    function: int | None = None,
    size: int | None = None,
) -> bytes:
    """Return a reply with a right check, whatever else is wrong with it."""
    body = data_of(request) if data is None else data
    head = bytes(
        (
            request.unit if unit is None else unit,
            request.function if function is None else function,
            len(body) if size is None else size,
        )
    )
    return frame(head + body, text=request.text)


def honest(request: Request) -> Steps:
    return [reply(request)]


def silent(request: Request) -> Steps:  # noqa: ARG001
    return []


def late(seconds: float) -> Script:
    return lambda request: [seconds, reply(request)]


def wrong_unit(request: Request) -> Steps:
    return [reply(request, data_of(request, 1), unit=request.unit ^ 1)]


def wrong_function(request: Request) -> Steps:
    return [reply(request, data_of(request, 1), function=request.function ^ 7)]


def short(request: Request) -> Steps:
    """A whole frame with one register too few, and saying so."""
    return [reply(request, data_of(request)[:-2])]


def long(request: Request) -> Steps:
    """A whole frame with one register too many, and saying so."""
    return [reply(request, data_of(request) + b"\x7f\xff")]


def lying_byte_count(request: Request) -> Steps:
    """The right byte count before too much data, the check right for all of it."""
    data = data_of(request)
    return [reply(request, data + b"\x7f\xff", size=len(data))]


def wrong_check(request: Request) -> Steps:
    right = bytearray(reply(request, data_of(request, 1)))
    if request.text:
        right[-4] = ord("1" if right[-4] == ord("0") else "0")
    else:
        right[-1] ^= 0x40
    return [bytes(right)]


def flipped(bit: int) -> Script:
    """One bit of the reply is another."""

    def script(request: Request) -> Steps:
        whole = bytearray(reply(request))
        place = bit % (8 * len(whole))
        whole[place // 8] ^= 1 << place % 8
        return [bytes(whole)]

    return script


def noise_before(noise: bytes) -> Script:
    return lambda request: [noise + reply(request)]


def noise_behind(noise: bytes) -> Script:
    return lambda request: [reply(request) + noise]


def instead(data: bytes) -> Script:
    return lambda request: [data]  # noqa: ARG005


def half(request: Request) -> Steps:
    whole = reply(request)
    return [whole[: len(whole) // 2]]


def twice(request: Request) -> Steps:
    return [reply(request) * 2]


def echoing(request: Request) -> Steps:
    return [request.raw, reply(request)]


def in_slices(size: int, pause_s: float) -> Script:
    def script(request: Request) -> Steps:
        whole = reply(request)
        for at in range(0, len(whole), size):
            yield whole[at : at + size]
            yield pause_s

    return script


def exception(code: int) -> Script:
    return lambda request: [frame(bytes((request.unit, request.function | 0x80, code)), text=request.text)]


def without(*missing: int) -> Script:
    """A device that lacks some addresses: exception 2 for whoever asks over them."""

    def script(request: Request) -> Steps:
        asked = range(request.address, request.address + request.count)
        return exception(2)(request) if any(address in asked for address in missing) else honest(request)

    return script


def cutting(request: Request) -> Steps:  # noqa: ARG001
    return [CUT]


@dataclass(slots=True)
class FaultyLine:
    """A serial line with every unit id on it, while entered."""

    path: Path
    """A link, made and removed here, so that a line that was cut comes back under its name."""
    script: Script
    framing: Literal["rtu", "ascii"] = "rtu"
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
        assert self._ends is not None
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
            line, end, rest = self._rest.partition(b"\r\n")
            if not end:
                return None
            self._rest = rest
            content = bytes.fromhex(line[1:].decode("ascii"))
            assert line[:1] == b":"
            assert sum(content) & 0xFF == 0
            return self._request(content[:-1], line + end)
        while len(self._rest) >= 8:
            raw = self._rest[:8]
            if crc(raw[:6]) == raw[6:]:
                self._rest = self._rest[8:]
                return self._request(raw[:6], raw)
            self._rest = self._rest[1:]
        return None

    def _request(self, content: bytes, raw: bytes) -> Request:
        assert len(content) == 6, "only reading requests are understood"
        assert content[1] in (1, 2, 3, 4), "nothing but reading is ever asked"
        address, count = (int.from_bytes(content[i : i + 2], "big") for i in (2, 4))
        head = content[0], content[1], address, count
        return Request(*head, self.count, raw, self.framing == "ascii", self.clock())

    async def _mind(self, asked: asyncio.Queue[Request]) -> None:
        while True:
            request = await asked.get()
            for step in self.script(request):
                if step is None:
                    self.cut()
                elif isinstance(step, bytes):
                    self.send(step)
                else:
                    await asyncio.sleep(step)


@dataclass(slots=True)
class FaultyServer:
    """A serial server: what comes over TCP goes on the line as it is, and back."""

    line: FaultyLine
    port: int = 0
    _server: asyncio.Server | None = None
    _clients: set[asyncio.BaseTransport] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.cut()
        await self.line.__aexit__(kind, exc, tb)

    async def mend(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        if self._server is not None:
            self._server.close()
        for client in list(self._clients):
            client.abort()  # type: ignore[attr-defined]


class _Client(asyncio.Protocol):
    def __init__(self, server: FaultyServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._server._clients.add(transport)
        self._server.line.through = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._server.line.hear(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._server._clients.discard(self._transport)
