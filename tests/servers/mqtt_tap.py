"""Between a client and its broker: passes on every byte, and reads what the client sends."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Connect:
    """The first packet."""

    level: int
    """5, or 4 for 3.1.1."""
    client_id: str
    is_clean: bool
    expiry: int | None
    """Session expiry interval; None is not said."""
    will_topic: str
    will_payload: bytes
    will_qos: int
    will_retain: bool


@dataclass(frozen=True, slots=True)
class Publish:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    at: float
    """By the monotonic clock, s."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    filters: tuple[tuple[str, int], ...]
    """Topic filter and QoS."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    reason: int


Packet = Connect | Publish | Subscribe | Disconnect


@dataclass
class Reader:
    """One connection's bytes, as they come, to packets."""

    level: int = 5
    _data: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[Packet]:
        self._data += data
        found = []
        while (size := self._whole()) is not None:
            head, body = size
            packet = self._packet(self._data[0], bytes(self._data[head : head + body]))
            del self._data[: head + body]
            if packet is not None:
                found.append(packet)
        return found

    def _whole(self) -> tuple[int, int] | None:
        """Return the bytes of the head and of what follows, once all of it is there."""
        for end in range(2, min(len(self._data), 5) + 1):
            if self._data[end - 1] < 0x80:
                size, _ = _varint(self._data, 1)
                return (end, size) if len(self._data) >= end + size else None
        return None

    def _packet(self, first: int, body: bytes) -> Packet | None:
        match first >> 4:
            case 1:
                return self._connect(body)
            case 3:
                at = 2 + int.from_bytes(body[:2], "big")
                topic = body[2:at].decode()
                qos = first >> 1 & 3
                at = self._behind_properties(body, at + 2 * bool(qos))
                return Publish(topic, body[at:], qos, bool(first & 1), time.monotonic())
            case 8:
                at = self._behind_properties(body, 2)
                found = []
                while at < len(body):
                    text, at = _text(body, at)
                    found.append((text.decode(), body[at] & 3))
                    at += 1
                return Subscribe(tuple(found))
            case 14:
                return Disconnect(body[0] if body else 0)
        return None

    def _connect(self, body: bytes) -> Connect:
        _, at = _text(body, 0)
        self.level, flags = body[at], body[at + 1]
        at, expiry = at + 4, None
        if self.level == 5:
            length, start = _varint(body, at)
            at = start + length
            properties = body[start:at]
            # 0x11 leads where it is the first, as paho writes it.
            if properties[:1] == b"\x11":
                expiry = int.from_bytes(properties[1:5], "big")
        client_id, at = _text(body, at)
        topic = payload = b""
        if flags & 4:
            topic, at = _text(body, self._behind_properties(body, at))
            payload, at = _text(body, at)
        return Connect(
            self.level,
            client_id.decode(),
            bool(flags & 2),
            expiry,
            topic.decode(),
            payload,
            flags >> 3 & 3,
            bool(flags & 0x20),
        )

    def _behind_properties(self, body: bytes, at: int) -> int:
        if self.level != 5:
            return at
        size, at = _varint(body, at)
        return at + size


def _varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def _text(body: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(body[at : at + 2], "big")
    return body[at + 2 : end], end


class Tap:
    """Listen on `port`; enter to begin, leave to cut every connection."""

    def __init__(self, broker_port: int) -> None:
        self._broker = ("127.0.0.1", broker_port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.packets: list[Packet] = []
        """Of all connections, in order; a connection begins with its CONNECT."""
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.open = threading.Event()
        """Clear it, and what clients send waits here; what the broker sends goes on."""
        self.open.set()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)
        for each in self._sockets:
            each.close()

    def cut(self) -> None:
        """End every connection without a word."""
        self.open.set()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def published(self) -> list[Publish]:
        return [packet for packet in self.packets if isinstance(packet, Publish)]

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(self._broker, timeout=5)
            except OSError:
                client.close()
                continue
            broker.settimeout(None)
            for each in (client, broker):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [client, broker]
            self._start(self._pass, client, broker, Reader())
            self._start(self._pass, broker, client, None)

    def _pass(self, source: socket.socket, target: socket.socket, reader: Reader | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if reader is not None:
                    self.open.wait(60)
                    self.packets += reader.feed(data)
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
