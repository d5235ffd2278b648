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
from gateway.history.residuals import integrated, residuals

VERSION: Final = 1
SHELF_BITS: Final = 3
"""A shelf is eight tags: reading one costs unpacking eight, storing eight costs one row."""
_HEAD: Final = struct.Struct("<BBHI")
"""codec version, columns, tags, rows"""
_COLUMN: Final = struct.Struct("<BBI")
"""sort (0 integer, 1 float64, 2 text, 3 as an earlier column), width or that column, bytes of texts"""
_INTEGER_SORT: Final = 0
_FLOAT_SORT: Final = 1
_TEXT_SORT: Final = 2
_SAME_SORT: Final = 3
_UNITS: Final = np.array([1, 1_000, 1_000_000, 1_000_000_000], np.int64)


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
    same = [_same_as(columns, i, row_bounds) for i in range(len(columns))]
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
        for column, earlier in zip(packed, same, strict=True):
            if earlier[f] >= 0:
                pieces.append(_COLUMN.pack(_SAME_SORT, earlier[f], 0))
            else:
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


def _same_as(columns: Sequence[NDArray[Any]], i: int, row_bounds: NDArray[np.intp]) -> list[int]:
    """Return for each frame an earlier column with the same bits, -1 for none.

    A minute with one row in it has that row's value for its least, greatest, last and sum.
    """
    found = np.full(len(row_bounds) - 1, -1)
    mine = columns[i]
    if mine.dtype != object:
        for j in range(i - 1, -1, -1):
            if columns[j].dtype == mine.dtype:
                equal = np.ascontiguousarray(columns[j]).view(np.int64) == np.ascontiguousarray(mine).view(
                    np.int64
                )
                found[np.logical_and.reduceat(equal, row_bounds[:-1])] = j
    return found.tolist()


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
    residual, order, base = residuals(integers, starts)
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
        if sort == _SAME_SORT:
            columns.append(columns[width])
            continue
        form, unit, order = np.frombuffer(data, np.uint8, 3 * m, at).reshape(3, m)
        base = np.frombuffer(data, "<i8", m, at + 3 * m).astype(np.int64)
        at += 11 * m + size
        planes = np.frombuffer(data, np.uint8, width * n, at).reshape(width, n)[:, a:b]
        integers = integrated(planes, order[s:e], base[s:e], counts[s:e])
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
