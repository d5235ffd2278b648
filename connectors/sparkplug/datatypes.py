"""Sparkplug's data types (specification 6.4.16): what kind of tag each is, and its values out of protobuf.

Integers are two's complement in an unsigned field, small ones sign-extended by some senders and cut to their
width by others; both are read. A value in a field that leaves its sign open is Bad, never guessed.
"""

import math
import struct
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

from connectors.quality import (
    BAD_ENCODING_LIMITS_EXCEEDED,
    BAD_OUT_OF_RANGE,
    BAD_TYPE_MISMATCH,
    GOOD,
)
from connectors.tags import Kind


class DataType(IntEnum):
    """As the specification numbers them."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34


KIND_OF: Final = {
    DataType.INT8: Kind.INT32,
    DataType.INT16: Kind.INT32,
    DataType.INT32: Kind.INT32,
    DataType.INT64: Kind.INT64,
    DataType.UINT8: Kind.INT32,
    DataType.UINT16: Kind.INT32,
    DataType.UINT32: Kind.INT32,
    DataType.UINT64: Kind.UINT64,
    DataType.FLOAT: Kind.FLOAT64,
    DataType.DOUBLE: Kind.FLOAT64,
    DataType.BOOLEAN: Kind.BOOL,
    DataType.STRING: Kind.TEXT,
    DataType.DATETIME: Kind.INT64,
    DataType.TEXT: Kind.TEXT,
    DataType.UUID: Kind.TEXT,
    DataType.BYTES: Kind.TEXT,
}
"""Of a single value; a date and time is ns since 1970 UTC, bytes are text in hexadecimal digits."""
ELEMENT_OF: Final = {
    DataType(array): DataType(single)
    for array, single in zip(range(22, 35), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], strict=True)
}
"""What an array's elements are."""
LONGEST_TEXT: Final = 65_536
MOST_BYTES: Final = 1_024
"""Bytes of a value that is kept as hexadecimal digits."""
MS: Final = 1_000_000
"""ns in a millisecond."""

Read = tuple[Any, int]
"""A value of the type's kind, and its quality."""
_TYPE: Final[Read] = (0, BAD_TYPE_MISMATCH)
_RANGE: Final[Read] = (0, BAD_OUT_OF_RANGE)


def kind_of(datatype: int) -> Kind | None:
    """Return the kind of a single value, None for a type that is no single value we keep."""
    return KIND_OF.get(datatype)  # type: ignore[call-overload,no-any-return,unused-ignore]


def read(message: Any, datatype: int) -> Read:
    """Return the value of a metric, property, parameter or cell; `message` has the choice `value`."""
    field = message.WhichOneof("value")
    return READERS[datatype](field, None if field is None else getattr(message, field))


def _signed(bits: int) -> Callable[[str | None, Any], Read]:
    top = 1 << (bits - 1)

    def read_signed(field: str | None, value: Any) -> Read:
        if field == "int_value":
            width = 32
        elif field == "long_value":
            width = 64
        else:
            return _TYPE
        if width < bits:
            return _TYPE  # -5 may stand there as 4294967291, and so may 4294967291
        if value >= 1 << (width - 1):
            value -= 1 << width
        elif top <= value < 2 * top:
            value -= 2 * top
        return (value, GOOD) if -top <= value < top else _RANGE

    return read_signed


def _unsigned(bits: int) -> Callable[[str | None, Any], Read]:
    def read_unsigned(field: str | None, value: Any) -> Read:
        if field not in ("int_value", "long_value"):
            return _TYPE
        return (value, GOOD) if value < 1 << bits else _RANGE

    return read_unsigned


def _unsigned_64(field: str | None, value: Any) -> Read:
    if field not in ("int_value", "long_value"):
        return _TYPE
    return value - (1 << 64) if value >= 1 << 63 else value, GOOD


def _float(field: str | None, value: Any) -> Read:
    if field not in ("float_value", "double_value"):
        return _TYPE
    return (value, GOOD) if math.isfinite(value) else _RANGE


