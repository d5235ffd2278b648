"""WebSocket as MQTT uses it (RFC 6455; MQTT 5, 6): a stream of bytes in binary frames. It knows no socket.

paho's own is not used: it answers a ping unmasked, which a strict peer takes for a fault, masks byte by byte
in Python, and does not say what the server answered instead of a WebSocket.
"""

import base64
import hashlib
import os
import struct
from dataclasses import dataclass
from typing import Final

from connectors.dial.converse import Dialogue, TooLong, head

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_LONGEST_CONTROL: Final = 125


@dataclass(frozen=True, slots=True)
class NoWebSocket(Exception):
    """What answered is no WebSocket for MQTT."""

    detail: str


def upgrade(host: str, path: str) -> Dialogue:
    """Ask for a WebSocket; `host` with its port, as the header wants it.

    Raises:
        NoWebSocket: with what was answered.
    """
    key = base64.b64encode(os.urandom(16))
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key.decode()}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: mqtt",
    )
    yield ("\r\n".join(lines) + "\r\n\r\n").encode()
    try:
        status, headers = yield from head()
    except (ValueError, IndexError, TooLong):
        raise NoWebSocket("not HTTP") from None
    if status != 101:
        raise NoWebSocket(f"HTTP {status}")
    wanted = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()
    if headers.get("sec-websocket-accept") != wanted:
        raise NoWebSocket("Sec-WebSocket-Accept")
    if headers.get("sec-websocket-protocol") != "mqtt":
        raise NoWebSocket("Sec-WebSocket-Protocol")


def frame(payload: bytes | bytearray | memoryview, opcode: int = _BINARY) -> bytes:
    """Return one whole frame, masked as a client must."""
    length = len(payload)
    if length <= _LONGEST_CONTROL:
        start = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
    elif length < 1 << 16:
        start = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
    else:
        start = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, length)
    mask = os.urandom(4)
    return start + mask + _masked(payload, mask)


def _masked(payload: bytes | bytearray | memoryview, mask: bytes) -> bytes:
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")


class Frames:
    """What a server's frames hold: data in `data`, what is to be said in answer in `answers`."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.answers = bytearray()
        self.closed = ""
        """Why nothing more comes; empty while it may."""
        self._raw = bytearray()
        self._opcode = _BINARY
        self._left = 0
        """Bytes of the current data frame that have not come."""

    def feed(self, raw: bytes) -> None:
        """Take what came."""
        self._raw += raw
        while not self.closed and (self._take() if self._left else self._begin()):
            pass

    def _take(self) -> bool:
        piece = self._raw[: self._left]
        del self._raw[: len(piece)]
        self._left -= len(piece)
        self.data += piece
        return bool(piece)

    def _begin(self) -> bool:
        """Read a frame's head, and a control frame whole; tell whether there was enough of it."""
        raw = self._raw
        if len(raw) < 2:
            return False
        opcode, length, start = raw[0] & 0x0F, raw[1] & 0x7F, 2
        if raw[0] & 0x70 or raw[1] & 0x80:
            self.closed = "a frame with reserved bits, or masked by the server"
            return False
        if opcode >= _CLOSE:
            return self._control(opcode, length)
        if length >= 126:
            start = 4 if length == 126 else 10
            if len(raw) < start:
                return False
            length = int.from_bytes(raw[2:start], "big")
        if opcode not in (_BINARY, _CONTINUED):
            self.closed = "a text frame, which MQTT forbids"
            return False
        del raw[:start]
        self._left = length
        return True

    def _control(self, opcode: int, length: int) -> bool:
        if length > _LONGEST_CONTROL:
            self.closed = "a control frame that is too long"
            return False
        if len(self._raw) < 2 + length:
            return False
        payload = bytes(self._raw[2 : 2 + length])
        del self._raw[: 2 + length]
        if opcode == _PING:
            self.answers += frame(payload, _PONG)
        elif opcode == _CLOSE:
            self.answers += frame(payload[:2], _CLOSE)
            code = int.from_bytes(payload[:2], "big") if payload else 1005
            self.closed = f"WebSocket close {code} {payload[2:].decode('utf-8', 'replace')}".strip()
        return True
