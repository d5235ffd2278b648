"""A Sparkplug B edge node by script: births, data and deaths as the specification has them, or out of order.

A payload is protobuf (org.eclipse.tahu.protobuf.Payload), written here by hand: a field is its number and
wire type, then a varint, eight bytes, or a length and that many bytes.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

VARINT, EIGHT, SIZED, FOUR = 0, 1, 2, 5
INT32, INT64, DOUBLE, BOOLEAN, STRING = 3, 4, 10, 11, 12
"""Data types of the specification, section 6.4.16."""
Value = bool | int | float | str | None
Kind = Literal["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]


def varint(number: int) -> bytes:
    """Return a number of at most 64 bits, seven bits to the byte; a negative one as its two's complement."""
    number &= 0xFFFF_FFFF_FFFF_FFFF
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def written(number: int, wire: int, data: bytes) -> bytes:
    """Return a field."""
    head = varint(number << 3 | wire)
    return head + (varint(len(data)) + data if wire == SIZED else data)


@dataclass(frozen=True, slots=True)
class Metric:
    """One value; with `alias` and no name as data behind a birth has it."""

    value: Value
    datatype: int = DOUBLE
    name: str | None = None
    alias: int | None = None
    timestamp: int | None = None
    """ms since 1970."""
    is_historical: bool = False

    def encoded(self) -> bytes:
        """Return the bytes of the message Metric."""
        parts = []
        if self.name is not None:
            parts.append(written(1, SIZED, self.name.encode()))
        if self.alias is not None:
            parts.append(written(2, VARINT, varint(self.alias)))
        if self.timestamp is not None:
            parts.append(written(3, VARINT, varint(self.timestamp)))
        parts.append(written(4, VARINT, varint(self.datatype)))
        if self.is_historical:
            parts.append(written(5, VARINT, b"\x01"))
        parts.append(self._value())
        return b"".join(parts)

    def _value(self) -> bytes:
        match self.value:
            case None:
                return written(7, VARINT, b"\x01")
            case bool():
                return written(14, VARINT, varint(self.value))
            case int():
                bits = 0xFFFF_FFFF if self.datatype == INT32 else 0xFFFF_FFFF_FFFF_FFFF
                return written(10 if self.datatype == INT32 else 11, VARINT, varint(self.value & bits))
            case float():
                return written(13, EIGHT, struct.pack("<d", self.value))
            case str():
                return written(15, SIZED, self.value.encode())


def payload(metrics: Iterable[Metric], timestamp: int, seq: int | None) -> bytes:
    """Return a Payload; a death has no sequence number."""
    parts = [written(1, VARINT, varint(timestamp))]
    parts += [written(2, SIZED, metric.encoded()) for metric in metrics]
    if seq is not None:
        parts.append(written(3, VARINT, varint(seq)))
    return b"".join(parts)


@dataclass(slots=True)
class EdgeNode:
    """Builds the messages of one edge node in order; the faults are methods that leave the order."""

    group: str
    node: str
    metrics: dict[str, Value]
    """What it has, by name; aliases are their places from 0."""
    bd_seq: int = 0
    seq: int = field(default=0)

    def topic(self, kind: Kind, device: str | None = None) -> str:
        """Return where a message of this kind goes."""
        return f"spBv1.0/{self.group}/{kind}/{self.node}" + (f"/{device}" if device else "")

    def death(self, now: int) -> tuple[str, bytes]:
        """Return the will: what the broker sends when the node is gone."""
        return self.topic("NDEATH"), payload([Metric(self.bd_seq, INT64, "bdSeq")], now, None)

    def birth(self, now: int) -> tuple[str, bytes]:
        """Return the birth, which begins a sequence: every metric with its name and its alias."""
        self.seq = 0
        said = [Metric(self.bd_seq, INT64, "bdSeq")]
        said += [
            Metric(value, datatype(value), name, alias, now)
            for alias, (name, value) in enumerate(self.metrics.items())
        ]
        return self.topic("NBIRTH"), payload(said, now, self._next())

    def data(self, changed: dict[str, Value], now: int, *, historical: bool = False) -> tuple[str, bytes]:
        """Return changes, by alias alone."""
        self.metrics |= changed
        places = {name: alias for alias, name in enumerate(self.metrics)}
        said = [
            Metric(value, datatype(value), alias=places[name], timestamp=now, is_historical=historical)
            for name, value in changed.items()
        ]
        return self.topic("NDATA"), payload(said, now, self._next())

    def skip(self, count: int = 1) -> None:
        """Lose messages: their numbers are used up."""
        self.seq = (self.seq + count) % 256

    def unknown_alias(self, now: int) -> tuple[str, bytes]:
        """Return data of an alias no birth has named."""
        return self.topic("NDATA"), payload([Metric(1.5, DOUBLE, alias=9999)], now, self._next())

    def late_death(self, now: int) -> tuple[str, bytes]:
        """Return the death of the session before this one, as a broker sends it behind the new birth."""
        last = (self.bd_seq - 1) % 256
        return self.topic("NDEATH"), payload([Metric(last, INT64, "bdSeq")], now, None)

    def reborn(self, now: int) -> tuple[str, bytes]:
        """Begin another session and return its birth."""
        self.bd_seq = (self.bd_seq + 1) % 256
        return self.birth(now)

    def _next(self) -> int:
        now, self.seq = self.seq, (self.seq + 1) % 256
        return now


def datatype(value: Value) -> int:
    """Return the data type a value of Python is sent as."""
    match value:
        case bool():
            return BOOLEAN
        case int():
            return INT64
        case str():
            return STRING
        case _:
            return DOUBLE


ORDERS: Final = {
    "in order": ("birth", "data", "data"),
    "data before birth": ("data", "birth", "data"),
    "a number missing": ("birth", "data", "skip", "data"),
    "an alias nobody named": ("birth", "unknown_alias", "data"),
    "a late death": ("birth", "reborn", "late_death", "data"),
    "born twice": ("birth", "data", "birth", "data"),
}
"""What a host must come through; each word is a method of `EdgeNode`."""


def played(node: EdgeNode, order: Iterable[str], now: int) -> list[tuple[str, bytes]]:
    """Return the messages of an order, a second apart; every `data` raises each float metric by one."""
    said = []
    for step in order:
        now += 1000
        if step == "data":
            floats = {name: v + 1 for name, v in node.metrics.items() if isinstance(v, float)}
            said.append(node.data(dict(floats), now))
        elif step == "skip":
            node.skip()
        else:
            said.append(getattr(node, step)(now))
    return said
