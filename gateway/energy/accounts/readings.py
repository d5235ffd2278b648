"""Counter readings on disk, kept so that late data correct the books: small pieces, sorted, each time once.

Of two readings with the same time the lower one counts, whichever came first: the books must not depend on
the order in which rows arrive, and less is never invented.
"""

import struct
import zlib
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.energy.accounts.state import Integers

_HEAD: Final = struct.Struct("<IqqqB")
"""Rows, first time, distance (0: not the same for all), first value, bytes of a difference of values."""
_ZLIB: Final = 1


class Readings(NamedTuple):
    """Readings of one meter by time, ascending, each time once; (n,)."""

    time: Integers
    raw: Integers
    manual: NDArray[np.bool_]

    def where(self, keep: NDArray[np.bool_]) -> "Readings":
        """Return those for which `keep` is true."""
        return Readings(self.time[keep], self.raw[keep], self.manual[keep])

    def between(self, first: int, last: int) -> "Readings":
        """Return those with first ≤ time < last."""
        return self.where((self.time >= first) & (self.time < last))


NONE: Final = Readings(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_))


def sorted_readings(time: Integers, raw: Integers, manual: NDArray[np.bool_] | None = None) -> Readings:
    """Return readings in any order and number as they are kept."""
    manual = np.zeros(len(time), np.bool_) if manual is None else manual
    if len(time) > 1 and not (np.diff(time) > 0).all():
        order = np.lexsort((manual, raw, time))
        time, raw, manual = time[order], raw[order], manual[order]
        first = np.append(True, time[1:] != time[:-1])
        time, raw, manual = time[first], raw[first], manual[first]
    return Readings(time, raw, manual)


def merged(*pieces: Readings) -> Readings:
    """Return the readings of several pieces."""
    if len(pieces) == 1:
        return pieces[0]
    return sorted_readings(*(np.concatenate(column) for column in zip(*pieces, strict=True)))


def encode(readings: Readings) -> bytes:
    """Return a piece as bytes."""
    time, raw, manual = readings
    gaps, steps = np.diff(time), np.diff(raw)
    distance = int(gaps[0]) if len(gaps) and (gaps == gaps[0]).all() else 0
    size = 8 if len(steps) and np.abs(steps).max() >= 2**31 else 4
    head = _HEAD.pack(len(time), int(time[0]), distance, int(raw[0]), size)
    body = b"" if distance else gaps.tobytes()
    body += steps.astype(np.int64 if size == 8 else np.int32).tobytes() + np.packbits(manual).tobytes()
    return head + zlib.compress(body, _ZLIB)


def decode(data: bytes) -> Readings:
    """Return the piece of `encode`; raises zlib.error, struct.error or ValueError on damage."""
    rows, first, distance, value, size = _HEAD.unpack_from(data)
    body, at = zlib.decompress(data[_HEAD.size :]), 0
    if distance:
        time = first + distance * np.arange(rows, dtype=np.int64)
    else:
        time = np.cumsum(np.append(first, np.frombuffer(body, np.int64, rows - 1)))
        at = 8 * (rows - 1)
    steps = np.frombuffer(body, np.int64 if size == 8 else np.int32, rows - 1, at)
    raw = np.cumsum(np.append(np.int64(value), steps.astype(np.int64)))
    bits = np.frombuffer(body, np.uint8, -1, at + size * (rows - 1))
    return Readings(time, raw, np.unpackbits(bits, count=rows).astype(np.bool_))
