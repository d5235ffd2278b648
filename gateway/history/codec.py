"""Rows of a few tags to bytes and back, exactly: the frames history is made of.

A frame holds the rows of one shelf (eight neighbouring tag numbers), sorted by tag and booking order or time.
Every column is a column of integers: floats by `forms`, times in their coarsest exact unit. Each tag's
integers are told as offsets from their least, as differences, or as differences of differences, whichever
takes the fewest bits; then the columns are cut into planes of bytes, so that what seldom changes lies
together, and all goes through zlib. docs/reference/history-format.md is the same in prose.

Everything but zlib and the cutting is done over all shelves of a call at once.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.history.forms import INTEGER, Segments, from_integers, to_integers

VERSION: Final = 1
SHELF_BITS: Final = 3
"""A shelf is eight tags: reading one costs unpacking eight, storing eight costs one row."""
_HEAD: Final = struct.Struct("<BBHI")
"""codec version, columns, tags, rows"""
_COLUMN: Final = struct.Struct("<BBI")
"""sort (0 integer, 1 float64, 2 text), width, bytes of texts"""
_INTEGER_SORT: Final = 0
_FLOAT_SORT: Final = 1
_TEXT_SORT: Final = 2
_UNITS: Final = np.array([1, 1_000, 1_000_000, 1_000_000_000], np.int64)
_WRAP: Final = 0xFFFF_FFFF_FFFF_FFFF


class Undecodable(ValueError):
    """The bytes are not what `encode` makes."""


def shelf_of(tag: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the shelf each tag lies on, (n,) int32."""
    return tag >> SHELF_BITS


def encode(
    tag: NDArray[np.int32], columns: Sequence[NDArray[Any]], *, level: int
) -> list[tuple[int, int, int, bytes]]:
    """Return a frame per shelf: (shelf, first row, row after the last, bytes).

    `tag` is ascending; columns are (n,): int64, float64 or object holding str.
    """
    n = len(tag)
    starts = np.flatnonzero(np.append(True, tag[1:] != tag[:-1]))
    numbers = tag[starts]
    counts = np.diff(np.append(starts, n))
    first_segments = np.flatnonzero(np.append(True, np.diff(shelf_of(numbers)) != 0))
    segment_bounds = np.append(first_segments, len(starts)).tolist()
    row_bounds = np.append(starts[first_segments], n)
    packed = [_pack(column, starts, row_bounds) for column in columns]
    frames = []
    bounds = row_bounds.tolist()
    shelves = shelf_of(numbers[first_segments]).tolist()
    little_tags, little_counts = numbers.astype("<i4"), counts.astype("<u4")
    for f, shelf in enumerate(shelves):
        a, b = bounds[f], bounds[f + 1]
        s, e = segment_bounds[f], segment_bounds[f + 1]
        pieces = [
            _HEAD.pack(VERSION, len(columns), e - s, b - a),
            little_tags[s:e].tobytes(),
            little_counts[s:e].tobytes(),
        ]
        for column in packed:
            pieces += column.frame(f, s, e, a, b)
        frames.append((shelf, a, b, zlib.compress(b"".join(pieces), level)))
    return frames


def decode(data: bytes, only: int | None = None) -> tuple[NDArray[np.int32], list[NDArray[Any]]]:
    """Return tags and columns of a frame, or of one tag in it; raise Undecodable.

    An absent tag is a frame without rows.
    """
    try:
        return _decode(zlib.decompress(data), only)
    except (struct.error, ValueError, IndexError, zlib.error, UnicodeDecodeError) as exc:
        raise Undecodable(str(exc)) from exc


