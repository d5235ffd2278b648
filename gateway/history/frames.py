"""A frame as it is stored: what a row of SQLite tells about it, under one checksum with its bytes."""

import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.history.codec import Undecodable, decode, encode

_SAID: Final = struct.Struct("<qqqqq")
COLUMNS: Final = "shelf, sort, first, last, rows, crc, data"
SORT_OF_DTYPE: Final = {"f": 0, "i": 1, "O": 2}
"""A shelf's tags may travel in different parts of a batch; a frame holds those of one."""


class Frame(NamedTuple):
    """Rows of one shelf and sort."""

    shelf: int
    sort: int
    first: int
    last: int
    """All its rows lie in first ≤ time ≤ last, ns UTC."""
    rows: int
    crc: int
    """CRC-32 over the fields before, each as `<q`, and the data."""
    data: bytes

    def unpacked(self, only: int | None = None) -> tuple[NDArray[np.int32], list[NDArray[Any]]]:
        """Return tags and columns, of one tag if asked; raise Undecodable when it is damaged."""
        if self.crc != _crc(*self[:5], data=self.data):
            raise Undecodable("a frame's checksum is wrong")
        return decode(self.data, only)


def framed(
    sort: int,
    tag: NDArray[np.int32],
    columns: Sequence[NDArray[Any]],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    *,
    level: int,
) -> list[Frame]:
    """Return a frame per shelf of rows sorted by tag; `first` and `last` bound each row's time, (n,)."""
    encoded = encode(tag, columns, level=level)
    starts = np.array([a for _, a, _, _ in encoded])
    lows = np.minimum.reduceat(first, starts).tolist()
    highs = np.maximum.reduceat(last, starts).tolist()
    return [
        Frame(shelf, sort, low, high, b - a, _crc(shelf, sort, low, high, b - a, data=data), data)
        for (shelf, a, b, data), low, high in zip(encoded, lows, highs, strict=True)
    ]


def _crc(*said: int, data: bytes) -> int:
    try:
        return zlib.crc32(data, zlib.crc32(_SAID.pack(*said)))
    except struct.error:
        return -1
