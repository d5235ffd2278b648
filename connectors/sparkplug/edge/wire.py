"""Protobuf's bytes of columns: numbers seven bits to the byte, written for all rows at once. Pure."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

LONGEST: Final = 10
"""Bytes of the largest number."""
_SHIFTS: Final = np.arange(0, 7 * LONGEST, 7, dtype=np.uint64)
_LEAST: Final = np.uint64(1) << _SHIFTS
"""The smallest number that needs one byte more than its place."""
_PLACES: Final = np.arange(LONGEST)

Bytes = NDArray[np.uint8]


def varint(number: int) -> bytes:
    """Return one number of at most 64 bits, not negative."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def parts(data: bytes) -> Iterator[int]:
    """Yield how many bytes each message takes of those that lie in `data` one behind the other."""
    at = 0
    while at < len(data):
        begin, size, shift = at, 0, 0
        at += 1  # the field's number takes one byte
        while True:
            size |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 0x80:
                break
        at += size
        yield at - begin


def varints(number: NDArray[np.uint64]) -> tuple[Bytes, NDArray[np.bool_]]:
    """Return a column's bytes, (n, 10), and which of them count."""
    septets = (number[:, None] >> _SHIFTS).astype(np.uint8) & np.uint8(0x7F)
    last = lengths(number)[:, None] - 1
    septets[last > _PLACES] |= 0x80
    return septets, last >= _PLACES


def lengths(number: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return how many bytes each number takes, (n,)."""
    return np.maximum(np.searchsorted(_LEAST, number, side="right"), 1)


def even(number: NDArray[np.uint64], length: int) -> Bytes:
    """Return the bytes of numbers that all take `length`, (n, length)."""
    septets = (number[:, None] >> _SHIFTS[:length]).astype(np.uint8)
    septets[:, :-1] |= 0x80
    septets[:, -1] &= 0x7F
    return septets