class _Packed:
    """One column of a call, ready to be cut into frames."""

    def __init__(
        self,
        sort: int,
        parameters: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]],
        residual: NDArray[np.uint64],
        row_bounds: NDArray[np.intp],
        texts: list[bytes] | None,
    ) -> None:
        self._sort = sort
        self._form, self._unit, self._order, self._base = parameters
        self._texts = texts
        highest = np.maximum.reduceat(residual, row_bounds[:-1])
        # Bytes of the highest residual of each frame.
        widths = np.zeros(len(highest), np.uint8)
        for width in range(8):
            widths += highest >= np.uint64(1 << (8 * width)) if width else highest > 0
        self._widths = widths.tolist()
        most = int(widths.max())
        self._planes = np.ascontiguousarray(
            residual.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)[:, :most].T
        )

    def frame(self, f: int, s: int, e: int, a: int, b: int) -> list[bytes]:
        """Return the column's bytes in frame f: segments [s, e), rows [a, b)."""
        width = self._widths[f]
        text = self._texts[f] if self._texts is not None else b""
        return [
            _COLUMN.pack(self._sort, width, len(text)),
            self._form[s:e].tobytes(),
            self._unit[s:e].tobytes(),
            self._order[s:e].tobytes(),
            self._base[s:e].astype("<i8", copy=False).tobytes(),
            text,
            self._planes[:width, a:b].tobytes(),
        ]


def _pack(column: NDArray[Any], starts: Segments, row_bounds: NDArray[np.intp]) -> _Packed:
    m = len(starts)
    form, unit = np.full(m, INTEGER, np.uint8), np.zeros(m, np.uint8)
    texts = None
    if column.dtype == object:
        sort = _TEXT_SORT
        integers, texts = _texts(column, row_bounds)
    elif column.dtype == np.float64:
        sort = _FLOAT_SORT
        integers, form = to_integers(column, starts)
    else:
        sort = _INTEGER_SORT
        integers = column.astype(np.int64, copy=False)
        integers, unit = _coarsest(integers, starts)
    residual, order, base = _residuals(integers, starts)
    return _Packed(sort, (form, unit, order, base), residual, row_bounds, texts)


def _coarsest(x: NDArray[np.int64], starts: Segments) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Divide each segment by the largest of 1, 10^3, 10^6, 10^9 that leaves no rest."""
    unit = np.zeros(len(starts), np.uint8)
    if not (np.abs(x[starts]) >= 1_000).any():
        return x, unit
    for power in (1, 2, 3):
        exact = np.logical_and.reduceat(x % _UNITS[power] == 0, starts)
        unit[exact & (unit == power - 1)] = power
    if unit.any():
        x = x // np.repeat(_UNITS[unit], np.diff(np.append(starts, len(x))))
    return x, unit


def _residuals(
    x: NDArray[np.int64], starts: Segments
) -> tuple[NDArray[np.uint64], NDArray[np.uint8], NDArray[np.int64]]:
    """Return unsigned residuals (n,), each segment's order (0, 1, 2) and base."""
    m, n = len(starts), len(x)
    counts = np.diff(np.append(starts, n))
    low = np.minimum.reduceat(x, starts)
    high = np.maximum.reduceat(x, starts)
    order = np.zeros(m, np.uint8)
    if (low == high).all():
        return np.zeros(n, np.uint64), order, low
    u = x.view(np.uint64)
    plain = u - np.repeat(low.view(np.uint64), counts)
    d1 = _differences(u, starts)
    d2 = _differences(d1, starts)
    z1, z2 = _zigzag(d1), _zigzag(d2)
    cost = np.stack([_bits(each, starts) for each in (plain, z1, z2)])
    order = cost.argmin(axis=0).astype(np.uint8)
    base = np.where(order == 0, low, x[starts])
    order_of = np.repeat(order, counts)
    return np.choose(order_of, (plain, z1, z2)), order, base


def _differences(u: NDArray[np.uint64], starts: Segments) -> NDArray[np.uint64]:
    d = np.empty_like(u)
    d[1:] = u[1:] - u[:-1]
    d[starts] = 0
    return d


def _bits(residual: NDArray[np.uint64], starts: Segments) -> NDArray[np.float64]:
    return np.add.reduceat(np.log2(residual.astype(np.float64) + 1.0), starts)


def _zigzag(d: NDArray[np.uint64]) -> NDArray[np.uint64]:
    signed = d.view(np.int64)
    return (d << np.uint64(1)) ^ (signed >> np.int64(63)).view(np.uint64)


