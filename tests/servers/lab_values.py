"""What the OPC UA lab server's items are and which value each has when; known to it and to who checks.

Item i has a built-in type by its number: of a hundred, 70 are Double or Float, 20 integers, 5 Boolean, 5
String. All items change with every tick n; n mod 8 says the value, and one value in a hundred is Bad.
The source timestamp, counted in 100 ns, ends in n mod 1000, so a received row tells what it must be.
"""

import random
import struct
import time
from dataclasses import dataclass, field

import numpy as np

VERSIONS = 8
BAD = 0x808B0000
UNIX = 116_444_736_000_000_000
"""FILETIME ticks at 1970."""
_FORMAT = {1: "?", 2: "b", 3: "B", 4: "h", 5: "H", 6: "i", 7: "I", 8: "q", 9: "Q", 10: "f", 11: "d"}
_STRING = 12
_HEADER = b"\x01\0\x3d\x03"
_PLAIN, _WITH_STATUS = 0x0D, 0x0F


def kind(item: int) -> int:
    """Return the id of the item's built-in type."""
    of_hundred = item * 37 % 100
    if of_hundred < 70:
        return 11 if of_hundred < 35 else 10
    if of_hundred < 90:
        return 2 + item // 100 % 8
    return 1 if of_hundred < 95 else _STRING


def value(item: int, version: int) -> bool | int | float | str:
    """Return what the item is in this version."""
    match kind(item):
        case 11:
            return item * 31 + version * 17 + 0.5
        case 10:
            return (item * 31 + version * 17) % 65536 + 0.25
        case 1:
            return (item + version) % 2 == 1
        case 12:
            return f"item {item} is {version}"
        case _:
            return (item * 31 + version * 17) % 100


def bad(item: int, version: int) -> bool:
    """Tell whether the item's value is Bad in this version."""
    return (item * 7 + version * 13) % 100 == 0


def tick_of(time_ns: int) -> int:
    """Return the tick modulo 1000 that a source timestamp tells."""
    return time_ns // 100 % 1000


def stamp(now_ns: int, tick: int) -> int:
    """Return FILETIME ticks for now that tell the tick."""
    return (now_ns // 100 + UNIX) // 1000 * 1000 + tick % 1000


def encoded(item: int, version: int) -> bytes:
    """Return the item's Variant."""
    known = value(item, version)
    if isinstance(known, str):
        text = known.encode()
        return bytes((_STRING,)) + struct.pack("<i", len(text)) + text
    return bytes((kind(item),)) + struct.pack("<" + _FORMAT[kind(item)], known)


@dataclass
class Message:
    """A PublishResponse that lacks what differs from one sending to the next."""

    body: bytearray
    rows: int
    stamps: np.ndarray
    """Where the source timestamps lie; the server's is 8 bytes on."""
    tail: int
    """Where the results begin: acknowledgements differ in number."""
    _times: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        # An int64 may begin at any byte.
        self._times = np.ndarray((len(self.body) - 7,), "<i8", self.body, 0, (1,))

    def patched(self, handle: int, sequence: int, now: int, source: int, results: int) -> bytes:
        """Return the message for one request; times in FILETIME ticks."""
        struct.pack_into("<qI", self.body, 4, now, handle)
        struct.pack_into("<I", self.body, 36, sequence)
        struct.pack_into("<Iq", self.body, 41, sequence, now)
        self._times[self.stamps] = source
        self._times[self.stamps + 8] = now
        return bytes(self.body[: self.tail]) + struct.pack("<i", results) + bytes(4 * results) + b"\xff" * 4


def message(subscription: int, handles: list[int], items: list[int], version: int) -> Message:
    """Prepare a message with a row for each of these items."""
    rows, stamps, at = [], [], 0
    start = 70
    for handle, item in zip(handles, items, strict=True):
        wrong = bad(item, version)
        row = struct.pack("<IB", handle, _WITH_STATUS if wrong else _PLAIN) + encoded(item, version)
        row += struct.pack("<I", BAD) if wrong else b""
        stamps.append(start + at + len(row))
        rows.append(row + bytes(16))
        at += len(rows[-1])
    content = struct.pack("<i", len(rows)) + b"".join(rows) + struct.pack("<i", -1)
    head = (
        _HEADER + struct.pack("<qIIBi", 0, 0, 0, 0, -1) + b"\0\0\0"
        + struct.pack("<Ii", subscription, 1) + bytes(4) + b"\0" + struct.pack("<Iqi", 0, 0, 1)
        + b"\x01\0\x2b\x03\x01" + struct.pack("<i", len(content))
    )  # fmt: skip
    body = head + content
    assert len(head) + 4 == start
    return Message(bytearray(body) + bytearray(8), len(rows), np.array(stamps), len(body))


class Feed:
    """One subscription: what it sends, prepared, and how far it is."""

    def __init__(self, number: int, mix: str, per_message: int) -> None:
        self.number = number
        self.mix, self.per_message = mix, per_message
        self.handles: list[tuple[int, int]] = []
        """Client handle and item."""
        self.messages: list[list[Message]] = []
        """By version, then by place in the tick."""
        self.sent = self.sequence = 0
        self.began = 0.0
        self._source = 0

    def prepare(self) -> None:
        """Make the messages of every version."""
        shuffled = random.Random(self.number)
        for version in range(VERSIONS):
            order = list(self.handles)
            if self.mix == "mixed":
                shuffled.shuffle(order)
            chunks = [order[i : i + self.per_message] for i in range(0, len(order), self.per_message)]
            self.messages.append(
                [message(self.number, [h for h, _ in c], [i for _, i in c], version) for c in chunks]
            )
        self.began = time.monotonic()

    def rate(self, rows_per_s: float) -> float:
        """Return messages a second for this share of the rows."""
        return rows_per_s * len(self.messages[0]) / len(self.handles)

    def next(self, handle: int, results: int) -> tuple[bytes, int]:
        """Return the next message and its rows."""
        tick, place = divmod(self.sent, len(self.messages[0]))
        self.sent += 1
        self.sequence = self.sequence % 0xFFFF_FFFF + 1
        now = time.time_ns()
        if not place or not self._source:
            self._source = stamp(now, tick)
        message = self.messages[tick % VERSIONS][place]
        now_ticks = now // 100 + UNIX
        return message.patched(handle, self.sequence, now_ticks, self._source, results), message.rows
