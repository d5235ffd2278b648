"""Requests and replies as bytes in the three framings, from the specification and from nothing of ours.

Unless told otherwise register a of unit u holds (37 a + 1000 u) mod 65536; coil a is set when a mod 3 is 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Framing = Literal["tcp", "rtu", "ascii"]
Memory = Callable[[int, int, int, int], bytes]
"""Unit, function, address and count -> the data of the reply."""


def register(unit: int, address: int) -> int:
    """Return what a register holds."""
    return (37 * address + 1000 * unit) % 65536


def known(unit: int, function: int, address: int, count: int) -> bytes:
    """Return the data of a reply: registers or coils as above."""
    if function in (1, 2):
        octets = bytearray((count + 7) // 8)
        for i in range(count):
            octets[i // 8] |= ((address + i) % 3 == 0) << i % 8
        return bytes(octets)
    return b"".join(register(unit, address + i).to_bytes(2, "big") for i in range(count))


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked, how it was framed, and the how-manieth request it was."""

    unit: int
    function: int
    address: int
    count: int
    number: int
    """From 0."""
    framing: Framing
    raw: bytes
    asked: float
    """When the lab's clock says it was asked, s."""
    transaction: int = 0
    connection: int = 0
    connected_s: float = float("inf")
    """How long its connection had been there, s."""
    memory: Memory = known

    def data(self, shift: int = 0) -> bytes:
        """Return the reply's data; `shift` serves other registers than those asked for."""
        return self.memory(self.unit, self.function, self.address + shift, self.count)


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


def serial_frame(content: bytes, *, text: bool = False) -> bytes:
    """Return unit, function and data as a frame of a serial line; text is ASCII."""
    if text:
        return b":" + (content + bytes((-sum(content) & 0xFF,))).hex().upper().encode() + b"\r\n"
    return content + crc(content)


def tcp_frame(transaction: int, content: bytes, *, protocol: int = 0, length: int | None = None) -> bytes:
    """Return unit, function and data as a frame over TCP; `length` lies about them."""
    size = len(content) if length is None else length
    return b"".join(each.to_bytes(2, "big") for each in (transaction, protocol, size)) + content


def frame(request: Request, content: bytes) -> bytes:
    """Return unit, function and data framed as the request was."""
    if request.framing == "tcp":
        return tcp_frame(request.transaction, content)
    return serial_frame(content, text=request.framing == "ascii")


def reply(
    request: Request,
    data: bytes | None = None,
    *,
    unit: int | None = None,
    function: int | None = None,
    size: int | None = None,
) -> bytes:
    """Return a reply with a right check, whatever else is wrong with it."""
    body = request.data() if data is None else data
    head = (
        request.unit if unit is None else unit,
        request.function if function is None else function,
        (len(body) if size is None else size) & 0xFF,
    )
    return frame(request, bytes(head) + body)
