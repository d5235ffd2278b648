"""The door of a platform: it reads CONNECT, lets in or refuses, and passes everything else to the broker.

mosquitto knows no password that changes with the hour, so that is judged here.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

ACCEPTED, WRONG_PASSWORD, NOT_AUTHORISED = 0, 4, 5
"""CONNACK of MQTT 3.1.1."""


@dataclass(frozen=True, slots=True)
class Connect:
    """What a client says first."""

    level: int
    """4 is MQTT 3.1.1, 5 is MQTT 5."""
    keepalive: int
    client_id: str
    has_will: bool
    username: str
    password: str


class Door:
    """Listens on `port` of loopback while entered; `judge` returns the CONNACK's code."""

    def __init__(self, judge: Callable[[Connect], int], broker_port: int) -> None:
        self.connects: list[Connect] = []
        self._judge = judge
        self._broker_port = broker_port
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self.port = 0
        self.open()
        return self

    def open(self) -> None:
        """Listen, on the same port as before."""
        self._server = socket.create_server(("127.0.0.1", self.port))
        self.port = int(self._server.getsockname()[1])
        self._start(self._accept)

    def __exit__(self, *_: object) -> None:
        self._close(self._server)
        self.slam()
        for thread in self._threads:
            thread.join(10)

    def slam(self) -> None:
        """Cut every connection."""
        for each in self._sockets:
            self._close(each)

    def _start(self, run: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._sockets.append(client)
                self._start(self._greet, client)

    def _greet(self, client: socket.socket) -> None:
        try:
            packet = _read_packet(client)
            connect = _connect(packet)
            self.connects.append(connect)
            code = self._judge(connect)
            if code != ACCEPTED:
                answer = [0x20, 2, 0, code] if connect.level == 4 else [0x20, 3, 0, 0x86, 0]
                client.sendall(bytes(answer))
                self._close(client)
                return
            broker = socket.create_connection(("127.0.0.1", self._broker_port))
            self._sockets.append(broker)
            broker.sendall(packet)
        except OSError:
            self._close(client)
            return
        self._start(self._pass, broker, client)
        self._pass(client, broker)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        self._close(source)
        self._close(target)

    @staticmethod
    def _close(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()


def _read(sock: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = sock.recv(count - len(found))
        if not more:
            raise ConnectionError
        found += more
    return found


def _read_packet(sock: socket.socket) -> bytes:
    packet = _read(sock, 1)
    length = shift = 0
    while True:
        byte = _read(sock, 1)
        packet += byte
        length |= (byte[0] & 127) << shift
        shift += 7
        if byte[0] < 128:
            return packet + _read(sock, length)


def _connect(packet: bytes) -> Connect:
    at = 1
    while packet[at] >= 128:
        at += 1
    at += 1

    def sized() -> bytes:
        nonlocal at
        (length,) = struct.unpack_from("!H", packet, at)
        at += 2 + length
        return packet[at - length : at]

    sized()
    level, flags, keepalive = struct.unpack_from("!BBH", packet, at)
    at += 4
    if level == 5:
        at += 1 + packet[at]
    client_id = sized().decode()
    if flags & 4:
        if level == 5:
            at += 1 + packet[at]
        sized(), sized()
    username = sized().decode() if flags & 128 else ""
    password = sized().decode() if flags & 64 else ""
    return Connect(level, keepalive, client_id, bool(flags & 4), username, password)