def _boolean(field: str | None, value: Any) -> Read:
    if field == "boolean_value" or (field == "int_value" and value in (0, 1)):
        return float(value), GOOD
    return _TYPE


def _text(field: str | None, value: Any) -> Read:
    if field != "string_value":
        return "", BAD_TYPE_MISMATCH
    return (value, GOOD) if len(value) <= LONGEST_TEXT else ("", BAD_ENCODING_LIMITS_EXCEEDED)


def _datetime(field: str | None, value: Any) -> Read:
    if field not in ("int_value", "long_value"):
        return _TYPE
    if value >= 1 << 63:
        value -= 1 << 64
    return (value * MS, GOOD) if abs(value) < (1 << 63) // MS else _RANGE


def _bytes(field: str | None, value: Any) -> Read:
    if field != "bytes_value":
        return "", BAD_TYPE_MISMATCH
    return (value.hex(), GOOD) if len(value) <= MOST_BYTES else ("", BAD_ENCODING_LIMITS_EXCEEDED)


READERS: Final[dict[int, Callable[[str | None, Any], Read]]] = {
    DataType.INT8: _signed(8),
    DataType.INT16: _signed(16),
    DataType.INT32: _signed(32),
    DataType.INT64: _signed(64),
    DataType.UINT8: _unsigned(8),
    DataType.UINT16: _unsigned(16),
    DataType.UINT32: _unsigned(32),
    DataType.UINT64: _unsigned_64,
    DataType.FLOAT: _float,
    DataType.DOUBLE: _float,
    DataType.BOOLEAN: _boolean,
    DataType.STRING: _text,
    DataType.DATETIME: _datetime,
    DataType.TEXT: _text,
    DataType.UUID: _text,
    DataType.BYTES: _bytes,
}
"""By data type: from the name of the field that is set, and what is in it."""

_PACKED: Final = {
    DataType.INT8_ARRAY: "b",
    DataType.INT16_ARRAY: "h",
    DataType.INT32_ARRAY: "i",
    DataType.INT64_ARRAY: "q",
    DataType.UINT8_ARRAY: "B",
    DataType.UINT16_ARRAY: "H",
    DataType.UINT32_ARRAY: "I",
    DataType.UINT64_ARRAY: "Q",
    DataType.FLOAT_ARRAY: "f",
    DataType.DOUBLE_ARRAY: "d",
    DataType.DATETIME_ARRAY: "q",
}


def read_array(data: bytes, datatype: int, most: int) -> list[Read] | None:
    """Return an array's elements, None when the bytes are no such array or have more than `most`."""
    if datatype == DataType.STRING_ARRAY:
        return _strings(data, most)
    if datatype == DataType.BOOLEAN_ARRAY:
        return _bits(data, most)
    form = _PACKED[DataType(datatype)]
    count, rest = divmod(len(data), struct.calcsize(form))
    if rest or count > most:
        return None
    found = struct.unpack(f"<{count}{form}", data)
    as_one = READERS[ELEMENT_OF[DataType(datatype)]]
    match datatype:
        case DataType.FLOAT_ARRAY | DataType.DOUBLE_ARRAY:
            return [as_one("double_value", each) for each in found]
        case DataType.UINT64_ARRAY | DataType.DATETIME_ARRAY:
            return [as_one("long_value", each) for each in found]
    return [(each, GOOD) for each in found]


def _strings(data: bytes, most: int) -> list[Read] | None:
    """Texts that each end with a zero byte."""
    if not data:
        return []
    if data[-1] != 0 or data.count(b"\0") > most:
        return None
    try:
        return [_text("string_value", each.decode()) for each in data[:-1].split(b"\0")]
    except UnicodeDecodeError:
        return None


def _bits(data: bytes, most: int) -> list[Read] | None:
    """A count in four bytes, then eight to the byte, the highest bit first."""
    if len(data) < 4:
        return None
    (count,) = struct.unpack_from("<I", data)
    if count > most or len(data) != 4 + (count + 7) // 8:
        return None
    return [(float(data[4 + i // 8] >> (7 - i % 8) & 1), GOOD) for i in range(count)]
