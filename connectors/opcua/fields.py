"""Reads the fields behind a DataValue's value: status and times, where its mask says they are.

Fields of one width are read through a view of the message that begins an element at every byte, so that
records of any mix of layouts take one indexing operation a field.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.opcua.records import (
    HAS_SERVER_PICOSECONDS,
    HAS_SERVER_TIME,
    HAS_SOURCE_PICOSECONDS,
    HAS_SOURCE_TIME,
    HAS_STATUS,
    MASKS,
    OddValue,
)
from connectors.opcua.rows import Other
from connectors.opcua.times import time_ns, times_ns, with_picoseconds, with_picoseconds_of

_ARRAY: Final = 0x80
_BUILTIN: Final = 0x3F
"""Bits of a Variant's first byte (OPC 10000-6, 5.2.2.16)."""


class _Field(NamedTuple):
    """One optional field: its type, and how far behind the value it lies, by mask."""

    dtype: np.dtype[Any]
    offset: NDArray[np.int64]


def _fields() -> dict[int, _Field]:
    # The order of the specification: picoseconds stand behind their own time (OPC 10000-6, 5.2.2.17).
    order: list[tuple[int, np.dtype[Any]]] = [
        (HAS_STATUS, np.dtype("<u4")),
        (HAS_SOURCE_TIME, np.dtype("<i8")),
        (HAS_SOURCE_PICOSECONDS, np.dtype("<u2")),
        (HAS_SERVER_TIME, np.dtype("<i8")),
        (HAS_SERVER_PICOSECONDS, np.dtype("<u2")),
    ]
    return {
        bit: _Field(
            dtype,
            np.array([sum(d.itemsize for b, d in order[:i] if mask & b) for mask in range(MASKS)], np.int64),
        )
        for i, (bit, dtype) in enumerate(order)
    }


_FIELDS: Final = _fields()


def over(body: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the message as numbers of this type that begin at every byte."""
    return np.ndarray((len(body) - dtype.itemsize + 1,), dtype, body, 0, (1,))


class Behind:
    """The fields behind the values of many records."""

    def __init__(self, body: bytes, mask: NDArray[np.uint8], tail: NDArray[np.int64]) -> None:
        """Remember each record's mask, (n,), and where its value ends, (n,)."""
        self._body, self._mask, self._tail = body, mask, tail
        self._one = int(mask[0]) if (mask == mask[0]).all() else None
        """The mask all of them have, if they have."""
        self._any = int(np.bitwise_or.reduce(mask)) if self._one is None else self._one

    def status(self) -> NDArray[np.uint32]:
        """Return the StatusCodes, (n,) uint32, 0 where there is none."""
        return self._field(HAS_STATUS)

    def source_time(self) -> NDArray[np.int64]:
        """Return the source timestamps, (n,) int64 ns UTC, 0 where there is none."""
        return self._time(HAS_SOURCE_TIME, HAS_SOURCE_PICOSECONDS)

    def server_time(self) -> NDArray[np.int64]:
        """Return the server timestamps, (n,) int64 ns UTC, 0 where there is none."""
        return self._time(HAS_SERVER_TIME, HAS_SERVER_PICOSECONDS)

    def _time(self, bit: int, fraction: int) -> NDArray[np.int64]:
        times = self._field(bit)
        if self._any & bit:
            times = times_ns(times)
            if self._any & fraction:
                times = with_picoseconds(times, self._field(fraction))
        return times

    def _field(self, bit: int) -> NDArray[Any]:
        dtype, offset = _FIELDS[bit]
        if self._one is not None and self._one & bit:
            everywhere: NDArray[Any] = over(self._body, dtype)[self._tail + offset[self._one]]
            return everywhere
        values = np.zeros(len(self._mask), dtype)
        if self._any & bit:
            rows = np.flatnonzero(self._mask & bit)
            values[rows] = over(self._body, dtype)[self._tail[rows] + offset[self._mask[rows]]]
        return values


def other(body: bytes, lead: int, odd: OddValue) -> Other:
    """Return one record that was put aside."""
    mask, first = body[odd.at], body[odd.at + 1]

    def field(bit: int) -> int:
        if not mask & bit:
            return 0
        dtype, offset = _FIELDS[bit]
        begin = odd.tail + int(offset[mask])
        return int.from_bytes(body[begin : begin + dtype.itemsize], "little", signed=dtype.kind == "i")

    def time(bit: int, fraction: int) -> int:
        return with_picoseconds_of(time_ns(field(bit)), field(fraction))

    return Other(
        place=odd.place,
        handle=int.from_bytes(body[odd.at - lead : odd.at], "little"),
        builtin=first & _BUILTIN,
        array=bool(first & _ARRAY),
        status=field(HAS_STATUS),
        source_time=time(HAS_SOURCE_TIME, HAS_SOURCE_PICOSECONDS),
        server_time=time(HAS_SERVER_TIME, HAS_SERVER_PICOSECONDS),
        raw=body[odd.at + 1 : odd.tail],
    )
