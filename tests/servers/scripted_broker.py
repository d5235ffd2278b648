"""A broker that misbehaves on demand: MQTT 3.1.1 and 5, as much of it as a publisher meets.

The script is a function: it gets each PUBLISH and returns the PUBACK's reason code, or None to send none.
"""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14


@dataclass(frozen=True, slots=True)
class Connect:
    level: int
    """4 is MQTT 3.1.1, 5 is MQTT 5."""
    flags: int
    keepalive: int
    client_id: str
    will: tuple[str, bytes] | None
    username: str | None
    password: str | None


@dataclass(frozen=True, slots=True)
class Publish:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    packet_id: int


Script = Callable[[Publish], int | None]


def accept(_: Publish) -> int | None:
    return 0


class ScriptedBroker:
    """Listens on `port` of loopback while entered; remembers what it was sent."""

    def __init__(
        self,
        script: Script = accept,
        *,
        connack: int | None = 0,
        properties: bytes = b"",
        tls: ssl.SSLContext | None = None,
        suback: int = 1,
    ) -> None:
        self.script = script
        self.suback = suback
        """Reason code for every filter of a SUBSCRIBE."""
        self.connack = connack
        """Reason code of the CONNACK; None answers nothing."""
        self.password: str | None = None
        """The only one it lets in; None lets in any."""
        self.refusal = 0x87
        """Reason code of the CONNACK for another password."""
        self.properties = properties
        """Of the CONNACK, MQTT 5 only."""
        self.port = 0
        self.connects: list[Connect] = []
        self.published: list[Publish] = []
        self.subscribed: list[str] = []
        self.packets: list[int] = []
        """Types of all packets that came."""
        self.reading = asyncio.Event()
        """Clear it and the broker stops reading, as behind a cable that is cut."""
        self.reading.set()
        self._tls = tls
        self._writers: list[tuple[asyncio.StreamWriter, int]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        self.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def drop(self) -> None:
        """Reset every connection."""
        for writer, _ in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def disconnect(self, reason: int) -> None:
        """Send DISCONNECT (MQTT 5) on every connection and close."""
        for writer, _ in self._writers:
            writer.write(struct.pack("!BBBB", DISCONNECT << 4, 2, reason, 0))
            writer.close()
        self._writers.clear()

    def acknowledge(self, packet_id: int, reason: int = 0) -> None:
        """Send a PUBACK now."""
        for writer, level in self._writers:
            writer.write(_puback(level, packet_id, reason))

    def say(self, topic: str, payload: bytes) -> None:
        """Send a PUBLISH of QoS 0 on every connection."""
        for writer, level in self._writers:
            body = struct.pack("!H", len(topic)) + topic.encode() + b"\0" * (level == 5) + payload
            writer.write(bytes([PUBLISH << 4]) + _length(len(body)) + body)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                await self._talk(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        level = 0
        while True:
            await self.reading.wait()
            first, body = await _packet(reader)
            self.packets.append(first >> 4)
            match first >> 4:
                case 1:
                    connect = _connect(body)
                    self.connects.append(connect)
                    level = connect.level
                    self._writers.append((writer, level))
                    reason = self.connack
                    if self.password not in (None, connect.password):
                        reason = self.refusal
                    if reason is not None:
                        writer.write(self._connack(level, reason))
                case 3:
                    publish = _publish(first, body, level)
                    self.published.append(publish)
                    reason = self.script(publish)
                    if reason is not None and publish.qos:
                        writer.write(_puback(level, publish.packet_id, reason))
                case 8:
                    packet_id, filters = _subscribe(body, level)
                    self.subscribed += filters
                    writer.write(_suback(level, packet_id, [self.suback] * len(filters)))
                case 12:
                    writer.write(bytes([PINGRESP << 4, 0]))
                case 14:
                    return

    def _connack(self, level: int, reason: int) -> bytes:
        body = bytes([0, reason])
        if level == 5:
            body += _length(len(self.properties)) + self.properties
        return bytes([CONNACK << 4]) + _length(len(body)) + body


def _puback(level: int, packet_id: int, reason: int) -> bytes:
    if level < 5 or reason == 0:
        return struct.pack("!BBH", PUBACK << 4, 2, packet_id)
    return struct.pack("!BBHB", PUBACK << 4, 3, packet_id, reason)


def _suback(level: int, packet_id: int, reasons: list[int]) -> bytes:
    body = struct.pack("!H", packet_id) + b"\0" * (level == 5) + bytes(reasons)
    return bytes([SUBACK << 4]) + _length(len(body)) + body


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first, await reader.readexactly(length)


def _length(n: int) -> bytes:
    found = bytearray()
    while True:
        n, low = n >> 7, n & 127
        found.append(low | (128 if n else 0))
        if not n:
            return bytes(found)


class _Body:
    def __init__(self, body: bytes) -> None:
        self.left = body

    def take(self, n: int) -> bytes:
        taken, self.left = self.left[:n], self.left[n:]
        return taken

    def number(self, n: int) -> int:
        return int.from_bytes(self.take(n), "big")

    def sized(self) -> bytes:
        return self.take(self.number(2))

    def skip_properties(self, level: int) -> None:
        if level == 5:
            length = shift = 0
            while True:
                byte = self.number(1)
                length |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            self.take(length)


def _connect(packet: bytes) -> Connect:
    body = _Body(packet)
    body.sized()
    level, flags, keepalive = body.number(1), body.number(1), body.number(2)
    body.skip_properties(level)
    client_id = body.sized().decode()
    will = None
    if flags & 4:
        body.skip_properties(level)
        will = (body.sized().decode(), body.sized())
    username = body.sized().decode() if flags & 128 else None
    password = body.sized().decode() if flags & 64 else None
    return Connect(level, flags, keepalive, client_id, will, username, password)


def _publish(first: int, packet: bytes, level: int) -> Publish:
    body = _Body(packet)
    topic, qos = body.sized().decode(), first >> 1 & 3
    packet_id = body.number(2) if qos else 0
    body.skip_properties(level)
    return Publish(topic, body.left, qos, bool(first & 1), bool(first & 8), packet_id)


def _subscribe(packet: bytes, level: int) -> tuple[int, list[str]]:
    body = _Body(packet)
    packet_id = body.number(2)
    body.skip_properties(level)
    filters = []
    while body.left:
        filters.append(body.sized().decode())
        body.number(1)
    return packet_id, filters
