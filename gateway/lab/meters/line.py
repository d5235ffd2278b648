"""Meters on a line, by DL/T 645-2007 and CJ/T 188, that answer by script; behind a serial server, or not.

From the facts of the protocols and nothing of ours. A script gets what was asked and says what comes back
and when: several replies, late ones, wrong ones, none, or CUT, which ends the connection. Each meter has one
mind: it answers in order, however late. Whatever is no reading request is kept in `others`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self

CUT: Final = None
Speech = Literal["dlt645", "cjt188"]
_LONGEST = 300
"""More bytes than any frame has."""
Held = bytes | Callable[[], bytes]
"""Data as on the wire, or what makes it when it is asked for."""
_SHIFT = 0x33


@dataclass(frozen=True, slots=True)
class Asked:
    """One reading request."""

    speech: Speech
    address: str
    """As on the label: twelve digits, or two of the kind of meter and fourteen."""
    identifier: str
    number: int
    """From 0."""
    raw: bytes
    data: bytes | None
    """What the meter has of it, as it goes over the wire; None: it has none of that name."""
    serial: int = 0
    place: int = 0
    """Which meter of the line, from 1."""


Replies = Sequence[tuple[float, bytes | None]]
"""(Seconds until it is sent, bytes or CUT), one behind the other."""
Script = Callable[[Asked], Replies]
"""What was asked → what comes back."""
Say = Callable[[bytes | None], None]
"""The way back to who asks; CUT ends it."""


def frame645(address: str, control: int, data: bytes = b"", wake: int = 4) -> bytes:
    """Return a frame of DL/T 645-2007."""
    head = b"\x68" + bytes.fromhex(address)[::-1] + b"\x68" + bytes((control, len(data)))
    whole = head + bytes((each + _SHIFT) % 256 for each in data)
    return b"\xfe" * wake + whole + bytes((sum(whole) % 256, 0x16))


def frame188(address: str, control: int, data: bytes = b"", wake: int = 4) -> bytes:
    """Return a frame of CJ/T 188; the address begins with the kind of meter."""
    whole = b"\x68" + bytes.fromhex(address[:2]) + bytes.fromhex(address[2:])[::-1]
    whole += bytes((control, len(data))) + data
    return b"\xfe" * wake + whole + bytes((sum(whole) % 256, 0x16))


def reply(asked: Asked, *, address: str | None = None, data: bytes | None = None, wake: int = 4) -> bytes:
    """Return the honest reply, or one that differs by what is given."""
    held = asked.data if data is None else data
    name = bytes.fromhex(asked.identifier)[::-1]
    if asked.speech == "dlt645":
        if held is None:
            return frame645(address or asked.address, 0xD1, b"\x02", wake)
        return frame645(address or asked.address, 0x91, name + held, wake)
    if held is None:
        return frame188(address or asked.address, 0xC1, bytes((asked.serial, 0x00, 0x01)), wake)
    return frame188(address or asked.address, 0x81, name + bytes((asked.serial,)) + held, wake)


def honest(asked: Asked) -> Replies:
    """Answer."""
    return [(0.0, reply(asked))]


@dataclass(slots=True)
class MeterLine:
    """A line of meters behind a TCP port, while entered."""

    speech: Speech
    meters: Mapping[str, Mapping[str, Held]]
    """Address → identifier → data."""
    script: Script = honest
    port: int = 0
    host: str = "127.0.0.1"
    most_connections: int = 1000
    """Further ones are closed at once, as serial servers do."""
    keep: bool = True
    """False: requests are not remembered, for long runs."""
    count: int = 0
    """Requests that came."""
    asked: list[Asked] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)
    """Frames that asked for anything but a reading."""
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _minds: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def mend(self) -> None:
        """Plug the line in, where it was."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Unplug it: connections end, nobody is let in."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= self.most_connections:
            writer.transport.abort()
            return
        self._writers.add(writer)

        def say(data: bytes | None) -> None:
            if data is CUT:
                writer.close()
            elif not writer.is_closing():
                writer.write(data)

        rest = b""
        try:
            while data := await reader.read(4096):
                rest = self.hear(rest + data, say)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            with contextlib.suppress(ConnectionError):
                writer.close()

    def hear(self, data: bytes, say: Say) -> bytes:
        """Answer the requests in what came; return what is behind the last of them."""
        frames = list(self._frames(data))
        for frame in frames:
            self._hear(frame, say)
        # What is no request is forgotten: noise does not pile up.
        return data[data.rindex(frames[-1]) + len(frames[-1]) :] if frames else data[-_LONGEST:]

    def _frames(self, data: bytes) -> Iterator[bytes]:
        """Yield the whole frames in what came: from 68 to 16, the sum right."""
        length_at = 9 if self.speech == "dlt645" else 10
        at = data.find(b"\x68")
        while 0 <= at < len(data) - length_at:
            end = at + length_at + 3 + data[at + length_at]
            frame = data[at:end]
            if len(frame) == end - at and frame[-1] == 0x16 and sum(frame[:-2]) % 256 == frame[-2]:
                yield frame
                at = data.find(b"\x68", end)
            else:
                at = data.find(b"\x68", at + 1)

    def _hear(self, frame: bytes, say: Say) -> None:
        asked = self._understood(frame)
        if asked is None:
            self.others.append(frame)
            return
        self.count += 1
        if self.keep:
            self.asked.append(asked)
        if asked.address in self.meters:
            task = asyncio.create_task(self._answer(asked, self.script(asked), say))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _understood(self, frame: bytes) -> Asked | None:
        if self.speech == "dlt645":
            if frame[8] != 0x11 or frame[9] != 4:
                return None
            address = frame[6:0:-1].hex()
            name = bytes((each - _SHIFT) % 256 for each in frame[10:14])[::-1].hex().upper()
            if address == "aa" * 6:
                address = next(iter(self.meters))
            serial = 0
        else:
            if frame[9] != 0x01 or frame[10] != 3:
                return None
            address = frame[1:2].hex() + frame[8:1:-1].hex()
            if address[2:] == "aa" * 7:
                address = next((each for each in self.meters if each[:2] == address[:2]), address)
            name, serial = frame[12:10:-1].hex().upper(), frame[13]
        held = self.meters.get(address, {}).get(name)
        data = held() if callable(held) else held
        place = list(self.meters).index(address) + 1 if address in self.meters else 0
        return Asked(self.speech, address, name, self.count, frame, data, serial, place)

    async def _answer(self, asked: Asked, replies: Replies, say: Say) -> None:
        async with self._minds.setdefault(asked.address, asyncio.Lock()):
            for delay, data in replies:
                if delay:
                    await asyncio.sleep(delay)
                say(data)