def _unzigzag(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return (z >> np.uint64(1)) ^ (np.uint64(0) - (z & np.uint64(1)))


def _texts(column: NDArray[Any], row_bounds: NDArray[np.intp]) -> tuple[NDArray[np.int64], list[bytes]]:
    """Number the different texts of each frame; a Python loop, about 0.1 us a row."""
    integers = np.empty(len(column), np.int64)
    tables = []
    for a, b in zip(row_bounds[:-1].tolist(), row_bounds[1:].tolist(), strict=True):
        rows = column[a:b].tolist()
        number = {text: i for i, text in enumerate(dict.fromkeys(rows))}
        integers[a:b] = [number[text] for text in rows]
        lengths = np.array([len(text) for text in number], "<u4").tobytes()
        tables.append(
            struct.pack("<I", len(number)) + lengths + "".join(number).encode("utf-8", "surrogatepass")
        )
    return integers, tables


def _decode(data: bytes, only: int | None) -> tuple[NDArray[np.int32], list[NDArray[Any]]]:
    version, width_of_row, m, n = _HEAD.unpack_from(data)
    if version != VERSION:
        raise Undecodable(f"codec version {version}, this release reads {VERSION}")
    at = _HEAD.size
    numbers = np.frombuffer(data, "<i4", m, at).astype(np.int32)
    counts = np.frombuffer(data, "<u4", m, at + 4 * m).astype(np.intp)
    if counts.sum() != n:
        raise Undecodable("the tags do not fill the frame")
    at += 8 * m
    s, e, a, b = 0, m, 0, n
    if only is not None:
        mine = np.flatnonzero(numbers == only)
        s, e = (int(mine[0]), int(mine[0]) + 1) if len(mine) else (0, 0)
        a, b = int(counts[:s].sum()), int(counts[:e].sum())
    columns: list[NDArray[Any]] = []
    for _ in range(width_of_row):
        sort, width, size = _COLUMN.unpack_from(data, at)
        at += _COLUMN.size
        form, unit, order = np.frombuffer(data, np.uint8, 3 * m, at).reshape(3, m)
        base = np.frombuffer(data, "<i8", m, at + 3 * m).astype(np.int64)
        at += 11 * m + size
        planes = np.frombuffer(data, np.uint8, width * n, at).reshape(width, n)[:, a:b]
        integers = _integrated(planes, order[s:e], base[s:e], counts[s:e])
        if sort == _FLOAT_SORT:
            columns.append(from_integers(integers, form[s:e], counts[s:e]))
        elif sort == _TEXT_SORT:
            columns.append(_looked_up(integers, data[at - size : at]))
        elif unit[s:e].any():
            columns.append(integers * np.repeat(_UNITS[unit[s:e]], counts[s:e]))
        else:
            columns.append(integers)
        at += width * n
    if at != len(data):
        raise Undecodable("the columns do not fill the frame")
    return np.repeat(numbers[s:e], counts[s:e]), columns


def _integrated(
    planes: NDArray[np.uint8], order: NDArray[np.uint8], base: NDArray[np.int64], counts: NDArray[np.intp]
) -> NDArray[np.int64]:
    bases = np.repeat(base.view(np.uint64), counts)
    width, n = planes.shape
    if not width or not n:
        return bases.view(np.int64)
    raw = np.zeros((n, 8), np.uint8)
    raw[:, :width] = planes.T
    residual = raw.view("<u8")[:, 0].astype(np.uint64, copy=False)
    order_of = np.repeat(order, counts)
    if order.any():
        starts = np.append(0, np.cumsum(counts[:-1]))
        x = _unzigzag(residual)
        if (order == 2).any():
            x = np.where(order_of == 2, _summed(x, starts, counts), x)
        x = np.where(order_of == 0, residual, _summed(x, starts, counts))
    else:
        x = residual
    return (x + bases).view(np.int64)


def _summed(x: NDArray[np.uint64], starts: Segments, counts: NDArray[np.intp]) -> NDArray[np.uint64]:
    total = np.cumsum(x, dtype=np.uint64)
    before = total[starts] - x[starts]
    return total - np.repeat(before, counts)


def _looked_up(integers: NDArray[np.int64], table: bytes) -> NDArray[Any]:
    (count,) = struct.unpack_from("<I", table)
    lengths = np.frombuffer(table, "<u4", count, 4)
    text = table[4 + 4 * count :].decode("utf-8", "surrogatepass")
    ends = np.cumsum(lengths).tolist()
    if ends and ends[-1] != len(text):
        raise Undecodable("text is cut")
    words = np.empty(count, object)
    words[:] = [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    found: NDArray[Any] = words[integers]
    return found
