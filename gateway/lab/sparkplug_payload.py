"""Sparkplug B payloads as bytes, written by hand and taken apart again.

A payload is protobuf (org.eclipse.tahu.protobuf.Payload), written here by hand: a field is its number and
wire type, then a varint, eight or four bytes, or a length and that many bytes.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

VARINT, EIGHT, SIZED, FOUR = 0, 1, 2, 5
INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64 = range(1, 9)
FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME, TEXT, UUID, DATASET, BYTES, FILE, TEMPLATE = range(9, 20)
INT8_ARRAY, INT16_ARRAY, INT32_ARRAY, INT64_ARRAY = range(22, 26)
UINT8_ARRAY, UINT16_ARRAY, UINT32_ARRAY, UINT64_ARRAY = range(26, 30)
FLOAT_ARRAY, DOUBLE_ARRAY, BOOLEAN_ARRAY, STRING_ARRAY, DATETIME_ARRAY = range(30, 35)
"""Data types of the specification, section 6.4.16."""

_LONG: Final = (INT64, UINT64, DATETIME)
_PACKED: Final = dict(zip(range(22, 32), "bhiqBHIQfd", strict=True)) | {DATETIME_ARRAY: "q"}


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
class Template:
    """A structure: its members, by name."""

    members: "tuple[Metric, ...]"
    reference: str | None = "type"
    is_definition: bool = False

    def encoded(self) -> bytes:
        """Return the bytes of the message Template."""
        parts = [written(2, SIZED, member.encoded()) for member in self.members]
        if self.reference is not None:
            parts.append(written(4, SIZED, self.reference.encode()))
        parts.append(written(5, VARINT, varint(self.is_definition)))
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class DataSet:
    """A matrix: columns with their types, and rows."""

    columns: tuple[str, ...]
    types: tuple[int, ...]
    rows: "tuple[tuple[Value, ...], ...]"

    def encoded(self) -> bytes:
        """Return the bytes of the message DataSet."""
        parts = [written(1, VARINT, varint(len(self.columns)))]
        parts += [written(2, SIZED, column.encode()) for column in self.columns]
        parts += [written(3, VARINT, varint(kind)) for kind in self.types]
        for row in self.rows:
            cells = [
                written(1, SIZED, choice(1, value, kind))
                for value, kind in zip(row, self.types, strict=False)
            ]
            parts.append(written(4, SIZED, b"".join(cells)))
        return b"".join(parts)


Value = bool | int | float | str | bytes | Template | DataSet | None


def choice(first: int, value: Value, datatype: int) -> bytes:
    """Return the choice `value` of a metric, property or cell; `first` is the number of `int_value` there."""
    if value is None:
        return b""
    if isinstance(value, int) and not isinstance(value, bool):
        is_long = datatype in _LONG
        return written(first + is_long, VARINT, varint(value if is_long else value & 0xFFFF_FFFF))
    if isinstance(value, float):
        is_double = datatype != FLOAT
        wire, form = (EIGHT, "<d") if is_double else (FOUR, "<f")
        return written(first + 2 + is_double, wire, struct.pack(form, value))
    if isinstance(value, bool):
        return written(first + 4, VARINT, varint(value))
    if isinstance(value, str):
        return written(first + 5, SIZED, value.encode())
    place = 6 if isinstance(value, bytes) else 7 if isinstance(value, DataSet) else 8
    return written(first + place, SIZED, value if isinstance(value, bytes) else value.encoded())


def packed(datatype: int, elements: Sequence[bool | float | str]) -> bytes:
    """Return an array's bytes: little-endian, bits behind their count, texts that each end with a zero."""
    if datatype == STRING_ARRAY:
        return b"".join(str(each).encode() + b"\0" for each in elements)
    if datatype == BOOLEAN_ARRAY:
        bits = "".join("1" if each else "0" for each in elements)
        data = bytes(int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8))
        return struct.pack("<I", len(elements)) + data
    return struct.pack(f"<{len(elements)}{_PACKED[datatype]}", *elements)


@dataclass(frozen=True, slots=True)
class Metric:
    """One value; with `alias` and no name as data behind a birth has it."""

    value: Value
    datatype: int | None = DOUBLE
    name: str | None = None
    alias: int | None = None
    timestamp: int | None = None
    """ms since 1970."""
    is_historical: bool = False
    properties: tuple[tuple[str, int, Value], ...] = ()
    """Key, data type, value."""

    def encoded(self) -> bytes:
        """Return the bytes of the message Metric."""
        parts = []
        if self.name is not None:
            parts.append(written(1, SIZED, self.name.encode()))
        if self.alias is not None:
            parts.append(written(2, VARINT, varint(self.alias)))
        if self.timestamp is not None:
            parts.append(written(3, VARINT, varint(self.timestamp)))
        if self.datatype is not None:
            parts.append(written(4, VARINT, varint(self.datatype)))
        if self.is_historical:
            parts.append(written(5, VARINT, b"\x01"))
        if self.value is None:
            parts.append(written(7, VARINT, b"\x01"))
        if self.properties:
            parts.append(written(9, SIZED, self._properties()))
        parts.append(choice(10, self.value, self.datatype or 0))
        return b"".join(parts)

    def _properties(self) -> bytes:
        keys = [written(1, SIZED, key.encode()) for key, _, _ in self.properties]
        values = [
            written(2, SIZED, written(1, VARINT, varint(kind)) + choice(3, value, kind))
            for _, kind, value in self.properties
        ]
        return b"".join(keys + values)


def payload(metrics: Iterable[Metric], timestamp: int, seq: int | None) -> bytes:
    """Return a Payload; a death has no sequence number."""
    parts = [written(1, VARINT, varint(timestamp))]
    parts += [written(2, SIZED, metric.encoded()) for metric in metrics]
    if seq is not None:
        parts.append(written(3, VARINT, varint(seq)))
    return b"".join(parts)


_DATATYPES: Final = {
    bool: BOOLEAN,
    int: INT64,
    str: STRING,
    bytes: BYTES,
    DataSet: DATASET,
    Template: TEMPLATE,
}


def datatype(value: Value) -> int:
    """Return the data type a value of Python is sent as."""
    return _DATATYPES.get(type(value), DOUBLE)


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field of a message."""
    at = 0
    while at < len(data):
        head, at = _number(data, at)
        match head & 7:
            case 0:
                value, at = _number(data, at)
                yield head >> 3, value
            case 2:
                size, at = _number(data, at)
                yield head >> 3, data[at : at + size]
                at += size
            case wire:
                size = 8 if wire == EIGHT else 4
                yield head >> 3, data[at : at + size]
                at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        octet = data[at]
        at += 1
        found |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return found, at
